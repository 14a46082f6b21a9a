"""mAP of every kind of network descriptor on the real photos: the table "methods" of map_cnn.py.

All at one scale. Columns, whose whitenings are those of "apart" in map_cnn.py (learnt on other photos than those
searched; the mean of several cuts into halves):

raw        cosine as it is, the whole database
diffused   raw, then diffusion on the graph of the database: 10 neighbours, gamma 3, alpha 0.9, from the query's
           nearest. The published 50, 0.99 and 10 are for landmarks with many photos and do harm here, where half of
           the objects have one to three; chosen on these photos
half       the mean of the halves' descriptors subtracted, on the halves of "apart": what the rest compares with
w 0.25     PCA-whitening with exponent 0.25, all dimensions
w 0.5      full PCA-whitening
w128       the better of both exponents at 128 dimensions
Lw128      learned whitening to 128 dimensions, from the pairs of other objects
Codes of many thousand dimensions are whitened in the coordinates of their own span, which changes the target of
shrinkage alone. Shrinkage is Ledoit-Wolf's, or 0.1 for Lw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import Diffusion, FlatIndex, KNNGraph
from kinfold.evaluate.average_precision import average_precision
from kinfold.features.extract import Extractor
from kinfold.features.neural_codes import neural_codes
from kinfold.features.pool.crow import CroW
from kinfold.features.pool.gem import GeM
from kinfold.features.pool.mac import MAC
from kinfold.features.pool.regions import Regions
from kinfold.features.pool.spoc import SPoC
from kinfold.features.regional import RegionalExtractor
from kinfold.index.regional import RegionalIndex
from kinfold.transform.learned_whitening import LearnedWhitening
from kinfold.transform.normalize import l2_normalize
from kinfold.transform.pca import PCA

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
Cuts = list[tuple[Rows, Rows, Rows]]

POOLINGS: dict[str, Callable[[], Any]] = {
    "MAC": MAC,
    "SPoC": SPoC,
    "SPoC, centre prior": lambda: SPoC(centre_prior=True),
    "CroW, reference": CroW,
    "CroW, lecture": lambda: CroW("lecture"),
    "GeM p=2": lambda: GeM(2),
    "GeM p=3": lambda: GeM(3),
}
WHITEN = (0.25, 0.5)


class Measure:
    """Ground truth, cuts, and mAP."""

    def __init__(self, truth: dict[str, Any], cuts: Cuts) -> None:
        self.truth, self.cuts, self.n = truth, cuts, len(truth["imlist"])
        groups = np.array([name.rsplit("_", 1)[0] for name in truth["imlist"]])
        self.groups = np.unique(groups, return_inverse=True)[1]
        self.groups[groups == "distractor"] = -1

    def mean_ap(
        self, scores: Array, base: Rows | None = None, queries: Rows | None = None
    ) -> float:
        """scores (queries, n) of all; only some columns are searched, by some queries."""
        base = np.arange(self.n) if base is None else base
        queries = np.arange(len(scores)) if queries is None else queries
        found = []
        for query in queries:
            entry = self.truth["gnd"][query]
            ranked = base[np.argsort(-scores[query, base], kind="stable")]
            found.append(average_precision(ranked, entry["ok"], entry["junk"]))
        return float(np.mean(found))

    def apart(self, scores: Callable[[Rows], Array]) -> float:
        """scores(rows) of all by what was learnt on some rows; the mean of the cuts."""
        return float(np.mean([self.mean_ap(scores(fit), s, q) for fit, s, q in self.cuts]))

    def pairs(self, rows: Rows) -> Rows:
        """Pairs of positions in rows that show one object."""
        groups = self.groups[rows]
        i, j = np.triu_indices(len(rows), 1)
        same = (groups[i] == groups[j]) & (groups[i] != -1)
        return np.stack([i[same], j[same]], axis=1)


def whitening(x: Array, dim: int | None, exponent: float) -> PCA:
    """Learnt on all rows of x."""
    most = min(len(x) - 1, x.shape[1])
    return PCA(min(dim or most, most), whiten=exponent, shrinkage="ledoit-wolf").fit(x)


def global_line(x: Array, measure: Measure, *, learned: bool = True) -> str:
    """The figures of descriptors (database + queries, d)."""
    n = measure.n

    def cosine(y: Array) -> Array:
        unit = l2_normalize(y)
        return unit[n:] @ unit[:n].T

    raw = cosine(x)
    figures = [measure.mean_ap(raw), measure.mean_ap(diffused(l2_normalize(x), n))]
    figures.append(measure.apart(lambda fit: cosine(x - x[fit].mean(axis=0))))
    figures += [
        measure.apart(lambda fit, e=e: cosine(whitening(x[fit], None, e).transform(x)))
        for e in WHITEN
    ]
    figures.append(
        max(
            measure.apart(lambda fit, e=e: cosine(whitening(x[fit], 128, e).transform(x)))
            for e in WHITEN
        )
    )
    if learned and x.shape[1] <= 4096:

        def learnt(fit: Rows) -> Array:
            lw = LearnedWhitening(128, shrinkage=0.1).fit(x[fit], measure.pairs(fit))
            return cosine(lw.transform(x))

        figures.append(measure.apart(learnt))
    return "".join(f"{figure:9.4f}" for figure in figures)


def coordinates(x: Array) -> Array:
    """The same inner products and distances in as many dimensions as there are vectors (n, n)."""
    values, vectors = np.linalg.eigh(x @ x.T)
    return np.ascontiguousarray(vectors * np.sqrt(np.maximum(values, 0)), dtype=np.float32)


def diffused(unit: Array, n: int) -> Array:
    """Scores of the database after diffusion from each query's nearest."""
    similarities = unit[n:] @ unit[:n].T
    near = np.argsort(-similarities, axis=1, kind="stable")[:, :1]
    graph = KNNGraph.build(unit[:n], 10, gamma=3)
    values = np.maximum(np.take_along_axis(similarities, near, axis=1), 0)
    scores = Diffusion(graph, alpha=0.9).scores(values, near)
    # What is not reached keeps the order of the plain search.
    return np.asarray(scores + 1e-9 * similarities, np.float32)


def matched(regions: list[Array], n: int) -> Array:
    """Exhaustive cross-matching of every query with every photo."""
    index = RegionalIndex(regions[0].shape[1])
    index.add(regions[:n])
    return np.stack([index.scores(query) for query in regions[n:]])


def diffused_regions(regions: list[Array], n: int) -> Array:
    """Scores of the database after diffusion on the graph of its regions: a photo has the sum of its regions'.

    50 neighbours, gamma 3, alpha 0.9, from the two nearest of each of the query's regions.
    """
    base = np.concatenate(regions[:n])
    starts = np.cumsum([0, *(len(r) for r in regions[:n])])[:-1]
    graph, flat = KNNGraph.build(base, 50, gamma=3), FlatIndex(base.shape[1], metric="ip")
    flat.add(base)
    diffusion, rows = Diffusion(graph, alpha=0.9), []
    for query in regions[n:]:
        near = flat.search(query, 2)
        scores = diffusion.scores(np.maximum(near.distances, 0)[None], near.ids[None])[0]
        rows.append(np.add.reduceat(scores, starts))
    # What is not reached keeps the order of the plain search.
    return np.asarray(np.stack(rows) + 1e-9 * matched(regions, n), np.float32)


def regional_line(regions: list[Array], measure: Measure) -> str:
    """The same figures of sets of regions."""
    n = measure.n

    def transformed(fit: Rows, dim: int | None, exponent: float | None) -> Array:
        sample = np.concatenate([regions[row] for row in fit])
        if exponent is None:
            mean = sample.mean(axis=0)
            return matched([l2_normalize(r - mean) for r in regions], n)
        pca = whitening(sample, dim, exponent)
        return matched([l2_normalize(pca.transform(r)) for r in regions], n)

    figures = [
        measure.mean_ap(matched(regions, n)), measure.mean_ap(diffused_regions(regions, n)),
    ]  # fmt: skip
    figures.append(measure.apart(lambda fit: transformed(fit, None, None)))
    figures += [measure.apart(lambda fit, e=e: transformed(fit, None, e)) for e in WHITEN]
    figures.append(max(measure.apart(lambda fit, e=e: transformed(fit, 128, e)) for e in WHITEN))
    return "".join(f"{figure:9.4f}" for figure in figures)


def rmac_line(regions: list[Array], measure: Measure) -> str:
    """R-MAC from the same regions: each whitened by what was learnt on other photos' regions, then summed."""
    n = measure.n

    def cosine(y: list[Array]) -> Array:
        unit = l2_normalize(np.stack([rows.sum(axis=0) for rows in y]))
        return unit[n:] @ unit[:n].T

    def apart(fit: Rows, dim: int | None, exponent: float) -> Array:
        pca = whitening(np.concatenate([regions[row] for row in fit]), dim, exponent)
        return cosine([l2_normalize(pca.transform(r)) for r in regions])

    raw = np.stack([rows.sum(axis=0) for rows in regions])
    figures = [measure.mean_ap(cosine(regions)), measure.mean_ap(diffused(l2_normalize(raw), n))]
    figures.append(
        measure.apart(
            lambda fit: (lambda u: u[n:] @ u[:n].T)(l2_normalize(raw - raw[fit].mean(axis=0)))
        )
    )
    figures += [measure.apart(lambda fit, e=e: apart(fit, None, e)) for e in WHITEN]
    figures.append(max(measure.apart(lambda fit, e=e: apart(fit, 128, e)) for e in WHITEN))
    return "".join(f"{figure:9.4f}" for figure in figures)


def stored(cache: Path, extractor: Extractor) -> Path:
    """The file of pooled maps and region descriptors of all photos, then queries, which the table makes."""
    return cache / f"methods-{extractor.fingerprint}.npz"


def small_regions(cache: Path, weights: Path, max_side: int, photos: int) -> tuple[Array, Array]:
    """Descriptors of regions, whitened to 128 dimensions on the first photos, of length one; and where each starts."""
    kept = np.load(stored(cache, Extractor(weights, scales=[1.0], max_side=max_side)))
    regions, starts = kept["regions"], kept["starts"]
    pca = PCA(128, whiten=0.25, shrinkage="ledoit-wolf").fit(regions[: starts[photos]])
    return l2_normalize(pca.transform(regions)), starts


def table(
    weights: Path,
    truth: dict[str, Any],
    cuts: Cuts,
    pixels: Callable[[], Iterator[Any]],
    cache: Path,
    max_side: int,
    named: Callable[[str], bool],
) -> Iterator[str]:
    """One line for each method of one network whose name is wanted."""
    import torch

    measure = Measure(truth, cuts)
    extractor = Extractor(weights, scales=[1.0], max_side=max_side)
    path = stored(cache, extractor)
    if not path.exists():
        began = time.perf_counter()
        pooled: dict[str, list[Array]] = {name: [] for name in POOLINGS}
        regions: list[Array] = []
        modules = {name: make().eval() for name, make in POOLINGS.items()}
        grid = Regions(whole=True)
        with torch.inference_mode():
            for photo in pixels():
                maps = torch.from_numpy(extractor.maps(photo))[None]
                for name, module in modules.items():
                    pooled[name].append(module(maps)[0].numpy())
                regions.append(torch.nn.functional.normalize(grid(maps)[0], dim=1).numpy())
        starts = np.cumsum([0, *(len(r) for r in regions)])
        cache.mkdir(parents=True, exist_ok=True)
        stacked = {name: np.stack(rows) for name, rows in pooled.items()}
        np.savez(path, regions=np.concatenate(regions), starts=starts, **stacked)
        yield f"# maps and poolings in {time.perf_counter() - began:.0f} s"
    kept = np.load(path)
    for name in POOLINGS:
        if named(name):
            x = l2_normalize(kept[name])
            yield f"{name:30}{x.shape[1]:6}{global_line(x, measure)}"
    regions = np.split(kept["regions"], kept["starts"][1:-1])
    dim = regions[0].shape[1]
    for name, parts in (
        ("R-MAC, L=3", [r[1:] if len(r) > 1 else r for r in regions]),
        ("R-MAC, L=3, and the whole", regions),
    ):
        if named(name):
            yield f"{name:30}{dim:6}{rmac_line(parts, measure)}"
    name = "neural code, 224 x 224"
    if named(name):
        codes = neural_codes(weights, layer=None)
        path = cache / f"codes-{codes.fingerprint}.npy"
        if not path.exists():
            np.save(path, codes.describe_all(pixels()).astype(np.float16))
        x = coordinates(np.load(path).astype(np.float32))
        yield f"{name:30}{codes.dim:6}{global_line(x, measure, learned=False)}"
    name = f"regions of maps, {len(regions[0])}, exhaustive"
    if named(name):
        yield f"{name:30}{dim:6}{regional_line(regions, measure)}"
    if named("windows of photos"):
        cut = RegionalExtractor(extractor, source="photo")
        path = cache / f"windows-{extractor.fingerprint}.npy"
        if not path.exists():
            began = time.perf_counter()
            np.save(path, np.stack([cut.describe(photo) for photo in pixels()]))
            yield f"# windows in {time.perf_counter() - began:.0f} s"
        squares = list(np.load(path))
        name = f"windows of photos, {len(squares[0])}, exhaustive"
        yield f"{name:30}{cut.dim:6}{regional_line(squares, measure)}"
