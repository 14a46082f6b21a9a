"""Deep image retrieval: descriptors of regions, learnt from folders of photos as people collected them.

PHOTOS holds a folder for each class, or is a gallery of such, with wrong photos among them: of each class the largest
set of photos that geometry connects is kept, and from what matches the box of the object is found in each. Maps and
whitening are then learnt from hard triplets, on whole photos and a rigid grid of regions; after that, the network as it
is, proposals from the boxes.

Beside the weights OUT, OUT.training keeps the photos' features and matches, cleaning.html and proposals.html to look
at, and checkpoints of both stages: each goes on from where it was.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids
from kinfold.base.errors import KinfoldError
from kinfold.base.text import shown
from kinfold.cli.options import add_counts, share
from kinfold.cli.train.collection import add_collection, collection
from kinfold.cli.train.shared import Training, add_training, training

if TYPE_CHECKING:
    from kinfold.landmarks.cleaning import Cleaning
    from kinfold.report.pictures import Box, Picture

SUMMARY = "descriptors of regions, from folders of classes that are cleaned first"
# What tells that a training has begun, in the order of the stages.
_KEEPS = ("photos.kin", "network/last.safetensors", "proposals/last.safetensors")
# Of larger classes each photo is matched with this many others, drawn by the seed.
_EACH = 60
# Photos, and proposals of each, on the page.
_SHOWN, _DRAWN = 60, 3
# The longer side of photos on pages.
_PIXELS = 320


class _Objects(NamedTuple):
    """Photos of classes, what became of them, where the object is, in shares of their sides, sizes, digests."""

    files: list[Path]
    labels: Ids
    names: list[str]
    cleaning: Cleaning
    boxes: NDArray[np.float64]
    sizes: NDArray[np.float64]
    digests: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train dir``."""
    add_collection(parser)
    parser.add_argument(
        "--held-out", type=share, default=0.2, metavar="SHARE",
        help="of the classes that are not learnt but judged by (default: 0.2)",
    )  # fmt: skip
    add_counts(
        parser,
        ("--least-inliers", 12, "features that two photos of a class must agree on to be joined"),
        ("--regions", 64, "proposals of a photo, 16 to 256 in the paper"),
        ("--triplets", 200, "queries of an epoch"),
        ("--negatives", 3, "of each, of different classes"),
        ("--proposal-epochs", 10, "times that the proposals see everything"),
        ("--side", 448, "photos are reduced to this longer side"),
    )
    parser.add_argument(
        "--margin", type=float, default=0.1, metavar="M",
        help="by which the squared distance to a negative should be the larger (default: 0.1)",
    )  # fmt: skip
    parser.add_argument(
        "--frozen", action="store_true",
        help="leave the network as it is: whitening and proposals alone, which take minutes",
    )  # fmt: skip
    add_training(parser, epochs=5, batch=16, rate=1e-3)


def run(options: argparse.Namespace) -> int:
    """Clean, find boxes, learn in two stages, tell how well photos of classes apart find one another."""
    from kinfold.features.weights import network, read_weights

    with training(options, keeps=_KEEPS) as run:
        weights = read_weights(options.weights)
        net = network(weights, options.architecture).to(options.device)
        found = _objects(run)
        learnt, judged = _split(run, found)
        _check_unchanged(run, found, learnt)
        name = weights.metadata.get("architecture", options.architecture)
        return _learn(run, net, name, found, learnt, judged)


def _objects(run: Training) -> _Objects:
    """Photos matched within classes, cleaned, their boxes; and the page of it."""
    from kinfold.landmarks.objects import objects

    options = run.options
    # Local features are what is needed: the cheapest engine that has them.
    with collection(run, engine="tembedding") as (gallery, _):
        graph = gallery.matches(np.empty((0, 2), np.int64), verbose=False)
        photos = [gallery.photo(id) for id in graph.ids.tolist()]
        parts = [photo.path.partition("/") for photo in photos]
        for name, _, rest in parts:
            if not rest:
                run.remark(f"skipped {shown(name)}: is in no folder of a class")
        inside = [name if rest else "" for name, _, rest in parts]
        names, labels = np.unique(np.array(inside, np.str_), return_inverse=True)
        named = names != ""
        if named.sum() < 2:
            raise ValueError(
                f"{options.photos}: expected a folder for each class, two at least, with photos, got {named.sum()}"
            )
        digests = {
            digest: row for row, digest in reversed(list(enumerate(p.digest for p in photos)))
        }
        copies = np.array([digests[photo.digest] for photo in photos])
        pairs = _pairs(labels, named[labels], copies, options.seed)
        graph = gallery.matches(graph.ids[pairs], verbose=not options.quiet)
        least = options.least_inliers
        cleaning, boxes = objects(graph, labels, least_inliers=least, copies=copies)
        files = [gallery.root / photo.path for photo in photos]
    found = _Objects(
        files, labels, names.tolist(), cleaning, boxes / np.hstack([graph.sizes] * 2), graph.sizes,
        [str(photo.digest) for photo in photos],
    )  # fmt: skip
    run.folder.mkdir(parents=True, exist_ok=True)
    run.measured["photos"] = int(named[labels].sum())
    run.measured["photos kept"] = len(cleaning.kept)
    run.measured["classes dropped, of which no two photos match"] = int(
        named[cleaning.dropped].sum()
    )
    _cleaning_page(run, found)
    return found


def _pairs(labels: Ids, named: NDArray[np.bool_], copies: Ids, seed: int) -> Ids:
    """Pairs of positions to look at: all of a class, of large ones each photo with some others; copies left out."""
    random = np.random.default_rng([seed, 4])
    own = (copies == np.arange(len(labels))) | (labels[copies] != labels)
    found = [np.empty((0, 2), np.int64)]
    for label in np.unique(labels[named]):
        rows = np.flatnonzero((labels == label) & own)
        pairs = np.column_stack(np.triu_indices(len(rows), 1))
        if len(rows) > _EACH + 1:
            # So many that a set that hangs together by most of its pairs still does.
            ends = np.arange(len(rows))
            others = np.stack(
                [random.choice(len(rows) - 1, _EACH // 2, replace=False) for _ in ends]
            )
            others += others >= ends[:, None]
            pairs = np.column_stack([np.repeat(ends, _EACH // 2), others.ravel()])
        found.append(rows[pairs])
    return np.concatenate(found)


def _split(run: Training, found: _Objects) -> tuple[Ids, Ids]:
    """Rows to learn from and to judge by, of other classes."""
    from kinfold.learn.classes import Classes

    kept = found.cleaning.kept
    classes, labels = np.unique(found.labels[kept], return_inverse=True)
    page = shown(str(run.folder / "cleaning.html"))
    if len(classes) < 2:
        raise ValueError(
            f"{run.options.photos}: {len(classes)} class{'' if len(classes) == 1 else 'es'} left of which photos "
            f"match, two are needed: {page} shows what was left out and why; --least-inliers asks for less"
        )
    names = [found.names[c] for c in classes]
    part = run.options.held_out if len(classes) > 2 else 0.0
    photos = [found.files[row] for row in kept]
    learnt, judged = Classes(photos, labels, names).split(part, seed=run.options.seed)
    run.remark(
        f"{len(kept)} photos of {len(classes)} classes kept, see {page}; {len(learnt)} to learn from, {len(judged)} of "
        f"{len(set(labels[judged]))} other classes to judge by"
    )
    return kept[learnt], kept[judged]


def _check_unchanged(run: Training, found: _Objects, learnt: Ids) -> None:
    """KinfoldError where a training that goes on would be of other photos than it began with: its rows are theirs."""
    from kinfold.images.digest import content_digest
    from kinfold.io.atomic import write_bytes

    sums = hashlib.blake2b(content_digest(run.options.weights).encode())
    for row in learnt.tolist():
        sums.update(
            f"{found.files[row].name}\0{found.labels[row]}\0{found.digests[row]}\0".encode()
        )
    told, kept = sums.hexdigest().encode(), run.folder / "learnt.txt"
    begun = any((run.folder / name).exists() for name in _KEEPS[1:])
    if begun and (not kept.is_file() or kept.read_bytes() != told):
        raise KinfoldError(
            f"{run.folder}: was begun with other photos, weights or --least-inliers: choose another output, or delete "
            "'network' and 'proposals' in that folder"
        )
    write_bytes(kept, told)


def _learn(
    run: Training, net: Any, architecture: str | None, found: _Objects, learnt: Ids, judged: Ids
) -> int:
    """Both stages, then the weights: with proposals, unless the grid finds the classes apart better."""
    from kinfold.learn.checkpoint import save_weights
    from kinfold.learn.descriptor import Descriptor
    from kinfold.learn.proposals import overlap_score, train_proposals, with_proposals
    from kinfold.learn.regions import finetune_regions, whitened_regions
    from kinfold.learn.validation import describe_pooled, retrieval_score

    options, files = run.options, found.files
    some, apart = [files[row] for row in learnt], [files[row] for row in judged]
    side, loop = options.side, run.loop()

    def score(pool: Any) -> Any:
        return retrieval_score(
            describe_pooled(apart, pooling=pool, max_side=side), found.labels[judged]
        )

    grid = whitened_regions(net, some, max_side=side, seed=options.seed)
    history = None
    if not options.frozen:
        history = finetune_regions(
            net, grid, some, found.labels[learnt], margin=options.margin, negatives=options.negatives,
            triplets=options.triplets, max_side=side, batch=options.batch, architecture=architecture,
            validate=score(grid) if len(judged) else None, **loop | {"folder": run.folder / "network"},
        )  # fmt: skip
        run.measured["mAP of held-out classes at the start"] = history.before
    pool = with_proposals(grid, seed=options.seed, keep=options.regions)
    assert pool.proposals is not None
    covers = overlap_score(net, apart, found.boxes[judged], max_side=side) if len(judged) else None
    second = train_proposals(
        net, pool.proposals, some, found.boxes[learnt], max_side=side, validate=covers,
        epochs=options.proposal_epochs, seed=options.seed, resume=options.resume, verbose=not options.quiet,
        folder=run.folder / "proposals",
    )  # fmt: skip
    best = grid, pool
    if len(judged):
        scores = [float(score(one)(net)) for one in best]
        for one, value in zip(("grid", "proposals"), scores):
            run.measured[f"mAP of held-out classes, {one}"] = value
        after = second.before if second.best < 0 else second.epochs[second.best].score
        run.measured["overlap of boxes with proposals at the start"] = second.before
        run.measured["overlap of boxes with proposals"] = after
        chosen = best[int(scores[1] >= scores[0])]
    else:
        chosen = pool
    run.measured["regions"] = "grid" if chosen is grid else "proposals"
    _proposals_page(run, net, pool, found, judged if len(judged) else learnt)
    save_weights(run.output, Descriptor(net, pooling=chosen), architecture)
    use = f"kinfold index PHOTOS --weights {quote(shown(str(run.output)))} --pooling learnt-rmac"
    run.tell(second if history is None else history, "dir", wrote="weights", use=use)
    return 0


def _cleaning_page(run: Training, found: _Objects) -> None:
    from kinfold.landmarks.cleaning import STATES
    from kinfold.report.cleaning import Cleaned, write_cleaning

    cleaning = found.cleaning
    classes: dict[str, list[Cleaned]] = {name: [] for name in found.names if name}
    for row, label in enumerate(found.labels.tolist()):
        if found.names[label]:
            state, matched = STATES[cleaning.states[row]], int(cleaning.matched[row])
            classes[found.names[label]].append(
                Cleaned(_picture(found, row), state, matched, _box(found, row))
            )
    facts = {
        "Photos": str(sum(map(len, classes.values()))), "Kept": str(len(cleaning.kept)),
        "Classes": str(len(classes)), "Least inliers": str(run.options.least_inliers),
    }  # fmt: skip
    title = f"What is kept of {Path(run.options.photos).name}"
    write_cleaning(run.folder / "cleaning.html", title, classes, cleaning.histogram(), facts)


def _proposals_page(run: Training, net: Any, pool: Any, found: _Objects, rows: Ids) -> None:
    from kinfold.base.extras import require
    from kinfold.features.proposals.boxes import iou
    from kinfold.learn.proposals import maps_of
    from kinfold.report.proposals import Proposed, write_proposals

    torch = require("torch")
    seen = maps_of(net, layer=None, max_side=run.options.side)
    photos = []
    for row in rows[:_SHOWN].tolist():
        maps = seen(found.files[row], False)
        boxes, there = pool.boxes(maps)
        shares = boxes[0][there[0]].cpu() / torch.tensor([*maps.shape[:1:-1]] * 2)
        own = _box(found, row)
        overlap = None if own is None else float(iou(shares, torch.tensor(found.boxes[row])).max())
        frame = np.hstack([found.sizes[row]] * 2)
        drawn = [_four(box) for box in shares[:_DRAWN].double().numpy() * frame]
        photos.append(Proposed(_picture(found, row), drawn, own, overlap))
    facts = {"Proposals of a photo": str(pool.proposals.keep), "Drawn": str(_DRAWN)}
    write_proposals(run.folder / "proposals.html", "Where objects are thought to be", photos, facts)


def _picture(found: _Objects, row: int) -> Picture:
    from kinfold.images.decode import decode, thumbnail_jpeg
    from kinfold.report.pictures import Picture

    width, height = (int(side) for side in found.sizes[row])
    pixels = decode(found.files[row], max_side=_PIXELS).pixels
    return Picture(found.files[row].name, thumbnail_jpeg(pixels, _PIXELS), width, height)


def _box(found: _Objects, row: int) -> Box | None:
    """Where the object is, in pixels of the photo."""
    box = found.boxes[row] * np.hstack([found.sizes[row]] * 2)
    return _four(box) if np.isfinite(box).all() else None


def _four(box: NDArray[np.float64]) -> Box:
    x0, y0, x1, y1 = box.tolist()
    return x0, y0, x1, y1
