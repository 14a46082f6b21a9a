"""Matching and spatial verification beside OpenCV: pairs a second, inliers, true photos told from others, accuracy.

    python -m benchmarks.local.verify [--tables planted photos graf match words expansion] [--level avx2]
        [--only kinfold]

One thread. *planted*: 500 correspondences under a known similarity, a share of them outliers; *photos*: real photos of
the same object and of others, matched by the ratio test or by nearest neighbour alone; *graf*: error of the estimated
homography over the first photo, against the measured one; *match*: the exhaustive comparison of descriptors; *words*:
the comparison of those that share a visual word; *expansion*: mAP with the verified region searched for again.
OpenCV's methods see positions alone; Kinfold's hypotheses from single correspondences use scales and angles too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

import kinfold as kf
from benchmarks.data import CACHE, SHARED
from benchmarks.measure import heading, row
from kinfold import _core
from kinfold.base.local_features import LocalFeatures
from kinfold.base.ranking import Neighbours
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.local.match import match_many, match_words, prepare
from kinfold.local.sift import SIFT, root_sift
from kinfold.local.verify import project, verify_many
from kinfold.rerank.pipeline import rerank_by
from kinfold.rerank.spatial_expansion import KINDS
from kinfold.rerank.stage import Asked, Ranked, RankedList
from kinfold.words.asmk import ASMK
from kinfold.words.words import VisualWords

PHOTOS, GRAF = SHARED / "photos", SHARED / "graf"
SIDE = 800
EACH = 5  # true and false photos of a query
Pair = tuple[LocalFeatures, LocalFeatures, np.ndarray]


class Found(NamedTuple):
    """What a method says of one pair."""

    inliers: int
    matrix: np.ndarray


def by_kinfold(**options: Any) -> Callable[[list[Pair], float], list[Found]]:
    """Pairs of one query in one call, as a search makes them."""

    def run(pairs: list[Pair], tolerance: float) -> list[Found]:
        found = []
        at = 0
        while at < len(pairs):
            end = at
            while end < len(pairs) and pairs[end][0] is pairs[at][0]:
                end += 1
            results = verify_many(
                pairs[at][0], [p for _, p, _ in pairs[at:end]], [c for *_, c in pairs[at:end]],
                tolerance=tolerance, **options,
            )  # fmt: skip
            found += [Found(r.inliers, r.matrix) for r in results]
            at = end
        return found

    return run


def by_opencv(
    estimate: Callable[..., Any], method: int, least: int
) -> Callable[[list[Pair], float], list[Found]]:
    def run(pairs: list[Pair], tolerance: float) -> list[Found]:
        found = []
        for a, b, rows in pairs:
            matrix = mask = None
            if len(rows) >= least:
                matrix, mask = estimate(
                    a.positions[rows[:, 0]], b.positions[rows[:, 1]],
                    method=method, ransacReprojThreshold=tolerance,
                )  # fmt: skip
            if matrix is None:
                found.append(Found(0, np.zeros((3, 3))))
            else:
                full = matrix if matrix.shape == (3, 3) else np.vstack([matrix, [0, 0, 1]])
                found.append(Found(int(mask.sum()), full))
        return found

    return run


METHODS: dict[str, Callable[[list[Pair], float], list[Found]]] = {
    "kinfold, similarity": by_kinfold(model="similarity"),
    "kinfold, affine": by_kinfold(model="affine"),
    "kinfold, homography": by_kinfold(model="homography"),
    "kinfold, sampled affine": by_kinfold(model="affine", hypotheses="sampled", samples=2000),
    "kinfold, sampled homography": by_kinfold(
        model="homography", hypotheses="sampled", samples=2000
    ),
    "OpenCV estimateAffinePartial2D, RANSAC": by_opencv(cv2.estimateAffinePartial2D, cv2.RANSAC, 2),
    "OpenCV estimateAffine2D, USAC_MAGSAC": by_opencv(cv2.estimateAffine2D, cv2.USAC_MAGSAC, 3),
    **{
        f"OpenCV findHomography, {name}": by_opencv(cv2.findHomography, getattr(cv2, name), 4)
        for name in ("RANSAC", "USAC_DEFAULT", "USAC_FAST", "USAC_ACCURATE", "USAC_MAGSAC")
    },
}


def timed(rounds: int, run: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The least processor time, and what came out."""
    least = np.inf
    for _ in range(rounds):
        start = time.process_time()
        found = run(*arguments)
        least = min(least, time.process_time() - start)
    return least, found


def planted(random: np.random.Generator, inliers: int, outliers: int) -> Pair:
    """Features under a known similarity with noisy scales and angles, and outliers."""
    n = inliers + outliers
    scale, turn = float(np.exp(random.uniform(-0.7, 0.7))), float(random.uniform(-3, 3))
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    a = random.uniform(0, 640, (n, 2))
    b = a @ matrix.T + random.uniform(-100, 100, 2) + random.standard_normal((n, 2))
    b[inliers:] = random.uniform(b[:inliers].min(0), b[:inliers].max(0), (outliers, 2))
    scales, angles = random.uniform(2, 12, n), random.uniform(-np.pi, np.pi, n)
    there = scales * scale * np.exp(0.1 * random.standard_normal(n))
    turned = angles + turn + 0.1 * random.standard_normal(n)
    there[inliers:] = random.uniform(2, 12, outliers)
    turned[inliers:] = random.uniform(-3, 3, outliers)
    blank = np.empty((n, 0), np.uint8)
    first, second = (
        LocalFeatures(p.astype(np.float32), s.astype(np.float32), t.astype(np.float32), blank)
        for p, s, t in ((a, scales, angles), (b, there, turned))
    )
    return first, second, np.column_stack([random.permutation(n)] * 2)


def table_planted(rounds: int) -> None:
    """Pairs a second and the share of the planted inliers that is found."""
    shares = (0.05, 0.2, 0.5, 0.8, 0.9)
    random = np.random.default_rng(0)
    scenes = {
        s: [planted(random, round(500 * (1 - s)), round(500 * s)) for _ in range(30)]
        for s in shares
    }
    print(heading(["500 correspondences, outliers", *(f"{s:.0%}" for s in shares)]))
    for name, method in METHODS.items():
        cells = []
        for share, pairs in scenes.items():
            spent, found = timed(rounds, method, pairs, 4.0)
            right = np.mean([f.inliers for f in found]) / round(500 * (1 - share))
            cells.append(f"{len(pairs) / spent:,.0f}/s, {right:.2f}")
        print(row([name, *cells]), flush=True)


def described() -> tuple[GroundTruth, list[LocalFeatures], list[LocalFeatures]]:
    """Features of the photos and of the queries, cropped to their boxes; kept in the cache folder."""
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    parts = ("positions", "scales", "angles", "descriptors")
    path = CACHE / "local-features-cropped.npz"
    if not path.exists():
        sift = SIFT(max_features=1500, contrast_threshold=0.01, max_side=SIDE)
        boxes = [None] * len(truth.imlist) + [known.get("bbx") for known in truth.gnd]
        found = []
        for name, box in zip((*truth.imlist, *truth.qimlist), boxes):
            pixels = decode(PHOTOS / "jpg" / f"{name}.jpg").pixels
            if box is not None:
                x0, y0, x1, y1 = (max(0, int(side)) for side in box)
                pixels = np.ascontiguousarray(pixels[y0:y1, x0:x1])
            found.append(sift.extract(fit(pixels, SIDE)))
        CACHE.mkdir(parents=True, exist_ok=True)
        arrays = {part: np.concatenate([getattr(f, part) for f in found]) for part in parts}
        np.savez(path, counts=[len(f) for f in found], **arrays)
    with np.load(path) as file:
        cuts = np.cumsum(file["counts"])[:-1]
        each = [LocalFeatures(*of) for of in zip(*(np.split(file[part], cuts) for part in parts))]
    return truth, each[: len(truth.imlist)], each[len(truth.imlist) :]


def chosen(truth: GroundTruth) -> list[tuple[int, int, bool]]:
    """Query, photo, whether it shows the same object."""
    random = np.random.default_rng(0)
    pairs = []
    for i, known in enumerate(truth.gnd):
        pairs += [(i, int(j), True) for j in known["ok"][:EACH]]
        taken = {*known["ok"], *known["junk"]}
        others = [j for j in range(len(truth.imlist)) if j not in taken]
        pairs += [(i, int(j), False) for j in random.choice(others, EACH, replace=False)]
    return pairs


def judged(inliers: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve of the inlier count, and recall where no other photo passes."""
    a, b = inliers[true], inliers[~true]
    above = (a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean()
    return float(above), float((a > b.max()).mean())


def table_photos(rounds: int) -> None:
    """Real pairs: what the number of inliers says of two photos."""
    truth, photos, queries = described()
    rows_of = chosen(truth)
    true = np.array([label for *_, label in rows_of])
    coded = [prepare(photo) for photo in photos]
    for name, options in (
        ("ratio test 0.85", {}),
        ("nearest alone", {"ratio": 1.0, "mutual": False}),
    ):
        print()
        found = [match_many(queries[i], [coded[j]], **options)[0] for i, j, _ in rows_of]
        pairs = [(queries[i], photos[j], c) for (i, j, _), c in zip(rows_of, found)]
        count = np.mean([len(c) for c in found])
        print(
            heading(
                [
                    f"{name}: {count:.0f} correspondences",
                    "pairs/s",
                    "inliers, same object",
                    "other photos",
                    "ROC area",
                    "recall at no error",
                ]
            )
        )
        for method, run in METHODS.items():
            if count > 300 and method == "OpenCV findHomography, RANSAC":
                continue  # takes minutes
            spent, results = timed(rounds, run, pairs, 8.0)
            inliers = np.array([r.inliers for r in results])
            area, recall = judged(inliers, true)
            print(
                row(
                    [
                        method,
                        f"{len(pairs) / spent:,.0f}",
                        f"{inliers[true].mean():.1f}",
                        f"{inliers[~true].mean():.1f}",
                        f"{area:.4f}",
                        f"{recall:.3f}",
                    ]
                ),
                flush=True,
            )


def table_graf(rounds: int) -> None:
    """Median error in pixels of the estimated homography, where the first photo is seen in the other; inliers."""
    pixels = [decode(GRAF / f"img{i}.png").pixels for i in range(1, 7)]
    sift = SIFT(max_features=3000, contrast_threshold=0.01, max_side=None)
    features = [sift.extract(p) for p in pixels]
    height, width = pixels[0].shape[:2]
    grid = np.stack(np.meshgrid(np.arange(0, width, 10), np.arange(0, height, 10)), -1).reshape(
        -1, 2
    )
    matched = match_many(features[0], features[1:])
    pairs = [(features[0], photo, c) for photo, c in zip(features[1:], matched)]
    print(heading(["graf 1 to", *(f"{i} ({len(c)} corr.)" for i, c in enumerate(matched, 2))]))
    for name, run in METHODS.items():
        if "omography" not in name:
            continue
        cells = []
        for number, found in enumerate(run(pairs, 4.0), 2):
            there = project(grid, np.loadtxt(GRAF / f"H1to{number}p"))
            seen = ((there >= 0) & (there < pixels[number - 1].shape[1::-1])).all(axis=1)
            gap = np.linalg.norm(project(grid, found.matrix) - there, axis=1)[seen]
            cells.append(f"{np.median(gap):.2f} px, {found.inliers}")
        print(row([name, *cells]), flush=True)


def by_products(a: np.ndarray, b: np.ndarray, ratio: float = 0.85) -> np.ndarray:
    """Mutual nearest neighbours with the ratio test, by one product of float32 matrices."""
    similarity = a @ b.T
    best = similarity.argmax(axis=1)
    rows = np.flatnonzero(similarity.argmax(axis=0)[best] == np.arange(len(a)))
    two = -np.partition(-similarity[rows], 1, axis=1)[:, :2]
    rows = rows[1 - two[:, 0] < ratio**2 * (1 - two[:, 1])]
    return np.column_stack([rows, best[rows]])


def by_matcher(a: np.ndarray, b: np.ndarray, ratio: float = 0.85) -> np.ndarray:
    """The same by OpenCV's brute-force matcher."""
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    back = {m.queryIdx: m.trainIdx for m in matcher.match(b, a)}
    kept = [
        (m.queryIdx, m.trainIdx)
        for m, n in matcher.knnMatch(a, b, k=2)
        if m.distance < ratio * n.distance and back[m.trainIdx] == m.queryIdx
    ]
    return np.array(kept).reshape(-1, 2)


def table_match(rounds: int) -> None:
    """Pairs a second of matching, and of matching and verifying together; photos as they come from a gallery."""
    truth, photos, queries = described()
    rows_of = chosen(truth)[::4]
    roots = {j: root_sift(photos[j].descriptors) for _, j, _ in rows_of}
    asked = {i: root_sift(queries[i].descriptors) for i, _, _ in rows_of}
    ways: dict[str, Callable[[], list[np.ndarray]]] = {
        "kinfold": lambda: [match_many(queries[i], [photos[j]])[0] for i, j, _ in rows_of],
        "float32 products (numpy)": lambda: [
            by_products(asked[i], roots[j]) for i, j, _ in rows_of
        ],
        "OpenCV BFMatcher": lambda: [by_matcher(asked[i], roots[j]) for i, j, _ in rows_of],
    }
    found: dict[str, list[np.ndarray]] = {}
    print(heading(["matching", "pairs/s", "correspondences", "of kinfold's"]))
    for name, way in ways.items():
        spent, found[name] = timed(rounds, way)
        ours = [set(map(tuple, c.tolist())) for c in found["kinfold"]]
        same = sum(len(o & set(map(tuple, c.tolist()))) for o, c in zip(ours, found[name]))
        print(
            row(
                [
                    name,
                    f"{len(rows_of) / spent:,.0f}",
                    f"{np.mean([len(c) for c in found[name]]):.1f}",
                    f"{same / sum(map(len, ours)):.3f}",
                ]
            ),
            flush=True,
        )

    def second_look() -> None:
        for i, j, _ in rows_of:
            verify_many(queries[i], [photos[j]], match_many(queries[i], [photos[j]]))

    spent, _ = timed(rounds, second_look)
    print(row(["kinfold, with verification", f"{len(rows_of) / spent:,.0f}", "", ""]))


def table_words(rounds: int) -> None:
    """Matching by shared words beside the exhaustive comparison."""
    truth, photos, queries = described()
    rows_of = chosen(truth)
    true = np.array([label for *_, label in rows_of])
    words = VisualWords(16384, branch=128, verbose=False).fit(
        np.concatenate([root_sift(p.descriptors) for p in photos[::3]])
    )
    held = {j: words.assign(root_sift(photos[j].descriptors))[0][:, 0] for _, j, _ in rows_of}
    coded = {j: prepare(photos[j]) for _, j, _ in rows_of}
    asked = {i: prepare(queries[i]) for i, _, _ in rows_of}
    print(
        heading(
            [
                "matching",
                "pairs/s",
                "correspondences",
                "inliers, same object",
                "other photos",
                "ROC area",
                "recall at no error",
            ]
        )
    )
    ways: dict[str, Callable[[], list[np.ndarray]]] = {
        "all with all": lambda: [match_many(asked[i], [coded[j]])[0] for i, j, _ in rows_of]
    }
    for multiple in (1, 3, 5):
        near = {i: words.assign(root_sift(queries[i].descriptors), multiple)[0] for i in asked}
        for ratio in (1.0, 0.85):
            ways[f"16k words, {multiple} of a query's feature, ratio {ratio}"] = (
                lambda near=near, ratio=ratio: [
                    match_words(asked[i], [coded[j]], near[i], [held[j]], ratio=ratio)[0]
                    for i, j, _ in rows_of
                ]
            )
    for name, way in ways.items():
        spent, found = timed(rounds, way)
        pairs = [(queries[i], photos[j], c) for (i, j, _), c in zip(rows_of, found)]
        inliers = np.array([f.inliers for f in METHODS["kinfold, affine"](pairs, 8.0)])
        area, recall = judged(inliers, true)
        print(
            row(
                [
                    name,
                    f"{len(pairs) / spent:,.0f}",
                    f"{np.mean([len(c) for c in found]):.1f}",
                    f"{inliers[true].mean():.1f}",
                    f"{inliers[~true].mean():.1f}",
                    f"{area:.4f}",
                    f"{recall:.3f}",
                ]
            ),
            flush=True,
        )


def table_expansion(_: int) -> None:
    """mAP of ASMK alone, with the first 30 photos verified, and with what they show searched for once more."""
    truth, photos, queries = described()
    roots = [root_sift(photo.descriptors) for photo in photos]
    model = ASMK(VisualWords(4096, sample=25, iterations=3, verbose=False))
    model.fit(np.concatenate(roots[::9])).add(roots)

    def search(features: LocalFeatures) -> Neighbours:
        return model.search(root_sift(features.descriptors), len(photos))

    def show(name: str, ranked: Ranked, spent: float) -> None:
        judged = evaluate(ranked, truth, protocol="oxford")
        cost = f"{spent / len(queries) * 1e3:.0f}" if spent else ""
        print(row([name, f"{judged.map:.4f}", cost]), flush=True)

    print(heading(["ASMK, 4,096 words", "mAP", "ms a query"]))
    asked = Asked(
        local=queries, features=photos.__getitem__, search=lambda _, features: search(features)
    )
    first = Ranked.joined([RankedList.first(*search(query)) for query in queries])
    show("search", first, 0.0)
    top = {"top": 30}
    spent, second = timed(1, lambda: rerank_by(["spatial"], asked, first, {"spatial": top}))
    show("+ spatial", second, spent)
    for kind in KINDS:
        options = {"expansion": {"kind": kind, **top}}
        spent, third = timed(1, lambda o=options: rerank_by(["expansion"], asked, second, o))
        show(f"+ spatial, {kind} expansion", third, spent)


TABLES = {
    "planted": table_planted, "photos": table_photos, "graf": table_graf, "match": table_match,
    "words": table_words, "expansion": table_expansion,
}  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--level", choices=_core.levels())
    parser.add_argument("--rounds", type=int, default=3, help="the best counts")
    parser.add_argument("--only", default="", help="methods whose name holds this")
    arguments = parser.parse_args()
    kf.set_threads(1)
    cv2.setNumThreads(1)
    if arguments.level:
        _core.set_level(arguments.level)
    for name in [name for name in METHODS if arguments.only not in name]:
        del METHODS[name]
    print(f"kinfold {_core.level()}, OpenCV {cv2.__version__}\n")
    for name in arguments.tables:
        if name != "planted" and not SHARED.exists():
            print(f"{name}: needs the photos in {SHARED}")
            continue
        TABLES[name](arguments.rounds)
        print()


if __name__ == "__main__":
    main()
