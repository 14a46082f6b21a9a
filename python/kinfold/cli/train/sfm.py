"""Learn descriptors from photos without labels: geometry says which show the same thing, and what only looks alike.

PHOTOS is a folder, or a gallery. Photos that retrieval proposes are compared by their local features; what verified
matches join is a cluster, and clusters stand for classes. A part of them is not learnt from: the epoch is kept at which
photos of these find one another best. The whitening of what was learnt is written beside the weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinfold.base.arrays import Ids
from kinfold.base.errors import GalleryError, KinfoldError
from kinfold.base.extras import require
from kinfold.base.progress import progress
from kinfold.base.text import shown
from kinfold.cli.options import add_counts, share
from kinfold.cli.output import check_writable
from kinfold.cli.train.collection import add_collection, collection
from kinfold.cli.train.shared import Training, add_training, before_and_after, training

if TYPE_CHECKING:
    from kinfold.learn.covisible import CoVisible
    from kinfold.local.match_graph import MatchGraph

SUMMARY = "descriptors, from photos without labels, by what geometry says of them"
# Clusters that are held out at least; photos of no cluster among which theirs are sought.
_LEAST_HELD, _MOST_BESIDE = 3, 2000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train sfm``."""
    add_collection(parser)
    parser.add_argument(
        "--points", choices=("matches", "reconstruction"), default="matches",
        help="what photos have in common: verified matches, or points in three dimensions made of these, "
        "by pycolmap (default: matches)",
    )  # fmt: skip
    parser.add_argument(
        "--clusters", metavar="FILE",
        help="clusters and matching pairs are those of this file instead, such as retrieval-SfM-30k.pkl; PHOTOS is the "
        "folder of its photos",
    )  # fmt: skip
    parser.add_argument(
        "--positives", choices=("nearest", "most", "random"), default="random",
        help="of each query: the nearest descriptor, the most points in common, or a random one with a fifth of "
        "the query's points (default: random)",
    )  # fmt: skip
    parser.add_argument(
        "--negatives", choices=("hardest", "nearest", "one-per-cluster"), default="one-per-cluster",
        help="of each query: the nearest photo of another cluster, the nearest, or the nearest of each of the "
        "nearest clusters (default: one-per-cluster)",
    )  # fmt: skip
    parser.add_argument(
        "--singles", action="store_true", help="photos of no cluster are negatives too"
    )
    add_counts(
        parser,
        ("--k", 5, "negatives of each query"),
        ("--queries", 2000, "of an epoch, at most"),
        ("--pool", 20000, "photos among which negatives are sought"),
        ("--least-inliers", 12, "correspondences that two photos of the same thing have at least"),
        ("--side", 362, "photos are reduced to this longer side"),
    )
    parser.add_argument(
        "--margin", type=float, default=0.85, metavar="M",
        help="distance up to which negatives are repelled (default: 0.85)",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", type=share, default=0.2, metavar="SHARE",
        help="of the clusters that are not learnt but judged by, to keep the best epoch (default: 0.2)",
    )  # fmt: skip
    add_training(parser, epochs=5, batch=5, rate=1e-5)


def run(options: argparse.Namespace) -> int:
    """Find clusters, learn, tell what came out."""
    from kinfold.features.weights import network, read_weights
    from kinfold.learn.sfm import finetune_sfm
    from kinfold.learn.validation import describe_pooled, retrieval_score

    if options.points == "reconstruction":
        require("pycolmap")
    if Path(options.output).suffix == ".kin":
        raise ValueError(
            f"output: expected a name of weights such as net.safetensors, got {options.output}: a .kin of that name is "
            "written beside them"
        )
    check_writable(Path(options.output).with_suffix(".kin"))
    with training(options) as run:
        if options.clusters is None:
            files, seen, start = _matched(run)
        else:
            files, seen, start = _listed(run)
        learnt, judged = _split(seen.clusters, options.held_out, options.seed)
        weights = read_weights(start)
        net = network(weights, options.architecture).to(options.device)
        score = None
        if len(judged):
            held = [files[row] for row in judged]
            labels = seen.clusters[judged]
            # Photos of no cluster are of classes of their own.
            alone = np.where(labels < 0, len(seen) + np.arange(len(labels)), labels)
            score = retrieval_score(describe_pooled(held, max_side=options.side), alone)
        history = finetune_sfm(
            net, [files[row] for row in learnt], seen.of(learnt), validate=score,
            architecture=weights.metadata.get("architecture", options.architecture),
            positives=options.positives, negatives=options.negatives, singles=options.singles,
            k=options.k, queries=options.queries, pool=options.pool, margin=options.margin,
            max_side=options.side, batch=options.batch, **run.loop(),
        )  # fmt: skip
        if score is not None:
            run.measured.update(before_and_after(history, "mAP of held-out clusters"))
        code = run.finish(history, "sfm")
        if code == 0:
            _whiten(run, files, seen)
        return code


def _matched(run: Training) -> tuple[list[Path], CoVisible, Path]:
    """Photos of a folder or gallery, what they have in common, and the weights to begin with."""
    with collection(run) as (gallery, start):
        graph = gallery.matches(verbose=not run.options.quiet)
        files = [gallery.root / gallery.photo(int(id)).path for id in graph.ids]
    for file in files:
        if not file.is_file():
            raise GalleryError(f"{file}: is missing; kinfold index brings the gallery up to date")
    return files, _seen(graph, run), start


def _listed(run: Training) -> tuple[list[Path], CoVisible, Path]:
    """The same by a file of clusters: matching photos have all in common that is known of them."""
    from kinfold.io.foreign.clusters_pickle import read
    from kinfold.learn.covisible import CoVisible

    folder, (names, clusters, queries, positives) = (
        Path(run.options.photos),
        read(run.options.clusters),
    )
    pairs = np.unique(np.sort(np.column_stack([queries, positives]), axis=1), axis=0)
    ones = np.ones(len(pairs), np.int64)
    seen = CoVisible(clusters, pairs, ones, np.ones(len(names), np.int64), ones)
    run.measured["clusters"] = len(np.unique(clusters))
    run.remark(f"{len(names)} photos in {run.measured['clusters']} clusters, {len(pairs)} pairs")
    return [_file(folder, name) for name in names], seen, Path(run.options.weights)


def _file(folder: Path, name: str) -> Path:
    """A photo by its name, with or without its ending, or in the folders of its last letters."""
    inner = Path(name[-2:], name[-4:-2], name[-6:-4], name)
    for path in (Path(name), Path(f"{name}.jpg"), inner):
        if (folder / path).is_file():
            return folder / path
    raise FileNotFoundError(f"{folder / name}: there is no such photo")


def _seen(graph: MatchGraph, run: Training) -> CoVisible:
    """What the photos have in common, told on the screen."""
    from kinfold.landmarks.covisible import covisible
    from kinfold.landmarks.reconstruction import covisible_points, reconstruct

    options = run.options
    seen = covisible(graph, least_inliers=options.least_inliers)
    numbers = np.unique(seen.clusters[seen.clusters >= 0])
    if not len(numbers):
        raise KinfoldError(
            f"photos: no two of {len(seen)} show the same thing by {options.least_inliers} verified matches: "
            "there is nothing to learn from"
        )
    run.remark(
        f"{len(seen)} photos, {len(graph.tried)} pairs compared, {len(seen.pairs)} confirmed: "
        f"{(seen.clusters >= 0).sum()} photos in {len(numbers)} clusters"
    )
    if options.points == "reconstruction":
        models = []
        for number in progress(numbers, "reconstruct", verbose=not options.quiet):
            models += reconstruct(
                graph, np.flatnonzero(seen.clusters == number),
                least_inliers=options.least_inliers, seed=options.seed,
            )  # fmt: skip
        seen = covisible_points(seen, models, graph.sizes)
        run.remark(
            f"{len(models)} models of {sum(len(model.points) for model in models)} points, "
            f"{sum(len(model.photos) for model in models)} cameras"
        )
    run.measured["clusters"] = len(numbers)
    return seen


def _split(clusters: Ids, held_out: float, seed: int) -> tuple[Ids, Ids]:
    """Photos to learn from, and to judge by: those of some clusters, with others of none beside them.

    None of the latter where too few clusters would be left, or held out.
    """
    random = np.random.default_rng([seed, 4])
    numbers = random.permutation(np.unique(clusters[clusters >= 0]))
    held = numbers[: round(held_out * len(numbers))]
    if len(held) < _LEAST_HELD or len(numbers) - len(held) < 2:
        return np.arange(len(clusters)), np.empty(0, np.int64)
    theirs = np.isin(clusters, held)
    beside = random.permutation(np.flatnonzero(clusters < 0))[:_MOST_BESIDE]
    judged = np.sort(np.concatenate([np.flatnonzero(theirs), beside]))
    return np.flatnonzero(~theirs), judged


def _whiten(run: Training, files: list[Path], seen: CoVisible) -> None:
    """Write what describes photos by the new weights and the whitening of matching pairs."""
    from kinfold.features.extract import Extractor
    from kinfold.io.kin import save
    from kinfold.learn.sfm import whitening_of

    options = run.options
    extractor: Any = Extractor(
        run.output, device=options.device, scales=(1.0,), max_side=options.side
    )
    rows = np.unique(seen.pairs)
    vectors = extractor.describe_all([files[row] for row in rows], verbose=not options.quiet)
    whitening = whitening_of(vectors, seen.of(rows), shrinkage=0.1)
    path = run.output.with_suffix(".kin")
    save(extractor.whitened(whitening), path)
    run.remark(
        f"{shown(str(path))}: kinfold.load gives the network with the whitening of {len(seen.pairs)} pairs"
    )
