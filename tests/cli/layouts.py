"""Rendered photos packed as each benchmark is published."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Scene:
    """A query's photo and its box, and the photos of the same building, in their order."""

    query: Path
    box: list[float]
    views: list[Path]


@dataclass(frozen=True)
class Rendered:
    """What is packed."""

    scenes: list[Scene]
    others: list[Path]


def oxford(root: Path, made: Rendered, *, paris: bool = False) -> None:
    """Photos, and four text files a query; the query's photo is one of the database and good."""
    landmark, photos, lists = (
        ("louvre", root / "paris" / "louvre", root / "paris_120310")
        if paris
        else ("all_souls", root / "oxbuild_images", root / "gt_files_170407")
    )
    photos.mkdir(parents=True)
    lists.mkdir()
    number = 0

    def add(source: Path) -> str:
        nonlocal number
        number += 1
        name = f"{'paris_' if paris else ''}{landmark}_{number:06d}"
        shutil.copy(source, photos / f"{name}.jpg")
        return name

    for i, scene in enumerate(made.scenes, 1):
        query, *views = (add(path) for path in [scene.query, *scene.views])
        box = " ".join(f"{v:.1f}" for v in scene.box)
        prefix = "" if paris else "oxc1_"
        texts = {
            "query": f"{prefix}{query} {box}", "good": f"{query}\n{views[0]}", "ok": views[1], "junk": views[2],
        }  # fmt: skip
        for kind, text in texts.items():
            (lists / f"{landmark}_{i}_{kind}.txt").write_text(text + "\n")
    for path in made.others:
        add(path)
    if paris:  # one of those that the publishers call corrupt
        (photos / "paris_louvre_000136.jpg").write_bytes(b"")


def holidays(root: Path, made: Rendered) -> None:
    """The number's first four digits are the group; its first photo is the query."""
    (root / "jpg").mkdir(parents=True)
    groups = [[scene.query, *scene.views] for scene in made.scenes]
    # Groups have two photos at least.
    groups += [made.others[i : i + 2] for i in range(0, len(made.others) - 1, 2)]
    for group, paths in enumerate(groups):
        for i, path in enumerate(paths):
            shutil.copy(path, root / "jpg" / f"{100000 + 100 * group + i}.jpg")


def revisited(root: Path, made: Rendered, name: str) -> None:
    """A pickle; queries lie beside the database's photos and are none of them."""
    photos = root / name / "jpg"
    photos.mkdir(parents=True)
    imlist: list[str] = []

    def add(source: Path) -> int:
        imlist.append(f"base_{len(imlist):06d}")
        shutil.copy(source, photos / f"{imlist[-1]}.jpg")
        return len(imlist) - 1

    gnd, qimlist = [], []
    for i, scene in enumerate(made.scenes):
        rows = [add(path) for path in scene.views]
        qimlist.append(f"query_{i}")
        shutil.copy(scene.query, photos / f"query_{i}.jpg")
        gnd.append({"bbx": scene.box, "easy": rows[:1], "hard": rows[1:2], "junk": rows[2:]})
    for path in made.others:
        add(path)
    content = {"imlist": imlist, "qimlist": qimlist, "gnd": gnd}
    (root / name / f"gnd_{name}.pkl").write_bytes(pickle.dumps(content))


LAYOUTS: dict[str, Callable[[Path, Rendered], None]] = {
    "oxford5k": oxford,
    "paris6k": lambda root, made: oxford(root, made, paris=True),
    "holidays": holidays,
    "roxford5k": lambda root, made: revisited(root, made, "roxford5k"),
    "rparis6k": lambda root, made: revisited(root, made, "rparis6k"),
}
