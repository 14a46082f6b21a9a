"""Maps of turning objects: a cylinder of an airplane's poses, a closed curve for each of COIL-20's objects.

OMP_NUM_THREADS=1 python -m benchmarks.learn.drlim_pose --parts airplane coil --seeds 0 1 2 --pictures FOLDER

airplane: the rendered one, or with --norb FOLDER the airplane of small NORB; 660 random pictures are learnt in three
dimensions, similar are adjacent azimuths and adjacent elevations in any lighting; figures are of all others. coil:
every other view of each object is learnt in the plane, similar are adjacent ones; figures are of the views between.
Settings were chosen on seeds 0 to 3 of the airplane, and on objects 5, 10 and
19 with seed 0.
"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.learn.judge import circular_correlation, spread_within
from kinfold.datasets.airplane import airplane
from kinfold.datasets.coil import coil20
from kinfold.datasets.norb import small_norb
from kinfold.datasets.views import Views
from kinfold.learn.similar import pose_pairs
from kinfold.report.embedding import write_embeddings
from kinfold.report.figures.poses import cylinder, write_poses

OF_CURVES: dict[str, Any] = {
    "epochs": 300, "batch": 36, "rate": 1e-3, "repulsion": 0.2, "first_repulsion": 0.2,
}  # fmt: skip


def tell(**row: Any) -> None:
    """A line of results."""
    short = {k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}
    print(json.dumps(short), flush=True)


def poses(views: Views, seeds: list[int], folder: Path | None) -> None:
    """The cylinder."""
    from scipy.stats import spearmanr

    n = len(views.images)
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(n)
        learnt, held = np.sort(order[:660]), np.sort(order[660:])
        some = views.chosen(learnt)
        model = kf.DrLIM(3, network="connected", epochs=30, seed=seed, verbose=False)
        start = time.process_time()
        pairs = pose_pairs(some)
        model.fit(some.images, pairs=pairs)
        seconds = time.process_time() - start
        points = model.transform(views.images)
        angle, height = cylinder(points, points[learnt])
        true = np.deg2rad(views.azimuths)
        pose = views.azimuths * 1000 + views.elevations
        for name, rows in {"learnt": learnt, "held out": held}.items():
            tell(seed=seed, views=name, pairs=len(pairs),
                 azimuth=abs(circular_correlation(angle[rows], true[rows])),
                 elevation=abs(float(spearmanr(height[rows], views.elevations[rows])[0])),
                 lighting=spread_within(points, pose), seconds=seconds)  # fmt: skip
        if folder is not None and seed == seeds[0]:
            write_poses(folder / "drlim_airplane.png", views, points, points[learnt])


def coil(seeds: list[int], folder: Path | None) -> None:
    """A curve for each object."""
    views = coil20(data.SHARED / "coil20")
    side = views.images.shape[1] // 4
    small = views.images.reshape(-1, side, 4, side, 4).mean(axis=(2, 4))
    panels, table = {}, []
    for number in range(20):
        own = views.objects == number
        images, true = small[own], np.deg2rad(views.azimuths[own])
        pairs = pose_pairs(views.chosen(own).chosen(slice(None, None, 2)))
        found = []
        start = time.process_time()
        for seed in seeds:
            model = kf.DrLIM(2, network="connected", seed=seed, verbose=False, **OF_CURVES)
            points = model.fit(images[::2], pairs=pairs).transform(images)
            centred = points - points[::2].mean(axis=0)
            angle = np.arctan2(centred[:, 1], centred[:, 0])
            found.append([abs(circular_correlation(angle[part::2], true[part::2])) for part in (0, 1)])  # fmt: skip
            panels.setdefault(number, points)
        learnt, held = np.mean(found, axis=0)
        table.append(held)
        tell(object=number + 1, learnt=float(learnt), held_out=float(held),
             least=float(np.min(found, axis=0)[1]), seconds=(time.process_time() - start) / len(seeds))  # fmt: skip
    tell(mean=float(np.mean(table)), above_95=int((np.array(table) > 0.95).sum()))
    if folder is not None:
        shown = {f"object {i + 1}: {table[i]:.3f}": panels[i] for i in (0, 2, 4, 5, 7, 11, 15, 18)}
        write_embeddings(folder / "drlim_coil.png", shown, np.arange(72.0) * 5)


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=["airplane", "coil"], default=["airplane", "coil"])  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--norb", type=Path, help="folder of small NORB")
    parser.add_argument("--instance", type=int, default=4, help="of NORB's airplanes")
    parser.add_argument("--pictures", type=Path)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    kf.set_threads(1)
    if "airplane" in arguments.parts:
        if arguments.norb is None:
            views = airplane()
        else:
            views = small_norb(arguments.norb, category="airplane", instance=arguments.instance)
        poses(views, arguments.seeds, arguments.pictures)
    if "coil" in arguments.parts:
        coil(arguments.seeds, arguments.pictures)


if __name__ == "__main__":
    main()
