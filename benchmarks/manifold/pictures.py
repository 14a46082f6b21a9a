"""Pictures of embeddings: a roll unrolled, digits, the poses of objects.

python -m benchmarks.manifold.pictures FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import kinfold as kf
from benchmarks import data
from kinfold.datasets.manifolds import swiss_roll
from kinfold.report.embedding import write_embeddings
from kinfold.report.figures import embeddings as figures


def roll(folder: Path) -> None:
    """The roll as `kinfold figures roll` draws it, and how well neighbours unroll it."""
    figures.roll(folder / "roll.png")
    points = swiss_roll(1500).points
    for name, model in figures.unrolling().items():
        if isinstance(model, kf.Isomap):
            print(f"{name}: residual variance {model.fit(points).residual_variance_:.4f}")


def poses(folder: Path) -> None:
    """72 views of each object by Isomap, coloured by angle: how near to a circle they come."""
    views = np.load(data.SHARED / "coil20" / "coil20.npz")["images"].astype(np.float32) / 255
    small = views.reshape(20, 72, 32, 4, 32, 4).mean(axis=(3, 5)).reshape(20, 72, -1)
    planes = [kf.Isomap(2, n_neighbors=4).fit_transform(x) for x in small]
    whole = 0
    for plane in planes:
        centred = plane - plane.mean(axis=0)
        angle = np.unwrap(np.arctan2(centred[:, 1], centred[:, 0]))
        whole += abs(abs(angle[-1] - angle[0]) - 2 * np.pi) < 0.6
    print(f"once round in order of pose: {whole} of 20 objects")
    panels = {f"object {i + 1}": planes[i] for i in (0, 3, 7, 12, 18)}
    write_embeddings(folder / "poses.png", panels, np.arange(72.0) * 5)


def cells() -> None:
    """Mean squared error of 2,000 noisy points of an arc and of digits: global PCA against local."""
    from benchmarks.manifold.embeddings import mnist

    x = mnist(12_000)
    learn, held = x[:10_000], x[10_000:]
    for p in (5, 10):
        pca = kf.PCA(p).fit(learn)
        gaps = held - pca.inverse_transform(pca.transform(held))
        figures = {"PCA": float((gaps**2).sum(axis=1).mean())}
        for distance in ("euclidean", "reconstruction"):
            model = kf.LocalPCA(p, n_cells=20, distance=distance, iterations=15).fit(learn)
            figures[f"local PCA, {distance}"] = -model.score(held)
        print(f"digits, {p} components:", {name: round(f, 2) for name, f in figures.items()})


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    roll(folder)
    if data.SHARED.exists():
        poses(folder)
        cells()


if __name__ == "__main__":
    main()
