"""Maps of handwritten digits in the plane: DrLIM beside methods without an explicit map, and what shifts do to it.

OMP_NUM_THREADS=1 python -m benchmarks.learn.drlim_mnist --parts digits neighbours shifts --pictures FOLDER

digits: 3,000 each of 4 and 9; similar are each digit's five Euclidean neighbours; no label is seen. Accuracy is that
of five neighbours on the map: of the test file's 1,991 digits among those learnt, and of each learnt digit among the
others. neighbours, shifts: 500 of each, also shifted by -6, -3, 3 and 6 pixels to the side, by Euclidean neighbours
and by pairs that say which picture is whose shift. Settings were chosen on seed 0 of digits. Needs scikit-learn.
"""

from __future__ import annotations

import json
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.learn.judge import accuracy, own_accuracy, spread_within, trustworthiness
from kinfold.datasets.mnist import Digits, mnist
from kinfold.learn.similar import neighbour_pairs, version_pairs
from kinfold.report.embedding import write_embeddings

PAIR = (4, 9)
PARTS = ("digits", "neighbours", "shifts")
SHIFTS = (-6, -3, 0, 3, 6)
SETTINGS: dict[str, dict[str, Any]] = {
    "neighbours": {},
    "shifts": {"epochs": 32, "repulsion": 0.5, "first_repulsion": 0.05},
}


def of_pair(split: str, each: int | None = None) -> Digits:
    """Fours and nines, the first of each."""
    digits = mnist(data.SHARED / "mnist", split=split)
    rows = np.concatenate([np.flatnonzero(digits.labels == d)[:each] for d in PAIR])
    return Digits(digits.images[rows], digits.labels[rows])


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and its processor time."""
    start = time.process_time()
    return call(), time.process_time() - start


def tell(**row: Any) -> None:
    """A line of results."""
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}), flush=True)  # fmt: skip


def digits(seeds: list[int], folder: Path | None) -> None:
    """DrLIM, then the others."""
    learnt, held = of_pair("train", 3000), of_pair("test")
    x, q = (d.images.reshape(len(d.images), -1).astype(np.float32) / 255 for d in (learnt, held))
    panels, labels = dict[str, Any](), learnt.labels
    for seed in seeds:
        model = kf.DrLIM(2, seed=seed, verbose=False)
        _, seconds = timed(lambda model=model: model.fit(learnt.images))
        points, others = model.transform(learnt.images), model.transform(held.images)
        panels.setdefault("DrLIM", points)
        panels.setdefault("DrLIM, held-out digits", others)
        tell(method="DrLIM", seed=seed, held_out=accuracy(points, labels, others, held.labels),
             own=own_accuracy(points, labels), trust=trustworthiness(x, points), seconds=seconds)  # fmt: skip
    for name, model in {
        "PCA": kf.PCA(2), "LLE": kf.LocallyLinearEmbedding(2, n_neighbors=12), "Isomap": kf.Isomap(2, n_neighbors=5),
    }.items():  # fmt: skip
        points, seconds = timed(lambda model=model: model.fit_transform(x))
        tell(method=name, held_out=accuracy(points, labels, model.transform(q), held.labels),
             own=own_accuracy(points, labels), trust=trustworthiness(x, points), seconds=seconds)  # fmt: skip
        panels[name] = points
    from sklearn.manifold import TSNE

    points, seconds = timed(lambda: TSNE(2, random_state=0).fit_transform(x))
    trust = trustworthiness(x, points)
    tell(method="t-SNE", own=own_accuracy(points, labels), trust=trust, seconds=seconds)
    panels["t-SNE"] = points
    raw = accuracy(x, labels, q, held.labels)
    tell(method="all 784 pixels", held_out=raw, own=own_accuracy(x, labels))
    if folder is not None:
        order = ["DrLIM", "PCA", "LLE", "Isomap", "t-SNE"]
        write_embeddings(folder / "drlim_mnist.png", {n: panels[n] for n in order}, labels)


def shifted(images: Any) -> Any:
    """Pictures (n, 28, 28) on 32 x 32 pixels, in each of the shifts: (5 n, 32, 32), a shift after the other."""
    wide = np.pad(images, ((0, 0), (2, 2), (8, 8)))
    return np.concatenate([wide[:, :, 6 - s : 38 - s] for s in SHIFTS])


def shifts(seeds: list[int], folder: Path | None, name: str) -> None:
    """By neighbours, and by who is whose shift."""
    learnt, held = of_pair("train", 500), of_pair("test")
    images, others = shifted(learnt.images), shifted(held.images)
    n, m = len(learnt.images), len(held.images)
    samples, theirs = np.tile(np.arange(n), len(SHIFTS)), np.tile(np.arange(m), len(SHIFTS))
    shift, shift_q = np.repeat(SHIFTS, n), np.repeat(SHIFTS, m)
    labels, labels_q = np.tile(learnt.labels, len(SHIFTS)), np.tile(held.labels, len(SHIFTS))
    if name == "shifts":
        near = neighbour_pairs(learnt.images.reshape(n, -1).astype(np.float32))
        pairs = version_pairs(near, samples)
    else:
        pairs = neighbour_pairs(images.reshape(len(images), -1).astype(np.float32))
    for seed in seeds:
        model = kf.DrLIM(2, **SETTINGS[name], seed=seed, verbose=False)
        _, seconds = timed(lambda model=model: model.fit(images, pairs=pairs))
        points, places = model.transform(images), model.transform(others)
        tell(similar=name, pairs=len(pairs), seed=seed, shift=accuracy(points, shift, places, shift_q),
             digit=accuracy(points, labels, places, labels_q), spread=spread_within(points, samples),
             spread_held_out=spread_within(places, theirs), seconds=seconds)  # fmt: skip
        if folder is not None and seed == seeds[0]:
            for word, values in {"shift": shift, "digit": labels}.items():
                panel = {f"similar: {name}; by {word}": points}
                write_embeddings(folder / f"drlim_{name}_{word}.png", panel, values)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    kf.set_threads(1)
    warnings.simplefilter("ignore")
    for part in arguments.parts:
        if part == "digits":
            digits(arguments.seeds, arguments.pictures)
        else:
            shifts(arguments.seeds, arguments.pictures, part)


if __name__ == "__main__":
    main()
