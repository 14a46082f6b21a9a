"""What is learnt from tracking in the real videos of `../shared/data/video`.

    python -m benchmarks.learn.video track
    python -m benchmarks.learn.video pairs [--sheet docs/pictures/video_pairs.png] [--judge FOLDER]
    python -m benchmarks.learn.video train [--seeds 0 1 2] [--epochs 16] [--grey 0.3] [--apart 30]

track   a box marked by hand is followed for 30 frames and compared with the one marked there; its size stays
pairs   pairs are mined, once (KINFOLD_BENCH_CACHE), with tracks begun each four frames; --judge writes sheets of 100
        drawn pairs, to be looked at
train   the network `compact` from nothing; mAP of its maps' means and GeM on photos (queries cropped to their boxes,
        Oxford's AP) and on COIL-20 (every view asks for the others of its object, every fourth view), before and after.
        A network of random weights is told with the statistics it is made with and with those of the photos it
        searches: the better counts
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.data import CACHE, SHARED
from benchmarks.features import map_cnn
from kinfold.features.weights import random_network
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.images.video import frames
from kinfold.learn.mine.tracks import TrackedPairs, mine_tracks
from kinfold.learn.statistics import calibrate
from kinfold.learn.validation import retrieval_score
from kinfold.learn.video import train_video
from kinfold.local.kcf import KCF, overlap
from kinfold.transform.normalize import l2_normalize

VIDEOS = SHARED / "video"
NAMES = (
    "box.mp4", "cup.mp4", "bikes.mp4", "carphone_pristine.mp4", "Megamind.avi", "bigbuckbunny.mp4",
    "tree.avi", "vtest.avi",
)  # fmt: skip
# Whose terms allow that they are shown.
FREE = ("box.mp4", "cup.mp4", "vtest.avi")
SHARP = 7
FIELDS = ("first", "last", "videos", "frames", "boxes", "sharpness")


def track(_: argparse.Namespace) -> None:
    """The table of segments."""
    from marked import CUTS, MARKED

    print("video      from  still   IoU  centre/size  sharpness  frames/s")
    for name, marked in MARKED.items():
        film = [pixels for _, pixels in frames(VIDEOS / name)]
        for start, box in marked.items():
            if start + 30 not in marked or (name, start) in CUTS:
                continue
            tracker, begun = KCF(film[start], box), time.process_time()
            found = [tracker.update(frame) for frame in film[start + 1 : start + 31]]
            seconds = time.process_time() - begun
            there = np.array(marked[start + 30], float).reshape(2, 2)
            off = np.linalg.norm(np.array(found[-1].box).reshape(2, 2).mean(0) - there.mean(0))
            size = np.sqrt(np.prod(there[1] - there[0]))
            print(
                f"{name:10}{start:5}{overlap(box, there.ravel()):7.2f}{overlap(found[-1].box, there.ravel()):6.2f}"
                f"{off / size:13.2f}{min(f.sharpness for f in found):11.1f}{30 / seconds:10.0f}"
            )


def mined() -> TrackedPairs:
    """Pairs of all videos, from the cache where they are there."""
    CACHE.mkdir(parents=True, exist_ok=True)
    parts = []
    for name in NAMES:
        path = CACHE / f"tracks-{name}.npz"
        if not path.exists():
            begun = time.process_time()
            # A tenth of the points must move, not a quarter: most corners of the fixed cameras' views are behind.
            found = mine_tracks([VIDEOS / name], every=4, least=0.1, least_sharpness=5.0)
            seconds = time.process_time() - begun
            np.savez(path, seconds=seconds, **{field: getattr(found, field) for field in FIELDS})
        with np.load(path) as data:
            parts.append({field: data[field] for field in FIELDS})
            print(
                f"{name:24}{len(data['videos']):5} pairs{float(data['seconds']):8.0f} s", flush=True
            )
    for number, part in enumerate(parts):
        part["videos"] = np.full(len(part["videos"]), number, np.int64)
    return TrackedPairs(*(np.concatenate([part[field] for part in parts]) for field in FIELDS))


def selected(pairs: TrackedPairs, rows: np.ndarray) -> TrackedPairs:
    return TrackedPairs(*(getattr(pairs, field)[rows] for field in FIELDS))


def sheet(
    pairs: TrackedPairs, rows: np.ndarray, columns: int, path: Path, *, side: int, numbered: bool
) -> None:
    """Pairs side by side, as one picture."""
    import cv2

    tiles = []
    for number, row in enumerate(rows):
        both = np.hstack([
            cv2.resize(patch[row], (side, side), interpolation=cv2.INTER_AREA)
            for patch in (pairs.first, pairs.last)
        ])  # fmt: skip
        if numbered:
            cv2.putText(
                both, f"{number} {pairs.sharpness[row]:.1f}", (2, 12), 0, 0.4, (255, 255, 0), 1
            )
        tiles.append(np.pad(both, ((3, 3), (5, 5), (0, 0)), constant_values=255))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    lines = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    # 256 colours: a third of the bytes.
    Image.fromarray(np.vstack(lines)).quantize(256).save(path, optimize=True)


def pairs(options: argparse.Namespace) -> None:
    """How many there are, and pictures of them."""
    found = mined()
    sharp = found.sharpness >= SHARP
    print(f"{len(found)} pairs, {sharp.sum()} of them of sharpness {SHARP} and more")
    if options.sheet is not None:
        kept = [np.flatnonzero(sharp & (found.videos == NAMES.index(name))) for name in FREE]
        # Four of each video, spread over its length.
        rows = [
            part[np.linspace(0, len(part) - 1, 4).astype(int)] for part in kept if len(part) >= 4
        ]
        sheet(found, np.concatenate(rows), 4, options.sheet, side=64, numbered=False)
    if options.judge is not None:
        drawn = np.random.default_rng(0).permutation(len(found))[:100]
        drawn = drawn[np.argsort(found.videos[drawn], kind="stable")]
        options.judge.mkdir(parents=True, exist_ok=True)
        for part in range(0, len(drawn), 50):
            sheet(
                found, drawn[part : part + 50], 7, options.judge / f"pairs-{part}.png", side=96,
                numbered=True,
            )  # fmt: skip


def searched() -> tuple[list[np.ndarray], dict, np.ndarray, np.ndarray]:
    """Photos (database, then queries inside their boxes) of 256 pixels, their truth; COIL-20's views and objects."""
    truth = json.loads((SHARED / "photos" / "ground_truth.json").read_text())
    names = [(name, None) for name in truth["imlist"]]
    names += [(name, entry["bbx"]) for name, entry in zip(truth["qimlist"], truth["gnd"])]
    photos = []
    for name, box in names:
        pixels = decode(SHARED / "photos" / "jpg" / f"{name}.jpg").pixels
        if box is not None:
            left, top, right, bottom = (round(side) for side in box)
            pixels = pixels[top:bottom, left:right]
        photos.append(fit(pixels, 256))
    with np.load(SHARED / "coil20" / "coil20.npz") as data:
        views = data["images"][:, ::4]
    grey = np.repeat(views.reshape(-1, *views.shape[2:], 1), 3, axis=3)
    return photos, truth, grey, np.repeat(np.arange(len(views)), views.shape[1])


def described(network: object, images: object) -> dict[str, np.ndarray]:
    """Means of the maps of each image, and their GeM with p = 3."""
    found: dict[str, list[np.ndarray]] = {"mean": [], "GeM": []}
    with torch.inference_mode():
        for pixels in images:
            image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None] / 255
            mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.mean, network.std))
            maps = network.features((image - mean) / std)
            found["mean"].append(maps.mean((2, 3))[0].numpy())
            found["GeM"].append(maps.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)[0].numpy())
    return {name: np.array(vectors) for name, vectors in found.items()}


def scores(network: object, data: tuple) -> dict[str, float]:
    """mAP of either pooling on either set, the mean of the database subtracted."""
    photos, truth, views, objects = data
    n, every = len(truth["imlist"]), np.arange(len(truth["imlist"]))
    line = {}
    for pooling, x in described(network, photos).items():
        similarities = map_cnn.cosine(x - x[:n].mean(axis=0), n)
        queries = np.arange(len(truth["qimlist"]))
        line[f"photos {pooling}"] = map_cnn.mean_ap(similarities, truth, every, queries)
    for pooling, x in described(network, views).items():
        centred = l2_normalize(x - x.mean(axis=0))
        score = retrieval_score(lambda _, vectors=centred: vectors, objects)
        line[f"COIL {pooling}"] = score(None)
    return line


def train(options: argparse.Namespace) -> None:
    """One line for each seed, before and after."""
    torch.set_num_threads(1)
    found, data = mined(), searched()
    found = selected(found, np.flatnonzero(found.sharpness >= SHARP))
    print(f"{len(found)} pairs; seconds are of one thread")
    for seed in options.seeds:
        network = random_network("compact", seed)

        def told(when: str, statistics: str, seconds: float = 0) -> None:
            line = "".join(f"  {name} {value:.3f}" for name, value in scores(network, data).items())  # noqa: B023
            print(f"seed {seed} {when:9} {statistics:10}{line}{seconds:6.0f} s", flush=True)  # noqa: B023

        told("untrained", "as made")
        told_by = network.state_dict()
        made = {name: tensor.clone() for name, tensor in told_by.items()}
        calibrate(network, data[0], squares=256, side=128)
        told("untrained", "of photos")
        network.load_state_dict(made)
        begun = time.process_time()
        train_video(
            network.requires_grad_(True), found, epochs=options.epochs, grey=options.grey,
            random_epochs=options.random_epochs, apart=options.apart or None, seed=seed, verbose=False,
        )  # fmt: skip
        seconds = time.process_time() - begun
        told("trained", "of videos", seconds)
        calibrate(network, data[0], squares=256, side=128)
        told("trained", "of photos", seconds)


def main() -> None:
    """Choose one of the three."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    commands.add_parser("track").set_defaults(run=track)
    mining = commands.add_parser("pairs")
    mining.add_argument("--sheet", type=Path)
    mining.add_argument("--judge", type=Path)
    mining.set_defaults(run=pairs)
    learning = commands.add_parser("train")
    learning.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    learning.add_argument("--epochs", type=int, default=16)
    learning.add_argument("--random-epochs", type=int, default=None)
    learning.add_argument("--grey", type=float, default=0.0)
    learning.add_argument("--apart", type=int, default=30, help="0 for other videos alone")
    learning.set_defaults(run=train)
    options = parser.parse_args()
    if not VIDEOS.exists():
        sys.exit(f"needs the videos in {VIDEOS}")
    options.run(options)


if __name__ == "__main__":
    main()
