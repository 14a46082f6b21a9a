"""What one example from the first ten answers does for a query, on real photos.

    python -m benchmarks.gallery.feedback GALLERY

GALLERY: of the 898 database photos, or some of them. Each query is asked, without second looks and with the usual ones;
then once more with the best-ranked right photo of the first ten as a positive example, with the best-ranked wrong one
as a negative example where there is one, and with both. Examples count neither as found nor as missing: they are
removed as junk is, before and after. mAP by Oxford's trapezoid rule, over the queries that have such an example.
*other half*: weights chosen on one half of the objects, by the gain there, told of the other: mean and spread of the
gains over twenty halves (ten cuts). The first line of weights is that of the library.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.base.ranking import Ranking
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.gallery import feedback

PHOTOS = data.SHARED / "photos"
WEIGHTS = [(feedback.BETA, feedback.GAMMA), (0.75, 0.0), (0.75, 0.15), (0.75, 0.03)]
FIRST, CUTS = 10, 10
WAYS = ("positive", "negative", "both")
Lists = list[NDArray[np.int64]]


def precisions(lists: Lists, truth: GroundTruth, examples: list[list[int]]) -> NDArray[np.float64]:
    """Average precision of each query, its examples removed; lists hold places in the ground truth's list."""
    gnd = [
        {
            "ok": [at for at in one["ok"] if at not in shown],
            "junk": sorted({*one.get("junk", []), *shown}),
        }
        for one, shown in zip(truth.gnd, examples)
    ]
    longest = max(map(len, lists))
    ids = np.stack([np.pad(one, (0, longest - len(one)), constant_values=-1) for one in lists])
    judged = evaluate(
        Ranking.from_ids(ids), GroundTruth(truth.imlist, truth.qimlist, gnd), protocol="oxford"
    )
    return np.asarray(judged.average_precision)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("gallery")
    parser.add_argument(
        "--weights", type=int, default=len(WEIGHTS), help="of these, the first so many"
    )
    options = parser.parse_args()
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    objects = np.array(json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"])
    things = sorted(set(objects.tolist()))
    halves = []
    for cut in range(CUTS):
        some = np.random.default_rng(cut).choice(things, len(things) // 2, replace=False)
        halves += [(np.isin(objects, some), ~np.isin(objects, some))]
        halves += [halves[-1][::-1]]
    with kf.Gallery.open(options.gallery) as gallery:
        place = {id: at for at, id in enumerate(gallery.ids_of(truth.imlist)) if id is not None}
        id_of = {at: id for id, at in place.items()}
        queries = [
            gallery.describe(PHOTOS / "jpg" / f"{name}.jpg", box=known.get("bbx"))
            for name, known in zip(truth.qimlist, truth.gnd)
        ]

        def places(query: object, **chosen: object) -> NDArray[np.int64]:
            ids = gallery.rank(query, **chosen).ids.tolist()
            return np.array([place[id] for id in ids if id in place], np.int64)

        print(
            heading(
                ["second looks", "example", "queries", "weights", "before", "after", "other half"]
            )
        )
        for looks in ((), ("spatial", "diffusion")):
            before = [places(query, rerank=looks) for query in queries]
            shown = [_examples(*pair) for pair in zip(before, truth.gnd)]
            for way in WAYS:
                given = [_given(one, way, known["ok"]) for one, known in zip(shown, truth.gnd)]
                asked = [at for at, one in enumerate(given) if one is not None]
                examples = [
                    [] if one is None else [at for at in one if at is not None] for one in given
                ]
                first = precisions(before, truth, examples)[asked]
                gains = []
                for feedback.BETA, feedback.GAMMA in WEIGHTS[: options.weights]:
                    after = list(before)
                    for at in asked:
                        like, unlike = given[at]
                        after[at] = places(
                            queries[at], rerank=looks,
                            like=[] if like is None else [id_of[like]],
                            unlike=[] if unlike is None else [id_of[unlike]],
                        )  # fmt: skip
                    gains.append(precisions(after, truth, examples)[asked] - first)
                told = _other_half(np.array(gains), [(a[asked], b[asked]) for a, b in halves])
                for at, gain in enumerate(gains):
                    beta, gamma = WEIGHTS[at]
                    cells = [
                        ", ".join(looks) or "none", way, len(asked), f"{beta:g}, {gamma:g}",
                        f"{first.mean():.4f}", f"{(first + gain).mean():.4f}", told if at == 0 else "",
                    ]  # fmt: skip
                    print(row(cells), flush=True)


def _examples(ranked: NDArray[np.int64], known: dict) -> tuple[int | None, int | None]:
    """The best-ranked right and the best-ranked wrong photo of the first."""
    right, junk = set(known["ok"]), set(known.get("junk", []))
    listed = [at for at in ranked.tolist() if at not in junk][:FIRST]
    return (
        next((at for at in listed if at in right), None),
        next((at for at in listed if at not in right), None),
    )


def _given(
    shown: tuple[int | None, int | None], way: str, right: list[int]
) -> tuple[int | None, int | None] | None:
    """What is given of these; None where a way has not what it needs, or nothing is left to find."""
    like, unlike = shown
    wanted = {"positive": (like, None), "negative": (None, unlike), "both": (like, unlike)}[way]
    missing = (way != "negative" and like is None) or (way != "positive" and unlike is None)
    return None if missing or {wanted[0]} >= set(right) else wanted


def _other_half(gains: NDArray[np.float64], halves: list) -> str:
    """The gain on a half by the weights that gain most on the other: mean and spread over halves."""
    told = [gains[np.argmax(gains[:, a].mean(axis=1))][b].mean() for a, b in halves]
    return f"{np.mean(told):+.4f} ± {np.std(told):.4f}"


if __name__ == "__main__":
    main()
