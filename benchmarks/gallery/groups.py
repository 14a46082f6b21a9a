"""Groups of the real photos against their labels: precision and recall of pairs, and time.

    python benchmarks/gallery/groups.py [GALLERY] [--html FILE]

GALLERY: of all 980 photos, database and queries; made in the cache folder if not given. Two photos belong together if
both are queries or positives of one object. Junk does not count. Distractors among each other are not labelled: their
pairs are counted apart. Time: verification of all candidate pairs included.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import data
import kinfold as kf
from kinfold.evaluate import GroundTruth
from kinfold.report.groups import write_groups
from measure import heading, row

PHOTOS = data.SHARED / "photos"


def labels(truth: GroundTruth, objects: list[str]) -> tuple[dict[str, str], set[str]]:
    """The object of each photo that shows one, and the photos that are junk of any."""
    of, junk = {}, set()
    for name, known, thing in zip(truth.qimlist, truth.gnd, objects):
        of[name] = thing
        of.update(dict.fromkeys((truth.imlist[i] for i in known["ok"]), thing))
        junk.update(truth.imlist[i] for i in known["junk"])
    return of, junk


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery", nargs="?")
    parser.add_argument("--html")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    kf.set_threads(arguments.threads)
    path = PHOTOS / "ground_truth.json"
    truth = GroundTruth.from_json(path)
    of, junk = labels(truth, json.loads(path.read_text())["qgroup"])
    junk -= of.keys()
    if arguments.gallery:
        gallery = kf.Gallery.open(arguments.gallery)
    else:
        gallery = kf.Gallery.create(data.CACHE / "groups.kin")
        gallery.update(PHOTOS / "jpg")
    members: dict[str, list[str]] = defaultdict(list)
    for name, thing in of.items():
        members[thing].append(name)
    wanted = {frozenset(p) for names in members.values() for p in combinations(names, 2)}
    print(
        heading(
            [
                "inliers",
                "bridge",
                "groups",
                "photos",
                "precision",
                "recall",
                "right / found / wanted",
                "of distractors",
                "s",
            ]
        )
    )
    for least, bridge in ((10, 0), (15, 0), (15, 30), (20, 0), (20, 40), (30, 60)):
        start = time.perf_counter()
        groups = gallery.groups(least_inliers=least, bridge=bridge, verbose=False)
        spent = time.perf_counter() - start
        if arguments.html and (least, bridge) == (15, 30):
            write_groups(arguments.html, *gallery.groups_content(groups))
        found, apart, whole = set(), 0, 0
        for group in groups:
            names = [Path(photo.path).stem for photo in group.photos]
            for a, b in combinations(names, 2):
                if junk & {a, b}:
                    continue
                if a in of or b in of:
                    found.add(frozenset((a, b)))
                else:
                    apart += 1
            whole += len(names)
        good = len(found & wanted)
        cells = [
            least, bridge, len(groups), whole, f"{good / max(1, len(found)):.4f}", f"{good / len(wanted):.3f}",
            f"{good}/{len(found)}/{len(wanted)}", apart, f"{spent:.1f}",
        ]  # fmt: skip
        print(row(cells), flush=True)


if __name__ == "__main__":
    main()
