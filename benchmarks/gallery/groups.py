"""Groups of the real photos against their labels: precision and recall of pairs, and time.

    python -m benchmarks.gallery.groups [GALLERY] [--html FILE]

GALLERY: of all 980 photos, database and queries; made in the cache folder if not given. Two photos belong together if
both are queries or positives of one object. Junk does not count. Distractors among each other are not labelled: their
pairs are counted apart. Time: of the processor, one thread, matching and verification of all candidate pairs, and once
more from what the gallery keeps of that.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.evaluate import GroundTruth
from kinfold.gallery.matches import candidates
from kinfold.gallery.store import MATCHES
from kinfold.landmarks.groups import find_groups
from kinfold.report.groups import write_groups

PHOTOS = data.SHARED / "photos"
# The least inliers that are tried, and what is tried: inliers of a pair, and between two sets.
LEAST = 8
WAYS = ((8, 0), (10, 0), (12, 0), (12, 24), (15, 0), (15, 30), (20, 0), (20, 40), (30, 0))
COLUMNS = [
    "inliers", "bridge", "groups", "photos", "right / found / wanted pairs", "precision", "recall", "of distractors",
]  # fmt: skip


def labels(truth: GroundTruth, objects: list[str]) -> tuple[dict[str, str], set[str]]:
    """The object of each photo that shows one, and the photos that are junk of any and show none."""
    of: dict[str, str] = {}
    junk: set[str] = set()
    for name, known, thing in zip(truth.qimlist, truth.gnd, objects):
        of[name] = thing
        of.update(dict.fromkeys((truth.imlist[i] for i in known["ok"]), thing))
        junk.update(truth.imlist[i] for i in known["junk"])
    return of, junk - of.keys()


def opened(path: str | None) -> kf.Gallery:
    """The gallery that is given, or one of the photos in the cache folder."""
    folder = Path(path) if path else data.CACHE / "groups.kin"
    if path or folder.exists():
        return kf.Gallery.open(folder)
    gallery = kf.Gallery.create(folder)
    gallery.update(PHOTOS / "jpg")
    return gallery


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", nargs="?")
    parser.add_argument("--html")
    parser.add_argument("--wrong", action="store_true", help="print the pairs that are wrong")
    arguments = parser.parse_args()
    kf.set_threads(1)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    of, junk = labels(truth, json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"])
    gallery = opened(arguments.gallery)
    members: dict[str, list[str]] = defaultdict(list)
    for name, thing in of.items():
        members[thing].append(name)
    wanted = {frozenset(p) for names in members.values() for p in combinations(names, 2)}

    (gallery.path / MATCHES).unlink(missing_ok=True)
    times = []
    for _ in range(2):
        start = time.process_time()
        groups = gallery.groups(least_inliers=LEAST, bridge=0, verbose=False)
        times.append(time.process_time() - start)
    confirmed = [pair for group in groups for pair in group.pairs]
    ids = sorted({id for pair in confirmed for id in (pair.first, pair.second)})
    names = [Path(gallery.photo(id).path).stem for id in ids]
    place = {id: at for at, id in enumerate(ids)}
    ends = np.array([(place[pair.first], place[pair.second]) for pair in confirmed])
    inliers = np.array([pair.inliers for pair in confirmed])
    count = len(candidates(gallery.parts.graph))
    print(
        f"{len(gallery)} photos, {count:,} candidate pairs, {len(confirmed):,} with {LEAST} inliers"
    )
    print(
        f"{times[0]:.1f} s, {times[0] / count * 1e3:.1f} ms a candidate; again: {times[1]:.2f} s\n"
    )
    print(heading(COLUMNS))
    for least, bridge in WAYS:
        there = inliers >= least
        made = find_groups(len(ids), ends[there], inliers[there], bridge=bridge)
        found, apart = set(), 0
        for group in made:
            for a, b in combinations((names[at] for at in group.members), 2):
                if junk & {a, b}:
                    continue
                if a not in of and b not in of:
                    apart += 1
                    continue
                found.add(frozenset((a, b)))
                if arguments.wrong and of.get(a) != of.get(b):
                    print(f"wrong: {a} {b}")
        good = len(found & wanted)
        whole = sum(len(group.members) for group in made)
        cells = [
            least, bridge, len(made), whole, f"{good} / {len(found)} / {len(wanted)}",
            f"{good / max(1, len(found)):.4f}", f"{good / len(wanted):.3f}", apart,
        ]  # fmt: skip
        print(row(cells), flush=True)
    if arguments.html:
        write_groups(arguments.html, *gallery.groups_content(gallery.groups(verbose=False)))


if __name__ == "__main__":
    main()
