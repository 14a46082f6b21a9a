"""Tiny benchmarks in the layout of their publishers."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
from PIL import Image


def photo(path: Path, seed: int, width: int = 40, height: int = 30) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=95)


def oxford(root: Path) -> None:
    for i in range(6):
        photo(root / "oxbuild_images" / f"all_souls_{i:06d}.jpg", i)
    lists = {"good": [0, 1], "ok": [2], "junk": [3]}
    texts(
        root / "gt_files_170407",
        "all_souls_1",
        "oxc1_all_souls_000000 2.4 3 30.6 29.1",
        "all_souls",
        lists,
    )
    texts(
        root / "gt_files_170407",
        "all_souls_2",
        "oxc1_all_souls_000001 0 0 40 30",
        "all_souls",
        lists,
    )


def paris(root: Path) -> None:
    for i in range(4):
        photo(root / "paris" / "louvre" / f"paris_louvre_{i:06d}.jpg", i)
    # One of those that the publishers list as corrupt: it is there, and in a list.
    broken = root / "paris" / "louvre" / "paris_louvre_000136.jpg"
    broken.write_bytes(b"")
    lists = {"good": [1, 136], "ok": [2], "junk": []}
    texts(
        root / "paris_120310",
        "louvre_1",
        "paris_louvre_000001 1.0 2.0 20.0 21.0",
        "paris_louvre",
        lists,
    )


def distractors(root: Path) -> None:
    for folder in ("airport", "bridge"):
        photo(root / "oxc1_100k" / folder / "100_000001.jpg", 7)


def texts(folder: Path, stem: str, query: str, prefix: str, lists: dict[str, list[int]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}_query.txt").write_text(query + "\n")
    for kind, numbers in lists.items():
        names = "".join(f"{prefix}_{number:06d}\n" for number in numbers)
        (folder / f"{stem}_{kind}.txt").write_text(names)


def holidays(root: Path) -> None:
    for name in ("100000", "100001", "100002", "100100", "100101"):
        photo(root / "jpg" / f"{name}.jpg", int(name))


def revisited(root: Path, name: str = "roxford5k") -> None:
    imlist = [f"base_{i}" for i in range(5)]
    for i, image in enumerate([*imlist, "query_0"]):
        photo(root / name / "jpg" / f"{image}.jpg", i)
    gnd = [{"bbx": [1.0, 2.0, 21.0, 12.0], "easy": [0], "hard": [1, 4], "junk": [2]}]
    content = {"imlist": imlist, "qimlist": ["query_0"], "gnd": gnd}
    (root / name / f"gnd_{name}.pkl").write_bytes(pickle.dumps(content))
