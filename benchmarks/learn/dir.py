"""Deep image retrieval: what cleaning, boxes and proposals are worth, on rendered scenes and on real photos.

    python -m benchmarks.learn.dir rendered [--seeds 0 1 2] [--sheet docs/pictures/regions.jpg]
    python -m benchmarks.learn.dir photos [--seeds 0 1 2] [--epochs 6]
    python -m benchmarks.learn.dir triplets [--seeds 0 1 2] [--triplets 60] [--rate 1e-5] [--optimiser adam]

rendered: scenes of kinfold.datasets, whose boxes are known; photos of other scenes are put into every class. Cleaning:
share of what is kept that is right, and of what is right that is kept. Boxes: overlap with the truth before and after
they are brought to agree. Proposals are learnt from these boxes on two thirds of the scenes; on the rest the share of
true boxes that some region overlaps by half or more: of the rigid grid, of proposals that have learnt nothing, and of
learnt ones.

photos: `../shared/data/photos` in halves by object; cleaned and learnt from in one, searched in the other. The network
stays as it is. mAP at 320 pixels, one scale, of sums of regions: of the grid and of proposals, raw and whitened by the
PCA of regions of the half that is learnt from. Nothing is chosen by what is reported.

triplets: the same halves; maps and whitening are learnt from hard triplets of the photos that cleaning keeps, on whole
photos and the grid. mAP on the other half before and after the last epoch, by the layer that is learnt and by a
whitening that is learnt anew from the same photos.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import kinfold as kf
from benchmarks.learn.halves import SHARED, halves
from kinfold.datasets.synthetic import render_collection
from kinfold.evaluate.average_precision import average_precision
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.pool.roi import roi_max_pool
from kinfold.features.proposals.boxes import iou
from kinfold.features.weights import network, read_weights
from kinfold.images.decode import decode
from kinfold.landmarks.cleaning import STATES, clean_classes
from kinfold.landmarks.objects import objects
from kinfold.learn.proposals import maps_of, train_proposals, with_proposals
from kinfold.learn.regions import finetune_regions, whitened_regions
from kinfold.learn.validation import describe_pooled
from kinfold.local.match_graph import MatchGraph
from kinfold.local.sift import SIFT

SIDE = 320
ORANGE, GREEN, BLUE = (240, 140, 30), (40, 200, 60), (60, 120, 255)
COUNTS = (16, 32, 64, 128, 256)


def matched(photos: Sequence[Any], pairs: Any) -> MatchGraph:
    """What geometry says of pairs of photos."""
    sift = SIFT(max_features=1500, contrast_threshold=0.01, max_side=640)
    features = [sift.extract(photo) for photo in photos]
    sizes = np.array([photo.shape[1::-1] for photo in photos], np.float64)
    graph = MatchGraph(np.arange(len(photos)), sizes)
    return graph.extended(pairs, features.__getitem__, sizes, verbose=False)


def within(labels: Any) -> np.ndarray:
    """All pairs of photos of one class."""
    a, b = np.triu_indices(len(labels), 1)
    same = np.asarray(labels)[a] == np.asarray(labels)[b]
    return np.column_stack([a, b])[same]


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()


def learnt(
    net: Any, pool: LearntRMAC, photos: list[Any], boxes: np.ndarray, epochs: int, seed: int
) -> LearntRMAC:
    """The same with proposals, learnt from boxes in pixels."""
    proposing = with_proposals(pool, seed=seed, keep=max(COUNTS))
    sides = np.array([photo.shape[1::-1] * 2 for photo in photos], float)
    assert proposing.proposals is not None
    train_proposals(
        net, proposing.proposals, photos, boxes / sides, epochs=epochs, max_side=SIDE, seed=seed,
        verbose=False,
    )  # fmt: skip
    return proposing


def rendered(seed: int, epochs: int, sheet: str | None = None) -> dict[str, Any]:
    scenes, views, wrong = 12, 8, 2
    with tempfile.TemporaryDirectory() as folder:
        truth = render_collection(
            folder, scenes=scenes, views=1, queries_per_scene=views, distractors=0, size=(SIDE, 240),
            seed=seed, verbose=False,
        )  # fmt: skip
        photos = [decode(Path(folder) / "jpg" / f"{name}.jpg").pixels for name in truth["qimlist"]]
        others = [decode(Path(folder) / "jpg" / f"{name}.jpg").pixels for name in truth["imlist"]]
    boxes = np.array([entry["bbx"] or [np.nan] * 4 for entry in truth["gnd"]])
    labels = np.repeat(np.arange(scenes), views)
    # The one photo of each other kind of view that scenes have goes, twice each, into another scene's class.
    random = np.random.default_rng([seed, 9])
    planted = np.concatenate(
        [(np.arange(scenes) + 1 + random.integers(scenes - 1)) % scenes for _ in range(wrong)]
    )
    everything = photos + [others[i] for i in range(scenes)] * wrong
    classes = np.concatenate([labels, planted])
    right = np.arange(len(everything)) < len(photos)
    copies = np.arange(len(everything))
    for i in range(scenes, scenes * wrong):
        copies[len(photos) + i] = len(photos) + i % scenes
    graph = matched(everything, within(classes))
    cleaning, found = objects(graph, classes, copies=copies)
    start = objects(graph, classes, copies=copies, rounds=0)[1]
    kept = np.zeros(len(everything), bool)
    kept[cleaning.kept] = True
    told = np.flatnonzero(kept[: len(photos)] & np.isfinite(boxes).all(1))
    result: dict[str, Any] = {
        "kept": int(kept.sum()), "precision": float(right[kept].mean()), "recall": float(kept[right].mean()),
        "boxes before": float(overlaps(start[told], boxes[told]).mean()),
        "boxes after": float(overlaps(found[told], boxes[told]).mean()),
        "boxes before >= .5": float((overlaps(start[told], boxes[told]) >= 0.5).mean()),
        "boxes after >= .5": float((overlaps(found[told], boxes[told]) >= 0.5).mean()),
    }  # fmt: skip
    net = network(read_weights(SHARED / "weights" / "squeezenet1_1.safetensors"))
    pool = LearntRMAC(512, 1)
    order = np.random.default_rng([seed, 8]).permutation(scenes)
    apart = np.isin(labels, order[: scenes // 3])
    chosen = np.flatnonzero(kept & ~np.isin(classes, order[: scenes // 3]))
    proposing = learnt(net, pool, [everything[i] for i in chosen], found[chosen], epochs, seed)
    asked = np.flatnonzero(apart & np.isfinite(boxes).all(1))
    seen = maps_of(net, layer=None, max_side=SIDE)
    if sheet:
        label = int(classes[chosen[0]])
        some = np.flatnonzero(classes == label)
        drawn = [
            outlined(
                everything[row],
                [(start[row], ORANGE), (found[row], GREEN)],
                STATES[cleaning.states[row]],
            )
            for row in some
        ]
        for row in asked[:: max(len(asked) // 10, 1)][:10]:
            maps = seen(photos[row], False)
            cells = np.array([SIDE / maps.shape[3], 240 / maps.shape[2]] * 2)
            three = proposing.boxes(maps)[0][0, :3].numpy() * cells
            drawn.append(
                outlined(photos[row], [(boxes[row], GREEN), *((box, BLUE) for box in three)], "")
            )
        tiled(sheet, drawn)
    best: dict[str, list[float]] = {}
    for row in asked:
        maps = seen(photos[row], False)
        height, width = maps.shape[-2:]
        wanted = torch.from_numpy(
            boxes[row] / [SIDE, 240, SIDE, 240] * [width, height, width, height]
        )
        grid = pool.boxes(maps)[0][0]
        best.setdefault("grid", []).append(float(iou(grid, wanted).max()))
        for name, one in (
            ("untrained", with_proposals(pool, seed=seed, keep=max(COUNTS))),
            ("learnt", proposing),
        ):
            regions, there = one.boxes(maps)
            values = iou(regions[0], wanted) * there[0]
            for count in (len(grid), *COUNTS):
                best.setdefault(f"{name} {count}", []).append(float(values[:count].max()))
    for name, values in best.items():
        result[f"regions {name}"] = [
            float(np.mean(np.array(values) >= 0.5)),
            float(np.mean(values)),
        ]
    return result


def outlined(photo: Any, boxes: list[Any], words: str) -> Any:
    """A photo with boxes, and words on it."""
    drawn = np.ascontiguousarray(photo)
    for box, colour in boxes:
        if np.isfinite(box).all():
            x0, y0, x1, y1 = (round(float(v)) for v in box)
            cv2.rectangle(drawn, (x0, y0), (x1, y1), colour, 3)
    cv2.putText(drawn, words, (6, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 0, 0), 5, cv2.LINE_AA)
    cv2.putText(
        drawn, words, (6, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA
    )
    return drawn


def tiled(path: str, photos: list[Any]) -> None:
    """Photos five in a row, at half their size."""
    small = [cv2.resize(photo, (200, 150), interpolation=cv2.INTER_AREA) for photo in photos]
    small += [np.full_like(small[0], 255)] * (-len(small) % 5)
    rows = [np.hstack(small[i : i + 5]) for i in range(0, len(small), 5)]
    cv2.imwrite(path, np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])


class Regions:
    """Regions of photos, kept: maps are computed once a photo."""

    def __init__(self, net: Any) -> None:
        self.seen = maps_of(net, layer=None, max_side=SIDE)
        self.kept: dict[bytes, torch.Tensor] = {}

    def maps(self, photo: Any) -> torch.Tensor:
        key = hashlib.blake2b(photo.tobytes() + str(photo.shape).encode()).digest()
        if key not in self.kept:
            self.kept[key] = self.seen(photo, False).half()
        return self.kept[key].float()

    def of(self, pool: LearntRMAC, photo: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Regions at length one (r, k), and whitened ones."""
        maps = self.maps(photo)
        boxes, there = pool.boxes(maps)
        raw = torch.nn.functional.normalize(roi_max_pool(maps, boxes)[0], dim=-1)
        white = torch.nn.functional.normalize(pool.layer(raw), dim=-1)
        return raw * there[0, :, None], white * there[0, :, None]


def photos(seed: int, epochs: int, regions: Regions, net: Any) -> dict[str, Any]:
    half = halves(seed)[0]
    sizes = np.bincount(half.labels)
    rows = np.flatnonzero(sizes[half.labels] > 1)
    things = [half.photos[i] for i in rows]
    labels = half.labels[rows]
    began = time.perf_counter()
    graph = matched(things, within(labels))
    cleaning, boxes = objects(graph, labels)
    result: dict[str, Any] = {
        "photos": len(things), "kept": len(cleaning.kept), "classes": len(set(labels)),
        "dropped": len(cleaning.dropped), "seconds of matching": round(time.perf_counter() - began),
    }  # fmt: skip
    result["cleaning of planted"] = planted(things, labels, seed)
    with torch.no_grad():
        pool = whitened_regions(net, half.photos, max_side=SIDE, most=200, seed=seed)
    began = time.perf_counter()
    kept = cleaning.kept
    proposing = learnt(net, pool, [things[i] for i in kept], boxes[kept], epochs, seed)
    result["seconds of learning"] = round(time.perf_counter() - began)
    scores: dict[str, float] = {}
    for name, one in (
        ("grid", pool),
        ("untrained", with_proposals(pool, seed=seed, keep=max(COUNTS))),
        ("proposals", proposing),
    ):
        with torch.no_grad():
            base = [regions.of(one, photo) for photo in half.database]
            asked = [regions.of(one, photo) for photo in half.queries]
        counts = (1000,) if name == "grid" else COUNTS  # all, or the best
        for count in counts:
            for which, what in enumerate(("raw", "whitened")):
                vectors = [
                    torch.nn.functional.normalize(
                        torch.stack([parts[which][:count].sum(0) for parts in some]), dim=-1
                    ).numpy()
                    for some in (base, asked)
                ]  # fmt: skip
                order = np.argsort(-(vectors[1] @ vectors[0].T), axis=1, kind="stable")
                values = [average_precision(o, k, j) for o, k, j in zip(order, half.ok, half.junk)]
                label = name if name == "grid" else f"{name} {count}"
                scores[f"{label}, {what}"] = float(np.mean(values))
    result["mAP"] = scores
    return result


def triplets(seed: int, options: argparse.Namespace) -> dict[str, Any]:
    half = halves(seed)[0]
    sizes = np.bincount(half.labels)
    rows = np.flatnonzero(sizes[half.labels] > 1)
    things, labels = [half.photos[i] for i in rows], half.labels[rows]
    cleaning, _ = objects(matched(things, within(labels)), labels)
    kept = cleaning.kept
    net = network(read_weights(SHARED / "weights" / "squeezenet1_1.safetensors"))

    def whitening() -> LearntRMAC:
        with torch.no_grad():
            return whitened_regions(net, half.photos, max_side=SIDE, most=200, seed=seed)

    def score(pool: LearntRMAC) -> float:
        return half.mean_ap(
            lambda photos: describe_pooled(photos, pooling=pool, max_side=SIDE)(net)
        )

    pool = whitening()
    before, began = score(pool), time.process_time()
    finetune_regions(
        net, pool, [things[i] for i in kept], labels[kept], triplets=options.triplets, epochs=options.epochs,
        rate=options.rate, optimiser=options.optimiser, max_side=SIDE, seed=seed, verbose=False,
    )  # fmt: skip
    seconds = time.process_time() - began
    after, anew = score(pool), score(whitening())
    return {
        "kept": len(kept), "before": before, "after": after, "whitened anew": anew,
        "gain": after - before, "gain whitened anew": anew - before, "processor seconds of learning": round(seconds),
    }  # fmt: skip


def planted(things: list[Any], labels: np.ndarray, seed: int) -> dict[str, float]:
    """Cleaning where every class of four photos or more has two more, of other classes."""
    random = np.random.default_rng([seed, 7])
    large = [c for c in np.unique(labels) if (labels == c).sum() >= 4]
    rows, classes, right = list(range(len(labels))), labels.tolist(), [True] * len(labels)
    for c in large:
        for row in random.choice(np.flatnonzero(labels != c), 2, replace=False):
            rows.append(int(row))
            classes.append(int(c))
            right.append(False)
    keep = np.isin(classes, large)
    chosen = [things[row] for row, k in zip(rows, keep) if k]
    of, truth = np.array(classes)[keep], np.array(right)[keep]
    graph = matched(chosen, within(of))
    found = graph.confirmed()
    cleaning = clean_classes(of, graph.tried[found], graph.inliers[found])
    kept = np.isin(np.arange(len(of)), cleaning.kept)
    return {
        "planted": int((~truth).sum()), "of these kept": int((kept & ~truth).sum()),
        "precision": float(truth[kept].mean()), "recall": float(kept[truth].mean()),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("rendered", "photos", "triplets"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--triplets", type=int, default=60)
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--optimiser", default="adam")
    parser.add_argument(
        "--sheet", metavar="FILE", help="of rendered: a class with its boxes, proposals of others"
    )
    options = parser.parse_args()
    options.epochs = options.epochs or (2 if options.what == "triplets" else 6)
    torch.set_num_threads(1)
    kf.set_threads(1)
    net = network(read_weights(SHARED / "weights" / "squeezenet1_1.safetensors"))
    regions = Regions(net)
    results = []
    for seed in options.seeds:
        began = time.perf_counter()
        if options.what == "rendered":
            sheet = options.sheet if seed == options.seeds[0] else None
            results.append(rendered(seed, options.epochs, sheet))
        elif options.what == "triplets":
            results.append(triplets(seed, options))
        else:
            results.append(photos(seed, options.epochs, regions, net))
        seconds = round(time.perf_counter() - began)
        print(json.dumps({"seed": seed, "seconds": seconds, **results[-1]}), flush=True)
    flat = [flattened(result) for result in results]
    for name in flat[0]:
        values = np.array([one[name] for one in flat])
        spread = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
        print(f"{name}: {values.mean():.3f}{spread}")


def flattened(result: dict[str, Any]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in result.items():
        if isinstance(value, dict):
            flat |= {f"{name}: {key}": v for key, v in value.items()}
        elif isinstance(value, list):
            flat |= {f"{name} recall": value[0], f"{name} overlap": value[1]}
        else:
            flat[name] = value
    return flat


if __name__ == "__main__":
    main()
