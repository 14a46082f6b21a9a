"""Learn descriptors from photos without labels: what chains of similar photos lead to attracts, what is alike repels.

PHOTOS is a folder, or a gallery. The best epoch is kept, judged by photos that geometry confirms to show the same
thing; they are not learnt from.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import GalleryError, KinfoldError
from kinfold.cli.options import add_counts, count, share
from kinfold.cli.train.collection import add_collection, collection
from kinfold.cli.train.shared import add_training, before_and_after, training

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery

SUMMARY = "descriptors, from photos without labels, by the manifold that they lie on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train manifold``."""
    add_collection(parser)
    add_counts(
        parser,
        ("--k", 30, "neighbours of each photo in the graph"),
        (
            "--k-pos",
            10,
            "nearest photos, by distance and by the graph, of which positives are taken",
        ),
        ("--side", 362, "photos are reduced to this longer side"),
    )
    parser.add_argument(
        "--k-neg", type=count, metavar="N",
        help="the same of negatives: at least as many as photos show one thing (default: half of all photos)",
    )  # fmt: skip
    parser.add_argument(
        "--refresh", action="store_true", help="make the graph anew before each epoch"
    )
    parser.add_argument(
        "--held-out", type=share, default=0.2, metavar="SHARE",
        help="of the things that geometry finds, not learnt but judged by, to keep the best epoch (default: 0.2)",
    )  # fmt: skip
    add_training(parser, epochs=5, batch=5, rate=1e-3)


def run(options: argparse.Namespace) -> int:
    """Train; tell what came out."""
    from kinfold.features.weights import network, read_weights
    from kinfold.learn.manifold import finetune_manifold
    from kinfold.learn.validation import describe_pooled, retrieval_score
    from kinfold.transform.normalize import l2_normalize
    from kinfold.transform.pca import PCA

    with training(options) as run, collection(run) as (gallery, start):
        weights = read_weights(start)
        net = network(weights, options.architecture).to(options.device)
        ids, raw = gallery.descriptors()
        files = [gallery.root / gallery.photo(int(id)).path for id in ids]
        for file in files:
            if not file.is_file():
                raise GalleryError(
                    f"{file}: is missing; kinfold index brings the gallery up to date"
                )
        labels = _held_out(gallery, ids, options)
        learnt, judged = np.flatnonzero(labels < 0), np.flatnonzero(labels >= 0)
        run.remark(f"{len(learnt)} photos to learn from, {len(judged)} of other things to judge by")
        score = retrieval_score(
            describe_pooled([files[row] for row in judged], max_side=options.side), labels[judged]
        )
        dim = min(gallery.settings.network_dim, len(learnt) - 1, raw.shape[1])
        white = PCA(dim, whiten=gallery.settings.whitening, shrinkage="ledoit-wolf")
        history = finetune_manifold(
            net, [files[row] for row in learnt], l2_normalize(white.fit_transform(raw[learnt])),
            k=options.k, k_pos=options.k_pos, k_neg=options.k_neg, refresh=options.refresh,
            max_side=options.side, batch=options.batch, validate=score,
            architecture=weights.metadata.get("architecture", options.architecture), **run.loop(),
        )  # fmt: skip
        run.measured.update(before_and_after(history, "mAP of held-out things"))
        return run.finish(history, "manifold")


def _held_out(gallery: Gallery, ids: Ids, options: argparse.Namespace) -> Ids:
    """The thing that each photo to judge by shows, int64 (n,); -1 of those to learn from."""
    groups = gallery.groups(verbose=not options.quiet)
    count = round(options.held_out * len(groups))
    if not count:
        raise KinfoldError(
            f"{options.photos}: geometry finds {len(groups)} things that several photos show: too few to judge by"
        )
    labels = np.full(len(ids), -1, np.int64)
    for number in np.random.default_rng(options.seed).permutation(len(groups))[:count]:
        labels[np.isin(ids, [photo.id for photo in groups[number].photos])] = number
    return labels
