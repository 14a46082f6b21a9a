"""Context prediction on the real photos of `../shared/data/photos`: accuracy, shortcuts, neighbours, retrieval.

    python -m benchmarks.learn.context train [--pairs 65536] [--colour projection] [--lens 0] [--learn most]
    python -m benchmarks.learn.context overfit
    python -m benchmarks.learn.context retrieval [--seeds 0 1 2]
    python -m benchmarks.learn.context collection [--seeds 0]
    python -m benchmarks.learn.context shortcut [--lens 0.0075]
    python -m benchmarks.learn.context neighbours

Objects and distractors are cut in two halves, as in features/map_cnn.py. Networks learn from the photos of one half;
accuracy, places, neighbours and mAP are of the other, and which epoch is the best is told by a tenth of the photos that
are learnt from. "--learn chosen" is what settings were chosen by: networks learn from five sixths of the first half's
objects and are asked about the others; "--learn most" does so with all photos. Trained networks are kept in the cache
folder. --lens makes photos as a lens would that enlarges green: the experiment on shortcuts.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.data import CACHE, SHARED
from benchmarks.features.map_cnn import cosine, halves, mean_ap, photos as retrieval_photos
from kinfold.features.backbones.compact import Compact
from kinfold.features.extract import Extractor
from kinfold.features.safetensors import read_safetensors, write_safetensors
from kinfold.features.weights import random_network
from kinfold.images.decode import decode
from kinfold.images.resize import resize
from kinfold.learn.aberration import without_aberration
from kinfold.learn.checkpoint import restore, save_weights, state_arrays
from kinfold.learn.context import ContextNetwork, accuracy, context_prediction, tensors
from kinfold.learn.loop import train
from kinfold.learn.losses.context import ContextLoss
from kinfold.learn.patches import Grid, PatchPairs
from kinfold.learn.statistics import calibrate
from kinfold.report.figures.patches import write_nearest
from kinfold.transform.normalize import l2_normalize

PHOTOS = SHARED / "photos"
Array = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PARTS = ("train", "overfit", "retrieval", "collection", "shortcut", "neighbours")
GRID = Grid()
NEIGHBOURS, BATCH, EPOCH, RATE = 8, 128, 8192, 1e-3
# Of a photo's width and height: three pixels in the corner of one of 640 x 480.
LENS = 0.0075
# Photos under CC BY 4.0.
FREE = "lessthanoptimal/BoofCV-Data"


class Cut(NamedTuple):
    """Rows of the database that are learnt from, and that are asked about; and queries of the latter."""

    learnt: NDArray[np.int64]
    asked: NDArray[np.int64]
    queries: NDArray[np.int64]


def cut(truth: dict, how: str) -> Cut:
    """One half and the other; or of all photos ("most"), or of the first half ("chosen"), a sixth of the objects."""
    (learnt, asked, queries), (_, here, theirs) = halves(truth, 0)
    if how == "half":
        return Cut(learnt, asked, queries)
    if how == "most":
        here, theirs = np.arange(len(truth["imlist"])), np.arange(0)
    random = np.random.default_rng(5)
    names = [truth["imlist"][row] for row in here]
    # A distractor is an object of its own.
    objects = [n if n.startswith("distractor") else n.rsplit("_", 1)[0] for n in names]
    left_out = set(random.permutation(sorted(set(objects)))[::6])
    apart = np.array([name in left_out for name in objects])
    return Cut(here[~apart], here[apart], theirs)


def files(truth: dict, rows: NDArray[np.int64]) -> list[Path]:
    return [PHOTOS / "jpg" / f"{truth['imlist'][row]}.jpg" for row in rows]


def through_lens(pixels: Pixels, lens: float) -> Pixels:
    """The photo as if green were enlarged by 1 + lens about its middle: lateral chromatic aberration."""
    if not lens:
        return pixels
    from PIL import Image

    height, width = pixels.shape[:2]
    inset = np.array([width, height]) * lens / (1 + lens) / 2
    box = (inset[0], inset[1], width - inset[0], height - inset[1])
    out = pixels.copy()
    green = Image.fromarray(np.ascontiguousarray(pixels[..., 1]))
    out[..., 1] = np.asarray(green.resize((width, height), Image.Resampling.BICUBIC, box=box))
    return out


def seen(truth: dict, rows: NDArray[np.int64], lens: float) -> list[Pixels]:
    """Photos as pixels, through a lens."""
    most = 450_000
    photos = []
    for file in files(truth, rows):
        pixels = decode(file).pixels
        height, width = pixels.shape[:2]
        scale = (most / (height * width)) ** 0.5
        if scale < 1:
            pixels = resize(pixels, round(width * scale), round(height * scale))
        photos.append(through_lens(pixels, lens))
    return photos


# --- training ----------------------------------------------------------------------------------------


def path_of(colour: str, lens: float, seed: int, how: str, what: str) -> Path:
    name = f"context-{colour}{f'-lens{lens:g}' if lens else ''}{'' if how == 'half' else f'-{how}'}-{seed}-{what}"
    return CACHE / f"{name}.safetensors"


def taught(truth: dict, options: argparse.Namespace, seed: int) -> None:
    """Train one network; keep its trunk for whole photos, and the network that tells positions."""
    parts = cut(truth, options.learn)
    torch.manual_seed(seed)
    network = Compact()
    start, processor = time.perf_counter(), time.process_time()
    learnt = context_prediction(
        network, seen(truth, parts.learnt, options.lens), epochs=options.pairs // EPOCH, batch=BATCH,
        neighbours=NEIGHBOURS, pairs_an_epoch=EPOCH, rate=RATE, colour=options.colour, precision="bfloat16",
        weight_decay=1e-4, seed=seed, memory=4 << 30, verbose=False,
    )  # fmt: skip
    seconds, used = time.perf_counter() - start, time.process_time() - processor
    for what, module in (("trunk", network), ("whole", learnt.network)):
        CACHE.mkdir(parents=True, exist_ok=True)
        path = path_of(options.colour, options.lens, seed, options.learn, what)
        write_safetensors(path, state_arrays(module), {"architecture": "compact"})
    others = seen(truth, parts.asked, options.lens)
    asked = PatchPairs(others, colour=options.colour, neighbours=8, memory=4 << 30, seed=9)
    told = accuracy(learnt.network, asked.batches(0, count=4096, batch=BATCH))
    curve = " ".join(f"{epoch.score:.3f}" for epoch in learnt.history.epochs)
    print(
        f"{options.colour} lens {options.lens:g} seed {seed}: {options.pairs} pairs of {len(parts.learnt)} photos "
        f"({len(learnt.left_out)} left out), accuracy on others {told:.3f}, by epoch on a tenth of its own "
        f"[{curve}], loss {learnt.history.epochs[-1].loss:.3f}, {seconds:.0f} s, {used:.0f} s of a processor",
        flush=True,
    )


def trained(colour: str, lens: float, seed: int, how: str = "half") -> ContextNetwork:
    """What ``train`` kept."""
    arrays, _ = read_safetensors(path_of(colour, lens, seed, how, "whole"))
    network = ContextNetwork(Compact())
    restore(network, arrays)
    return network.eval()


def untrained(truth: dict, seed: int, rows: NDArray[np.int64]) -> Compact:
    """The network before training, batch normalisation with the statistics of the photos that are learnt from."""
    torch.manual_seed(seed)
    return calibrate(Compact(), files(truth, rows), seed=seed)


# --- what is measured --------------------------------------------------------------------------------


def overfit(truth: dict) -> None:
    """512 pairs of 64 photos, always the same patches: place, size, coarseness and colours are drawn once."""
    rows = cut(truth, "half").learnt
    pairs = PatchPairs(files(truth, rows[:: len(rows) // 64][:64]), neighbours=NEIGHBOURS, seed=0)
    fixed = list(pairs.batches(0, count=512, batch=BATCH))
    torch.manual_seed(0)
    network, loss = ContextNetwork(Compact()), ContextLoss()

    def step(net: Any, drawn: Any) -> Any:
        patches, positions = tensors(drawn)
        return loss(net(patches).float().flatten(0, 1), positions.flatten())

    start = time.process_time()
    for epochs in (10, 20, 40):
        history = train(
            network, lambda epoch: fixed, step, epochs=epochs, rate=RATE, optimiser="adamw", statistics=True,
            precision="bfloat16", verbose=False,
        )  # fmt: skip
        told = accuracy(network, fixed)
        print(f"{epochs} more epochs: loss {history.epochs[-1].loss:.3f}, accuracy {told:.3f}, "
              f"{time.process_time() - start:.0f} s of a processor", flush=True)  # fmt: skip
        if told > 0.98:
            break


def pooled(weights: Path, truth: dict, rows: NDArray[np.int64]) -> dict[str, Array]:
    """Of some photos and queries, two poolings of the trunk's maps at 640 pixels: (database + queries, 128), else 0."""
    extractor = Extractor(weights, architecture="compact", scales=(1.0,), max_side=640)
    wanted = set(rows.tolist())
    out = {
        name: np.zeros((len(truth["imlist"]) + len(truth["qimlist"]), 128), np.float32)
        for name in ("mean", "GeM 3")
    }
    for row, photo in enumerate(retrieval_photos(truth)):
        if row in wanted:
            maps = extractor.maps(photo)
            out["mean"][row] = maps.mean(axis=(1, 2))
            out["GeM 3"][row] = (maps.clip(1e-6) ** 3).mean(axis=(1, 2)) ** (1 / 3)
    return out


def retrieval(truth: dict, options: argparse.Namespace) -> None:
    """mAP of the asked half's queries among its photos: untrained, calibrated, and trained."""
    learnt, searched, queries = next(halves(truth, 0))
    n = len(truth["imlist"])
    lines: dict[tuple[str, str], list[float]] = {}
    for seed in options.seeds:
        blank = CACHE / f"context-untrained-{seed}.safetensors"
        save_weights(blank, untrained(truth, seed, learnt), "compact")
        trunk = path_of(options.colour, 0.0, seed, "half", "trunk")
        for name, weights in (("untrained", blank), ("context", trunk)):
            for pooling, x in pooled(weights, truth, np.append(searched, n + queries)).items():
                unit = l2_normalize(x)
                centred = unit - unit[searched].mean(axis=0)
                score = mean_ap(cosine(centred, n), truth, searched, queries)
                lines.setdefault((name, pooling), []).append(score)
                print(f"seed {seed} {name:10} {pooling:6} mAP {score:.4f}", flush=True)
    for (name, pooling), scores in lines.items():
        print(f"{name:10} {pooling:6} {np.mean(scores):.4f} ± {np.std(scores):.4f}")


def nine(photo: Pixels, random: np.random.Generator) -> tuple[Pixels, Array]:
    """Nine patches (9, s, s, 3) of a photo, and where in it their middles are, from -1 to 1: row, column."""
    height, width = photo.shape[:2]
    scale = 1.1 * GRID.side / min(height, width)
    photo = resize(photo, round(width * scale), round(height * scale))
    room = np.array(photo.shape[:2]) - GRID.side
    steps = np.stack(np.meshgrid(range(3), range(3), indexing="ij"), -1).reshape(9, 2)
    corners = random.integers(room + 1) + GRID.jitter + steps * (GRID.patch + GRID.gap)
    side = GRID.patch
    patches = np.stack([photo[r : r + side, c : c + side] for r, c in corners])
    return patches, ((corners + side / 2) / photo.shape[:2] * 2 - 1).astype(np.float32)


def codes(network: ContextNetwork, patches: Pixels, colour: str) -> Array:
    """fc6 of patches."""
    random = np.random.default_rng(0)
    parts = []
    with torch.inference_mode():
        for start in range(0, len(patches), 90):
            hidden = without_aberration(patches[start : start + 90], colour, random)
            parts.append(network.codes(torch.from_numpy(hidden).permute(0, 3, 1, 2)).numpy())
    return np.concatenate(parts)


def positions_told(x: Array, where: Array) -> NDArray[np.float64]:
    """Share of the variance of row and column that a ridge regression tells, learnt on the first half of the rows."""
    half = len(x) // 18 * 9  # whole photos
    mean, deviation = x[:half].mean(axis=0), x[:half].std(axis=0) + 1e-6
    x = (x - mean) / deviation
    gram = x[:half].T @ x[:half] + 0.1 * half * np.eye(x.shape[1])
    told = x @ np.linalg.solve(gram, x[:half].T @ (where[:half] - where[:half].mean(axis=0)))
    told += where[:half].mean(axis=0)
    error = ((told - where)[half:] ** 2).mean(axis=0)
    return 1 - error / where[half:].var(axis=0)


def shortcut(truth: dict, options: argparse.Namespace) -> None:
    """Networks taught through a lens: accuracy on others through it and without; what fc6 tells of the place."""
    rows = cut(truth, "half").asked
    print(
        f"{'colours':12}{'through the lens':>18}{'without':>10}{'lost':>8}   place told: row, column"
    )
    photos = {
        lens: [p for p in seen(truth, rows, lens) if usable(p)] for lens in (0.0, options.lens)
    }
    for colour in options.colours:
        through = path_of(colour, options.lens, 0, "half", "whole").exists()
        network = trained(colour, options.lens if through else 0.0, 0)
        scores = [
            accuracy(
                network,
                PatchPairs(photos[lens], colour=colour, neighbours=8, memory=4 << 30, seed=9)
                .batches(0, count=4096, batch=BATCH),
            )
            for lens in (options.lens, 0.0)
        ]  # fmt: skip
        random = np.random.default_rng(1)
        parts = [nine(photo, random) for photo in photos[options.lens]]
        patches, where = (np.concatenate(part) for part in zip(*parts))
        told = positions_told(codes(network, patches, colour), where)
        note = "" if through else "   taught without the lens"
        print(
            f"{colour:12}{scores[0]:18.3f}{scores[1]:10.3f}{scores[0] - scores[1]:8.3f}   "
            f"{told[0]:.3f} {told[1]:.3f}{note}",
            flush=True,
        )


def usable(photo: Pixels) -> bool:
    """Whether a whole grid fits, see learn.patches."""
    shorter, longer = sorted(photo.shape[:2])
    return shorter * 2 >= GRID.side and longer / shorter * GRID.side**2 <= 450_000


def collection(truth: dict, options: argparse.Namespace) -> None:
    """Learnt without labels from the collection that is searched in (`train --learn most`); and COIL-20."""
    from benchmarks.learn.video import scores, searched

    data = searched()

    def told(name: str, network: Compact) -> None:
        network.requires_grad_(True)
        calibrate(network, data[0], squares=256, side=128)
        line = "".join(f"  {what} {value:.3f}" for what, value in scores(network, data).items())
        print(f"{name:12}{line}", flush=True)

    for seed in (0, 1, 2):
        told(f"untrained {seed}", random_network("compact", seed))
    for seed in options.seeds:
        arrays, _ = read_safetensors(path_of("projection", 0.0, seed, "most", "trunk"))
        trunk = Compact()
        restore(trunk, arrays)
        told(f"context {seed}", trunk)


def neighbours(truth: dict, options: argparse.Namespace) -> None:
    """The picture: patches of asked photos, and their nearest among those of all others, by three networks.

    Of photos under CC BY 4.0 alone, which may be shown.
    """
    parts, random = cut(truth, "half"), np.random.default_rng(3)
    with (PHOTOS / "sources.csv").open(newline="") as file:
        free = {line["file"] for line in csv.DictReader(file) if line["repository"] == FREE}
    rows = np.array([row for row in parts.asked if f"{truth['imlist'][row]}.jpg" in free])
    photos = [p for p in seen(truth, rows, 0.0) if usable(p)]
    patches = np.concatenate([nine(photo, random)[0] for photo in photos])
    of = np.repeat(np.arange(len(photos)), 9)
    torch.manual_seed(0)
    blank = ContextNetwork(Compact())
    blank.train()
    with torch.no_grad():  # its statistics, from patches
        hidden = without_aberration(patches[:: max(len(patches) // 600, 1)], "projection", random)
        for norm in blank.modules():
            if hasattr(norm, "momentum"):
                norm.momentum = None
        blank.codes(torch.from_numpy(hidden).permute(0, 3, 1, 2))
    blank.eval()
    squeeze = Extractor(
        SHARED / "weights" / "squeezenet1_1.safetensors",
        pooling="spoc",
        side=96,
        scales=(1.0,),
        batch=64,
    )
    described = {
        "random weights": codes(blank, patches, "projection"),
        "ImageNet, supervised": squeeze.describe_all(patches, verbose=False),
        "context, no labels": codes(trained("projection", 0.0, 0), patches, "projection"),
    }
    lively = np.flatnonzero(patches[:, ::4, ::4].std(axis=(1, 2, 3)) > 40)
    queries = random.permutation(lively)[:8]
    write_nearest(options.output, patches, of, queries, described)
    print(options.output)


def main() -> None:
    """One part of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--pairs", type=int, default=98_304)
    parser.add_argument("--colour", default="projection")
    parser.add_argument("--colours", nargs="+", default=["keep", "projection", "drop"])
    parser.add_argument("--lens", type=float, default=None)
    parser.add_argument("--learn", choices=["half", "most", "chosen"], default="half")
    parser.add_argument("--output", default="context_neighbours.png")
    options = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    torch.set_num_threads(1)
    truth = json.loads((PHOTOS / "ground_truth.json").read_text())
    if options.lens is None:
        options.lens = LENS if options.part == "shortcut" else 0.0
    if options.part == "train":
        for seed in options.seeds:
            taught(truth, options, seed)
    elif options.part == "overfit":
        overfit(truth)
    else:
        globals()[options.part](truth, options)


if __name__ == "__main__":
    main()
