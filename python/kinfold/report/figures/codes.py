"""Cells of codes: bits, codewords, and axes that suit the points."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.manifold.local_pca import LocalPCA
from kinfold.quantize.kmeans import KMeans
from kinfold.quantize.local import LocallyOptimizedPQ
from kinfold.quantize.optimized import OPQ
from kinfold.quantize.product import ProductQuantizer
from kinfold.quantize.sign import SignQuantizer
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import (
    BLUE,
    GREEN,
    INK,
    QUERY,
    RED,
    cells,
    dots,
    ellipse,
    frame,
    panels,
    plane_points,
    star,
)  # fmt: skip
from kinfold.transform.pca import PCA

Path = str | os.PathLike[str]


def hyperplanes(path: Path) -> None:
    """Locality-sensitive hashing cuts space by random hyperplanes; a code has a bit for each.

    The more bits of the query's code a cell shares, the darker: directions are drawn without looking at the data,
    so cells do not follow it.
    """
    points = plane_points()
    middle = points.mean(0)
    coder = SignQuantizer(6, projection="gaussian", seed=2).fit(points - middle)
    codes = coder.encode(np.float32(QUERY - middle)[None])
    figure, (left, right) = panels(2, side=3.4)

    def bits(x: Any) -> NDArray[np.int64]:
        return coder.encode(x - middle)[:, 0].astype(np.int64)

    own = int(codes[0, 0])
    for axes, title in (
        (left, "6 bits: 6 hyperplanes"),
        (right, "Hamming distance from the query's code"),
    ):
        shade = None if axes is left else (lambda labels: 1 - _ones(labels ^ own) / 4)
        cells(axes, bits, shade)
        dots(axes, points)
        frame(axes, title)
    star(right)
    write_png(path, figure)


def quantizers(path: Path) -> None:
    """Vector quantization has a cell for each codeword; product quantization one for each pair of sub-codewords.

    Two codebooks of 16 words make 256 cells: cheap to learn and to look up, and blind to how the axes belong together,
    so that many cells are empty.
    """
    points = plane_points()
    vq = KMeans(16, verbose=False).fit(points)
    pq = ProductQuantizer(2, bits=4, verbose=False).fit(points)
    figure, (left, right) = panels(2, side=3.4)
    cells(left, vq.assign)
    dots(left, points)
    dots(left, vq.centroids, colour=RED, size=26)
    frame(left, "vector quantization: 16 cells, 4 bits")
    cells(right, lambda x: _pair(pq, x))
    dots(right, points)
    dots(right, _crossings(pq), colour=RED, size=3)
    frame(right, "product quantization: 16 x 16 cells, 8 bits")
    write_png(path, figure)


def rotations(path: Path) -> None:
    """Principal axes; the product quantizer in axes that suit all points; and in axes of each cell.

    One rotation cannot suit clusters that lie along different directions: locally optimized product quantization has
    one for each cell of the coarse quantizer.
    """
    points = plane_points()
    pca = PCA(2).fit(points)
    opq = OPQ(2, bits=4, verbose=False).fit(points)
    coarse = KMeans(4, verbose=False).fit(points)
    of = coarse.assign(points)
    local = LocallyOptimizedPQ(2, bits=4, shared=False, least=8, verbose=False).fit(
        points - coarse.centroids[of], of, 4
    )
    figure, (one, two, three) = panels(3, across=3, side=3.2)
    dots(one, points)
    ellipse(one, pca.mean, pca.components_, np.sqrt(pca.explained_variance_), BLUE)
    frame(one, "principal component analysis")
    lost = [_lost(ProductQuantizer(2, bits=4, verbose=False).fit(points), points)]
    cells(two, lambda x: _pair(opq.quantizer, opq.transform(x)))
    dots(two, points)
    lost.append(_lost(opq.quantizer, opq.transform(points)))
    frame(two, f"OPQ: {lost[1] / lost[0]:.0%} of the error of PQ")

    def cell_and_code(x: Any) -> NDArray[np.int64]:
        cell = coarse.assign(x)
        codes = local.encode(x - coarse.centroids[cell], cell)
        return cell * 256 + codes[:, 0]

    cells(three, cell_and_code)
    dots(three, points)
    for cell in range(4):
        rows = points[of == cell]
        axes_of = local.rotations[local.group[cell]]
        spread = ((rows - rows.mean(0)) @ axes_of.T).std(0)
        ellipse(three, rows.mean(0), axes_of, spread, GREEN)
    left = local.distortion(points - coarse.centroids[of], of)
    frame(three, f"LOPQ in 4 cells: {left / lost[0]:.0%}")
    write_png(path, figure)


def local_pca(path: Path) -> None:
    """Local principal component analysis: one line for all points, or one in each of several cells.

    Cells are the points nearest to a line, not to a mean, so that they follow the shape of the data.
    """
    turns = np.linspace(0.1, np.pi * 0.95, 300)
    random = np.random.default_rng(1)
    points = np.stack([0.5 + 0.4 * np.cos(turns), 0.2 + 0.6 * np.sin(turns)], 1)
    points = (points + 0.015 * random.standard_normal(points.shape)).astype(np.float32)
    figure, several = panels(3, across=3, side=3.2)
    for n_cells, axes in zip((1, 2, 6), several):
        model = LocalPCA(1, n_cells=n_cells, restarts=8).fit(points)
        of, along = model.encode(points)
        dots(axes, points, colour=of.astype(float), size=8)
        for cell in range(n_cells):
            ends = np.array([along[of == cell].min(0), along[of == cell].max(0)])
            axes.plot(*model.decode(np.full(2, cell), ends).T, color=INK, lw=2, zorder=4)
        frame(axes, f"{n_cells} cell{'s' * (n_cells > 1)}: error {model.error_:.1e}")
    write_png(path, figure)


def _ones(numbers: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many bits are set."""
    return np.unpackbits(numbers.astype(np.uint8)[..., None], axis=-1).sum(-1).astype(np.float64)


def _pair(quantizer: ProductQuantizer, x: Any) -> NDArray[np.int64]:
    """The cell of two sub-codewords of 4 bits each."""
    return quantizer.encode(x)[:, 0].astype(np.int64)


def _crossings(quantizer: ProductQuantizer) -> NDArray[np.float32]:
    first, second = quantizer.codebooks[..., 0]
    return np.stack(np.meshgrid(first, second), -1).reshape(-1, 2)


def _lost(quantizer: ProductQuantizer, x: Any) -> float:
    """Mean squared error of codes."""
    return float(((quantizer.decode(quantizer.encode(x)) - x) ** 2).sum(1).mean())
