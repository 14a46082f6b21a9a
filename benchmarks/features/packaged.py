"""Mean, GeM and R-MAC of several networks on the real photos of `../shared/data/photos`, on halves of its objects.

    python -m benchmarks.features.packaged [--networks squeezenet1_1 mobilenet_v2 efficientnet-lite2] [--cuts 10]

Photos at 640 pixels, one scale; queries cropped to their boxes; cosine; AP is Oxford's trapezoid with junk removed.
Objects and distractors are cut in two halves at random, ten times: the queries of each half search it, so that there
are 20 figures whose mean and standard deviation are printed.

centred    the mean of the other half's descriptors subtracted
w128 w256  PCA-whitening with exponent 0.25 and Ledoit-Wolf shrinkage to so many dimensions, learnt on the other
           half; of R-MAC each region is whitened before they are summed
whole      centred, the whole database with all queries: what published figures of these photos compare with
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.data import CACHE, SHARED
from benchmarks.features.map_cnn import PHOTOS, cosine, halves, mean_ap, photos
from kinfold.features.extract import Extractor
from kinfold.features.pool.gem import GeM
from kinfold.features.pool.regions import Regions
from kinfold.transform.normalize import l2_normalize
from kinfold.transform.pca import PCA

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
WHITEN = 0.25


def looked_at(extractor: Extractor, truth: dict) -> dict[str, Array]:
    """Of all photos (database, then queries): "mean" and "GeM" (n, k), "regions" (r, k) and "starts" (n + 1,)."""
    import torch

    path = CACHE / f"packaged-{extractor.fingerprint}.npz"
    if not path.exists():
        gem, grid = GeM(3.0).eval(), Regions()
        kept: dict[str, list[Array]] = {"mean": [], "GeM": [], "regions": []}
        began = time.process_time()
        with torch.inference_mode():
            for photo in photos(truth):
                maps = torch.from_numpy(extractor.maps(photo))[None]
                kept["mean"].append(maps.mean(dim=(2, 3))[0].numpy())
                kept["GeM"].append(gem(maps)[0].numpy())
                regions = torch.nn.functional.normalize(grid(maps)[0], dim=1)
                kept["regions"].append(regions.numpy().astype(np.float16))
        seconds = (time.process_time() - began) / len(kept["mean"])
        print(f"# {extractor.trunk.name}: {seconds * 1e3:.0f} ms of processor time a photo")
        starts = np.cumsum([0, *(len(rows) for rows in kept["regions"])])
        CACHE.mkdir(parents=True, exist_ok=True)
        np.savez(
            path, mean=np.stack(kept["mean"]), GeM=np.stack(kept["GeM"]),
            regions=np.concatenate(kept["regions"]), starts=starts,
        )  # fmt: skip
    with np.load(path) as file:
        return {name: file[name].astype(np.float32 if name != "starts" else int) for name in file}


def whitening(x: Array, dim: int) -> PCA:
    """Learnt on all rows, of which 20,000 are enough."""
    sample = x[:: -(-len(x) // 20_000)]
    most = min(dim, len(sample) - 1, x.shape[1])
    return PCA(most, whiten=WHITEN, shrinkage="ledoit-wolf").fit(sample)


def vectors(x: Array) -> Callable[[Rows, int | None], Array]:
    """How descriptors (n, k) become those that are compared, by what some rows teach."""
    unit = l2_normalize(x)

    def compared(fit: Rows, dim: int | None) -> Array:
        return (
            unit - unit[fit].mean(axis=0)
            if dim is None
            else whitening(unit[fit], dim).transform(unit)
        )

    return compared


def sums(regions: Array, starts: Rows) -> Callable[[Rows, int | None], Array]:
    """The same for R-MAC."""
    plain = vectors(np.add.reduceat(regions, starts[:-1]))

    def compared(fit: Rows, dim: int | None) -> Array:
        if dim is None:
            return plain(fit, None)
        rows = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in fit])
        whitened = l2_normalize(whitening(regions[rows], dim).transform(regions))
        return np.add.reduceat(whitened, starts[:-1])

    return compared


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--networks", nargs="+", default=["squeezenet1_1", "mobilenet_v2", "efficientnet-lite2"]
    )
    parser.add_argument("--max-side", type=int, default=640)
    parser.add_argument("--cuts", type=int, default=10)
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    truth = json.loads((PHOTOS / "ground_truth.json").read_text())
    n = len(truth["imlist"])
    every = np.arange(n), np.arange(len(truth["qimlist"]))
    cuts = [cut for seed in range(arguments.cuts) for cut in halves(truth, seed)]
    print(f"{'network':20}{'pooling':8}{'whole':>8}{'centred':>16}{'w128':>16}{'w256':>16}")
    for name in arguments.networks:
        file = SHARED / "weights" / f"{name}.safetensors"
        weights = file if file.exists() else name
        seen = looked_at(Extractor(weights, scales=[1.0], max_side=arguments.max_side), truth)
        for pooling, compared in (
            ("mean", vectors(seen["mean"])),
            ("GeM", vectors(seen["GeM"])),
            ("R-MAC", sums(seen["regions"], seen["starts"])),
        ):
            line = f"{name:20}{pooling:8}{mean_ap(cosine(compared(every[0], None), n), truth, *every):8.4f}"
            for dim in (None, 128, 256):
                found = [mean_ap(cosine(compared(fit, dim), n), truth, s, q) for fit, s, q in cuts]
                line += f"{np.mean(found):9.4f} ±{np.std(found, ddof=1):.4f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
