"""Landmark recognition on the real photos with made-up geotags, some of them wrong: how near, how sure, how often.

    python -m benchmarks.gallery.locate [GALLERY] [--seeds N] [--json FILE]

GALLERY: of the 898 database photos, without the queries; made in the cache folder if not given. Each object is a place
somewhere in ten by ten kilometres, and each of its photos, queries too, is taken around it: by a normal distribution of
15 to 60 m along each axis, drawn for each object. Of the database's geotags 20 % are wrong: half at another object, the
others anywhere; distractors lie anywhere. Settings are chosen on one half of the objects (even by name) and reported on
the other.

- answered: of the queries whose object has at least two photos in the database, those with a place; of all queries
- error: from where the query was taken, metres. wrong: places more than 500 m away
- inside: queries that were taken within the radius, which is to hold nine in ten
- outliers told: of the wrong geotags among the photos that geometry confirms. rightly: of those told, the wrong ones
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.evaluate import GroundTruth
from kinfold.landmarks.location import estimate_location
from kinfold.landmarks.sphere import RADIUS, distances

PHOTOS = data.SHARED / "photos"
CENTRE, SIDE = (48.85, 2.35), 10_000.0
WRONG, FAR = 0.2, 500.0
COLUMNS = [
    "settings", "answered", "of all", "median error", "9 in 10 below", "wrong", "inside", "median radius",
    "outliers told", "rightly",
]  # fmt: skip
DEFAULT = {
    "reach": 200.0, "least": 2, "share": 0.5, "spread": 50.0, "doubt": 2.0, "inliers": 12, "cap": 100, "beyond": True,
}  # fmt: skip
# What is tried, one after the other, each with the best of those before.
TRIED: dict[str, tuple[Any, ...]] = {
    "inliers": (8, 10, 12, 15), "beyond": (False, True), "cap": (20, 50, 100, 10_000),
    "reach": (100.0, 200.0, 300.0, 500.0),
    "share": (0.3, 0.4, 0.5, 0.6), "least": (2, 3), "spread": (25.0, 50.0, 100.0), "doubt": (1.0, 2.0, 4.0),
}  # fmt: skip


@dataclass
class Asked:
    """A query and the photos of the same thing: names, inliers, and whether the query itself led there."""

    thing: str
    names: list[str]
    inliers: np.ndarray
    direct: np.ndarray


def things_of(truth: GroundTruth, objects: list[str]) -> tuple[dict[str, str], list[str]]:
    """The place of each database photo that shows an object, junk too, for it was taken there; and of each query.

    Objects whose lists share a photo are parts of one building, and one place, which bears the first one's name.
    """
    first: dict[str, str] = {thing: thing for thing in objects}

    def root(thing: str) -> str:
        while first[thing] != thing:
            thing = first[thing]
        return thing

    of: dict[str, str] = {}
    for known, thing in zip(truth.gnd, objects):
        for i in (*known["ok"], *known["junk"]):
            one, other = sorted((root(of.setdefault(truth.imlist[i], thing)), root(thing)))
            first[other] = one
    return {name: root(thing) for name, thing in of.items()}, [root(thing) for thing in objects]


def asked_of(gallery: kf.Gallery, truth: GroundTruth, objects: list[str]) -> list[Asked]:
    """Each query, searched once, with every photo of at least eight inliers."""
    asked = []
    for name, thing in zip(truth.qimlist, objects):
        found = gallery.locate(PHOTOS / "jpg" / f"{name}.jpg", least_inliers=8)
        asked.append(Asked(
            thing, [Path(one.photo.path).stem for one in found.witnesses],
            np.array([one.inliers for one in found.witnesses], float),
            np.array([one.through is None for one in found.witnesses], bool),
        ))  # fmt: skip
    return asked


class World:
    """Made-up places: where each photo was taken, what its geotag says, and which of these are wrong."""

    def __init__(
        self,
        truth: GroundTruth,
        of: dict[str, str],
        objects: list[str],
        seed: int,
        tagged: float = 1.0,
    ) -> None:
        random = np.random.default_rng(seed)
        things = sorted(set(objects))
        homes = dict(zip(things, random.uniform(-SIDE / 2, SIDE / 2, (len(things), 2))))
        spreads = dict(zip(things, random.uniform(15, 60, len(things))))

        def near(thing: str) -> np.ndarray:
            return homes[thing] + random.normal(0, spreads[thing], 2)

        self.tags: dict[str, np.ndarray] = {}
        self.wrong: set[str] = set()
        for name in truth.imlist:
            thing = of.get(name)
            spot = random.uniform(-SIDE / 2, SIDE / 2, 2) if thing is None else near(thing)
            if thing is not None and random.random() < WRONG:
                self.wrong.add(name)
                other = things[random.integers(len(things))]
                spot = random.uniform(-SIDE / 2, SIDE / 2, 2)
                if random.random() < 0.5 and other != thing:
                    spot = near(other)
            self.tags[name] = degrees(spot)
        silent = random.random(len(truth.imlist)) >= tagged
        for name in np.array(truth.imlist)[silent].tolist():
            del self.tags[name]
        self.taken = [degrees(near(thing)) for thing in objects]


def degrees(metres: np.ndarray) -> np.ndarray:
    """East and north of the centre to latitude and longitude."""
    north = np.degrees(metres[1] / RADIUS)
    east = np.degrees(metres[0] / RADIUS) / np.cos(np.radians(CENTRE[0]))
    return np.array([CENTRE[0] + north, CENTRE[1] + east])


def judged(
    asked: list[Asked],
    worlds: list[World],
    half: int,
    size: dict[str, int],
    options: dict[str, Any],
) -> dict[str, Any]:
    """Figures of one half of the objects."""
    own = dict(options)
    least, cap, beyond = own.pop("inliers"), own.pop("cap"), own.pop("beyond")
    things = sorted({one.thing for one in asked})
    chosen = set(things[half::2])
    errors, radii, told, right, wrong, could, all_asked, could_answered = [], [], 0, 0, 0, 0, 0, 0
    for world in worlds:
        for at, one in enumerate(asked):
            if one.thing not in chosen:
                continue
            all_asked += 1
            possible = size[one.thing] >= 2
            could += possible
            keep = (one.inliers >= least) & (one.direct | beyond)
            keep &= np.array([name in world.tags for name in one.names], bool)
            names = [name for name, there in zip(one.names, keep) if there]
            positions = np.array([world.tags[name] for name in names]).reshape(-1, 2)
            found = estimate_location(positions, np.minimum(one.inliers[keep], cap), **own)
            if found is None:
                continue
            could_answered += possible
            here = [[found.latitude, found.longitude]]
            errors.append(distances(here, world.taken[at][None])[0, 0])
            radii.append(found.radius)
            bad = {name for name in names if name in world.wrong}
            said = {names[i] for i in found.apart.tolist()}
            wrong, told, right = wrong + len(bad), told + len(said), right + len(bad & said)
    e, r = np.array(errors), np.array(radii)
    return {
        "answered": could_answered / could,
        "of_all": len(e) / all_asked,
        "median": float(np.median(e)),
        "ninth": float(np.quantile(e, 0.9)),
        "wrong": int((e > FAR).sum()),
        "answers": len(e),
        "inside": float((e <= r).mean()),
        "radius": float(np.median(r)),
        "recall": right / max(wrong, 1),
        "precision": right / max(told, 1),
    }


def line(name: str, f: dict[str, Any]) -> str:
    """A row of the table."""
    return row([
        name, f"{f['answered']:.3f}", f"{f['of_all']:.3f}", f"{f['median']:.0f} m", f"{f['ninth']:.0f} m",
        f"{f['wrong']} of {f['answers']}", f"{f['inside']:.3f}", f"{f['radius']:.0f} m", f"{f['recall']:.3f}",
        f"{f['precision']:.3f}",
    ])  # fmt: skip


def goodness(f: dict[str, Any]) -> tuple[float, ...]:
    """Wrong answers cost three; then nine in ten inside, then the smallest radius."""
    gain = f["of_all"] * f["answers"] - 3 * f["wrong"]
    return round(gain / f["answers"], 2), min(f["inside"], 0.9), -f["radius"]


def opened(path: str | None, truth: GroundTruth) -> kf.Gallery:
    """The gallery that is given, or one of the database photos in the cache folder."""
    folder = Path(path) if path else data.CACHE / "locate.kin"
    if path or folder.exists():
        return kf.Gallery.open(folder)
    gallery = kf.Gallery.create(folder)
    gallery.update(PHOTOS / "jpg", files=[f"{name}.jpg" for name in truth.imlist])
    return gallery


def main() -> None:
    """Choose on one half, print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", nargs="?")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    kf.set_threads(1)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    objects = json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"]
    of, objects = things_of(truth, objects)
    size: defaultdict[str, int] = defaultdict(int)
    for thing in of.values():
        size[thing] += 1
    kept = Path(arguments.json) if arguments.json else None
    if kept is not None and kept.exists():
        asked = [
            Asked(thing, n, np.array(i, float), np.array(d, bool))
            for thing, (_, n, i, d) in zip(objects, json.loads(kept.read_text()))
        ]
    else:
        asked = asked_of(opened(arguments.gallery, truth), truth, objects)
        if kept is not None:
            kept.write_text(
                json.dumps(
                    [[a.thing, a.names, a.inliers.tolist(), a.direct.tolist()] for a in asked]
                )
            )
    right = [np.mean([of.get(n) == one.thing for n in one.names]) for one in asked if one.names]
    count = sum(len(one.names) for one in asked)
    print(
        f"{len(asked)} queries, {count} photos confirmed with 8 inliers, {np.mean(right):.3f} rightly\n"
    )
    worlds = [World(truth, of, objects, seed) for seed in range(arguments.seeds)]
    print(heading(COLUMNS))
    chosen: dict[str, Any] = dict(DEFAULT)
    for name, values in TRIED.items():
        tried = {}
        for value in values:
            tried[value] = judged(asked, worlds, 0, size, {**chosen, name: value})
            print(line(f"chosen on: {name} {value}", tried[value]))
        chosen[name] = max(values, key=lambda value: goodness(tried[value]))
    print("\nchosen:", chosen)
    print(heading(COLUMNS))
    ways = {
        "chosen": chosen,
        "as it is by default": DEFAULT,
        "three must agree": {**DEFAULT, "least": 3},
        "none through another": {**DEFAULT, "beyond": False},
    }
    for name, options in ways.items():
        for half in (0, 1):
            which = "chosen on" if half == 0 else "other half"
            print(line(f"{name}, {which}", judged(asked, worlds, half, size, options)))
    few = [World(truth, of, objects, seed, tagged=0.5) for seed in range(arguments.seeds)]
    print(line("half without geotag, other half", judged(asked, few, 1, size, DEFAULT)))
    spread = [judged(asked, [world], 1, size, DEFAULT) for world in worlds]
    for figure in ("of_all", "median", "inside", "recall", "precision"):
        values = np.array([one[figure] for one in spread])
        print(f"{figure}: {values.mean():.3f} ± {values.std(ddof=1):.3f} over {len(worlds)} worlds")


if __name__ == "__main__":
    main()
