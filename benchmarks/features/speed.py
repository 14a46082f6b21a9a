"""Photos described a second: the extractor beside a plain loop in the manner of the public cnnimageretrieval code.

    python -m benchmarks.features.speed [--networks squeezenet1_1 mobilenet_v2 resnet50] [--photos 64] [--threads 1]

The plain loop is written after that code's extraction, with the same network, weights and size: one photo at a time,
decoded by Pillow, as a contiguous tensor; per scale a bilinear resize without antialiasing, the network as it was
loaded, GeM by clamp, power, mean and root, L2; the power mean over three scales, L2. The extractor does the same
with ``antialias=False``. Contestants take turns, the best of some rounds counts; cosines are between their
descriptors; the ratio of CPU time says the same on a machine that others use, too. Networks without weights at hand
are random: their speed is the same.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import kinfold as kf
from benchmarks.data import SHARED
from kinfold.features.backbones.cut import cut
from kinfold.features.extract import Extractor
from kinfold.features.weights import network, random_network, read_weights

SCALES = (1.0, 2**-0.5, 0.5)
P = 3.0


def plain_loop(net: torch.nn.Module, files: list[Path], side: int) -> NDArray[np.float32]:
    """One photo after the other."""
    features = cut(net)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (net.mean, net.std))
    described = []
    with torch.no_grad():
        for file in files:
            image = Image.open(file).convert("RGB")
            image.thumbnail((side, side), Image.Resampling.LANCZOS)
            tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float() / 255
            tensor = ((tensor - mean) / std).unsqueeze(0)
            total = torch.zeros(1)
            for scale in SCALES:
                scaled = tensor
                if scale != 1:
                    scaled = torch.nn.functional.interpolate(
                        tensor, scale_factor=scale, mode="bilinear", align_corners=False
                    )
                maps = features(scaled)
                pooled = maps.clamp(min=1e-6).pow(P)
                pooled = torch.nn.functional.avg_pool2d(pooled, pooled.shape[-2:]).pow(1 / P)
                vector = pooled.flatten(1)
                vector = vector / (vector.norm(p=2, dim=1, keepdim=True) + 1e-6)
                total = total + vector.pow(P)
            vector = (total / len(SCALES)).pow(1 / P)
            described.append((vector / vector.norm())[0].numpy())
    return np.stack(described)


def main() -> None:
    """Print one line for each network and contestant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    networks = ["squeezenet1_1", "mobilenet_v2", "resnet50"]
    parser.add_argument("--networks", nargs="+", default=networks)
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    kf.set_threads(arguments.threads)
    every = sorted((SHARED / "photos" / "jpg").glob("*.jpg"))
    if not every:
        sys.exit(f"needs the photos in {SHARED / 'photos'}")
    files = every[:: max(1, len(every) // arguments.photos)][: arguments.photos]
    print(
        f"{len(files)} photos, longer side {arguments.side}, 3 scales, GeM, {arguments.threads} threads"
    )
    print(
        f"{'network':14}{'contestant':24}{'photos/s':>9}{'ratio':>7}{'CPU ratio':>11}{'least cosine':>14}"
    )
    for name in arguments.networks:
        weights = SHARED / "weights" / f"{name}.safetensors"
        random = not weights.exists()
        net = random_network(name, 0) if random else network(read_weights(weights))
        options = {
            "p": P,
            "scales": SCALES,
            "max_side": arguments.side,
            "antialias": False,
            "batch": arguments.batch,
        }
        if random:
            options["architecture"] = name
        contestants: dict[str, Callable[[], NDArray[np.float32]]] = {
            "plain loop": lambda net=net: plain_loop(net, files, arguments.side)
        }
        for precision in ("float32", "bfloat16"):
            e = Extractor("random" if random else weights, precision=precision, **options)
            contestants[f"Extractor, {precision}"] = lambda e=e: e.describe_all(
                files, verbose=False
            )
        best = dict.fromkeys(contestants, np.inf)
        cpu = dict.fromkeys(contestants, np.inf)
        vectors = {}
        for _ in range(arguments.rounds):
            for contestant, describe in contestants.items():
                began, spent = time.perf_counter(), time.process_time()
                vectors[contestant] = describe()
                best[contestant] = min(best[contestant], time.perf_counter() - began)
                cpu[contestant] = min(cpu[contestant], time.process_time() - spent)
        for contestant, seconds in best.items():
            cosine = (vectors[contestant] * vectors["plain loop"]).sum(axis=1).min()
            ratio = best["plain loop"] / seconds
            of_cpu = cpu["plain loop"] / cpu[contestant]
            print(
                f"{name:14}{contestant:24}{len(files) / seconds:9.2f}{ratio:7.2f}{of_cpu:11.2f}{cosine:14.6f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
