"""Are a gallery's confidences true, and does it say when a photo is not there? On real photos, against their labels.

    python -m benchmarks.gallery.confidence [GALLERY] [--distractors N] [--keep FILE] [--plot FILE]

GALLERY: of the 898 database photos, or some of them; made in the cache folder if not given. Its confidence was learnt
without labels when it was indexed. Each of the 82 queries is asked twice: as it is, and with all photos of its object
left out, so that nothing can be right. Judged are the first 20 photos, junk left out.

*ECE*: expected calibration error, ten bins of equal width; *by ranks*: ten bins of equally many. *share*: of the right
photos among the first 20, those that are said to show the same thing. *false*: queries of which nothing is there and
that are answered nevertheless. Splits: halves of the objects, ten cuts; the threshold is the lowest that answers no
query of the one half falsely, and judged on the other. N distractors are asked with, too, themselves left out; what is
found is named, since they are not labelled against each other.

The objects strecha_fountain and strecha_entry are parts of one wall that several photos of either show: these pairs do
not count.
"""

from __future__ import annotations

import argparse
import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.evaluate import GroundTruth
from kinfold.gallery import search
from kinfold.gallery.verdict import Verdict
from kinfold.report.content import Answer
from kinfold.rerank.stage import RankedList

PHOTOS = data.SHARED / "photos"
TOP, CUTS = 20, 10
THRESHOLDS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
# Both show one wall.
ALIKE = ("strecha_fountain", "strecha_entry")


def opened(path: str | None, files: list[str]) -> kf.Gallery:
    """The gallery that is given, or one of the database photos in the cache folder."""
    folder = Path(path) if path else data.CACHE / "database.kin"
    if path or folder.exists():
        return kf.Gallery.open(folder)
    gallery = kf.Gallery.create(folder)
    gallery.update(PHOTOS / "jpg", files=files)
    return gallery


def judged(
    gallery: kf.Gallery, query: Any, without: set[int], *, walk: bool
) -> list[tuple[int, float, bool]]:
    """The first hits of a query in a gallery that lacks some photos: id, confidence, whether geometry confirms it.

    walk : by the graph, too, which knows of all photos
    """
    ranked = gallery.rank(query, rerank=None).ranked
    for stage in ("spatial", "diffusion")[: 1 + walk]:
        ranked = gallery.rerank(query, Answer(ranked=lacking(ranked, without)), stage).ranked
    hits = search.hits(gallery._reader.snapshot, query, lacking(ranked, without), TOP)
    return [
        (hit.id, hit.confidence, hit.verified or hit.through is not None)
        for hit in hits
        if hit.verdict is not Verdict.SAME_FILE
    ]


def lacking(ranked: RankedList, without: set[int]) -> RankedList:
    """A ranking without some photos."""
    kept = ~np.isin(ranked.ids, list(without))
    known = ~np.isin(ranked.first_ids, list(without))
    return replace(
        ranked, ids=ranked.ids[kept], scores=ranked.scores[kept],
        first_ids=ranked.first_ids[known], first_scores=ranked.first_scores[known],
        verified={id: one for id, one in ranked.verified.items() if id not in without},
    )  # fmt: skip


def asked(gallery: kf.Gallery, truth: GroundTruth, objects: list[str]) -> list[dict[str, Any]]:
    """What comes of each query, with its object and without."""
    ids = gallery.ids_of(truth.imlist)
    found = []
    for name, known, thing in zip(truth.qimlist, truth.gnd, objects):
        right = {ids[i] for i in known["ok"]} - {None}
        junk = {ids[i] for i in known["junk"]} - {None}
        if thing in ALIKE:
            other = ALIKE[1 - ALIKE.index(thing)]
            junk |= {id for id, n in zip(ids, truth.imlist) if n.startswith(other)} - {None}
        query = gallery.describe(PHOTOS / "jpg" / f"{name}.jpg", box=known.get("bbx"))
        there = judged(gallery, query, junk, walk=True)
        found.append(
            {
                "thing": thing,
                "right": [id in right for id, _, _ in there],
                "there": [(c, g) for _, c, g in there],
                "gone": [(c, g) for _, c, g in judged(gallery, query, junk | right, walk=False)],
            }
        )
        print(".", end="", file=sys.stderr, flush=True)
    return found


def error(sure: Any, right: Any, ranks: bool = False) -> float:
    """Expected calibration error, over ten bins of equal width or of equally many."""
    order = np.argsort(sure, kind="stable")
    place = np.minimum((10 * sure).astype(int), 9)
    parts = np.array_split(order, 10) if ranks else [np.flatnonzero(place == b) for b in range(10)]
    gaps = [len(p) * abs(float(sure[p].mean() - right[p].mean())) for p in parts if len(p)]
    return sum(gaps) / len(sure)


def shown(pairs: Any, threshold: float) -> Any:
    """Which photos are said to show the same thing."""
    return np.array([sure >= threshold and confirmed for sure, confirmed in pairs], bool)


def share_and_false(found: list[dict[str, Any]], threshold: float) -> tuple[float, int]:
    """Of the right photos the share that is told, and the queries that are answered falsely."""
    told = sum(int((shown(f["there"], threshold) & np.array(f["right"])).sum()) for f in found)
    return told / sum(sum(f["right"]) for f in found), sum(
        bool(shown(f["gone"], threshold).any()) for f in found
    )


def splits(found: list[dict[str, Any]]) -> list[tuple[float, float, float]]:
    """Of each half: the threshold chosen on the other, the share and the false answers here."""
    things = sorted({f["thing"] for f in found})
    results = []
    for cut in range(CUTS):
        first = set(np.random.default_rng(cut).choice(things, len(things) // 2, replace=False))
        halves = [[f for f in found if (f["thing"] in first) == side] for side in (True, False)]
        for here, there in (halves, halves[::-1]):
            able = [t for t in THRESHOLDS if share_and_false(there, t)[1] == 0]
            threshold = min(able, default=THRESHOLDS[-1])
            share, false = share_and_false(here, threshold)
            results.append((threshold, share, false / len(here)))
    return results


def distractors(gallery: kf.Gallery, truth: GroundTruth, count: int) -> None:
    """Ask with distractors, themselves left out."""
    labelled = {i for known in truth.gnd for i in (*known["ok"], *known["junk"])}
    ids = gallery.ids_of(truth.imlist)
    left = [i for i, id in enumerate(ids) if id is not None and i not in labelled]
    chosen = np.sort(np.random.default_rng(0).choice(left, min(count, len(left)), replace=False))
    told = []
    for i in chosen.tolist():
        hits = gallery.search(ids[i], top=TOP)
        told += [f"{truth.imlist[i]}: {Path(hit.path).stem} ({hit.inliers})" for hit in hits.found]
    print(f"\n{len(chosen)} distractors asked with; found: {'; '.join(told) or 'nothing'}")


def plot(path: str, sure: Any, right: Any) -> None:
    """The reliability diagram."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(4.5, 4.5))
    place = np.minimum((10 * sure).astype(int), 9)
    bins = [b for b in range(10) if (place == b).any()]
    x = [sure[place == b].mean() for b in bins]
    y = [right[place == b].mean() for b in bins]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot(x, y, marker="o")
    for at, (a, b) in zip(bins, zip(x, y)):
        axes.annotate(int((place == at).sum()), (a, b), textcoords="offset points", xytext=(5, -10))
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    figure.savefig(path, dpi=150, bbox_inches="tight")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", nargs="?")
    parser.add_argument("--distractors", type=int, default=0, metavar="N")
    parser.add_argument("--keep", metavar="FILE", help="what came of the queries, to go on with")
    parser.add_argument("--plot", metavar="FILE")
    options = parser.parse_args()
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    objects = json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"]
    gallery = opened(options.gallery, [f"{name}.jpg" for name in truth.imlist])
    kept = Path(options.keep) if options.keep else None
    if kept is not None and kept.exists():
        found = pickle.loads(kept.read_bytes())
    else:
        found = asked(gallery, truth, objects)
        if kept is not None:
            kept.write_bytes(pickle.dumps(found))
    sure = np.array([c for f in found for c, _ in f["there"]])
    right = np.array([r for f in found for r in f["right"]])
    print(f"\n{len(gallery)} photos, {gallery.settings.engine}, {len(found)} queries")
    print(f"ECE {error(sure, right):.4f}, by ranks {error(sure, right, ranks=True):.4f}\n")
    print(heading(["confidence", "photos", "mean", "right"]))
    for b in range(10):
        here = np.minimum((10 * sure).astype(int), 9) == b
        if here.any():
            cells = [
                f"{b / 10:.1f}",
                int(here.sum()),
                f"{sure[here].mean():.3f}",
                f"{right[here].mean():.3f}",
            ]
            print(row(cells))
    print()
    print(heading(["threshold", "share", "false", "queries with a right one among 20, told"]))
    for threshold in THRESHOLDS:
        share, false = share_and_false(found, threshold)
        any_right = [f for f in found if any(f["right"])]
        told = sum(
            bool((shown(f["there"], threshold) & np.array(f["right"])).any()) for f in any_right
        )
        print(
            row(
                [
                    threshold,
                    f"{share:.3f}",
                    f"{false} of {len(found)}",
                    f"{told} of {len(any_right)}",
                ]
            )
        )
    results = np.array(splits(found))
    for name, column in (("share", results[:, 1]), ("false", results[:, 2])):
        print(
            f"{name} on the other half: {column.mean():.3f}, {column.min():.3f} to {column.max():.3f}"
        )
    if options.distractors:
        distractors(gallery, truth, options.distractors)
    if options.plot:
        plot(options.plot, sure, right)


if __name__ == "__main__":
    main()
