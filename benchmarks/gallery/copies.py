"""Edited copies told from other shots: a ladder of edits at five strengths, beside perceptual hashes.

    python -m benchmarks.gallery.copies [--photos 24] [--out FILE]

Originals are real photos: half of distractors, half of labelled objects, none of which the limits in
``gallery.edited`` were chosen on (these were the first eight photos of each object, a third of which were edited).
Copies are each original with each of its 8 x 5 edits. No copies are: all pairs of other photos of one object, those
from the ninth on; an edit with another photo of its object; an edit with the original before. The first line of the
table is what kinfold dedup, and a search, says of a pair once both are described: match, verify, lay over, compare
pixels, the mirror image too. Hashes (package imagehash, if it is there: those of imagededup) get the limit that is best
for them on these very pairs. Times are of the processor, one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

import kinfold as kf
from benchmarks import data
from benchmarks.gallery.edits import EDITS, STRENGTHS
from benchmarks.measure import heading, row
from kinfold.gallery.describe import Describer
from kinfold.gallery.edited import SIDE, Agreement, lay_over
from kinfold.gallery.settings import Settings
from kinfold.images.resize import fit
from kinfold.local.match import match, mirrored
from kinfold.local.verify import project, verify

PHOTOS = data.SHARED / "photos"
HASHES = ("phash", "dhash", "whash", "average_hash")
# See the limits in ``gallery.edited``.
CHOSEN_ON = 8


class Seen:
    """A photo as it is described, and its hashes."""

    def __init__(self, describer: Describer, pixels: Any, hashers: dict[str, Any]) -> None:
        rgb = np.ascontiguousarray(pixels[:, :, ::-1])
        small = fit(rgb, 800)
        self.features = describer.local(small)
        self.size = np.array(rgb.shape[1::-1], np.float64)
        height, width = small.shape[:2]
        self.grow = np.diag([self.size[0] / width, self.size[1] / height, 1.0])
        self.pixels = fit(rgb, SIDE)
        self.hashes = {n: int(str(make(Image.fromarray(rgb))), 16) for n, make in hashers.items()}


def is_copy(first: Seen, second: Seen) -> bool:
    """What ``kinfold dedup`` says of two photos that it looks at."""
    best = None
    for turned in (False, True):
        ours = mirrored(first.features) if turned else first.features
        alike = match(ours, second.features)
        seen = verify(ours, second.features, alike, mirrored=turned)
        if best is None or seen.inliers > best[1].inliers:
            best = len(alike), seen
    assert best is not None
    matched, seen = best
    points = [
        project(photo.features.positions[rows], photo.grow)
        for photo, rows in zip((first, second), seen.pairs.T)
    ]
    found = Agreement(np.hstack(points), matched, np.stack([first.size, second.size]))
    laid = lay_over(found, lambda: first.pixels, lambda: second.pixels)
    return laid is not None and laid.is_copy


def objects() -> dict[str, list[str]]:
    """The photos of each labelled object."""
    truth = json.loads((PHOTOS / "ground_truth.json").read_text())
    found = defaultdict(set)
    for name, thing, known in zip(truth["qimlist"], truth["qgroup"], truth["gnd"]):
        found[thing] |= {name, *(truth["imlist"][i] for i in known["ok"])}
    return {thing: sorted(names) for thing, names in sorted(found.items())}


def pairs(count: int, see: Any) -> Iterator[tuple[str, int, Any, Any]]:
    """What a pair is, how strongly edited (-1: no copy), and both photos."""
    things = objects()
    labelled = {name for names in things.values() for name in names}
    every = sorted(path.stem for path in (PHOTOS / "jpg").glob("*.jpg"))
    others = [name for name in every if name not in labelled]
    # Objects of which nothing was edited before, copies among themselves left out.
    names = [n for n in things if n not in ("neardup_shirt", "church_tower")][1::3]
    half = count // 2
    originals = [(things[n][0], things[n][1]) for n in names[:half]]
    originals += [
        (name, None) for name in others[:: max(1, len(others) // (count - half))][: count - half]
    ]
    before = None
    for name, other in originals:
        pixels = cv2.imread(str(PHOTOS / "jpg" / f"{name}.jpg"))
        original = see(pixels)
        shot = None if other is None else see(cv2.imread(str(PHOTOS / "jpg" / f"{other}.jpg")))
        if shot is not None:
            yield "another shot", -1, original, shot
        for edit, make in EDITS.items():
            for level in range(STRENGTHS):
                made = see(make(pixels, level))
                yield edit, level, original, made
                if shot is not None:
                    yield "another shot, edited", -1, shot, made
                if before is not None:
                    yield "another photo, edited", -1, before, made
        before = original
    for photos in things.values():
        rest = [see(cv2.imread(str(PHOTOS / "jpg" / f"{p}.jpg"))) for p in photos[CHOSEN_ON:]]
        for i, second in enumerate(rest):
            for first in rest[:i]:
                yield "another shot", -1, first, second


def main() -> None:
    """Print the ladder, and the totals of each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--out", type=Path, help="write the pairs' answers here")
    options = parser.parse_args()
    kf.set_threads(1)
    cv2.setNumThreads(1)
    try:
        import imagehash

        hashers = {name: getattr(imagehash, name) for name in HASHES}
    except ImportError:
        hashers = {}
        print("imagehash is not there: no hashes")
    describer = Describer(Settings(engine="asmk"), [])
    answers, spent = [], 0.0
    for what, level, first, second in pairs(options.photos, lambda p: Seen(describer, p, hashers)):
        began = time.process_time()
        copy = is_copy(first, second)
        spent += time.process_time() - began
        far = {n: bin(first.hashes[n] ^ second.hashes[n]).count("1") for n in hashers}
        answers.append((what, level, copy, far))
        if options.out and len(answers) % 100 == 0:
            options.out.write_text(json.dumps(answers))
    if options.out:
        options.out.write_text(json.dumps(answers))
    report(answers, spent)


def report(answers: list[tuple[Any, ...]], spent: float) -> None:
    """The ladder, and the totals."""
    truth = np.array([level >= 0 for _, level, _, _ in answers])
    said = {"kinfold dedup": np.array([copy for _, _, copy, _ in answers])}
    for name in answers[0][3]:
        far = np.array([distances[name] for *_, distances in answers])
        limit = max(range(33), key=lambda most: f1(truth, far <= most)[2])
        said[f"{name}, distance <= {limit}"] = far <= limit
    print(heading(["edit", *(f"strength {n + 1}" for n in range(STRENGTHS))]))
    for edit in EDITS:
        cells = []
        for level in range(STRENGTHS):
            own = np.array([(what, n) == (edit, level) for what, n, _, _ in answers])
            cells.append(" / ".join(f"{answer[own].mean():.2f}" for answer in said.values()))
        print(row([edit, *cells]))
    print("each cell: share found by", " / ".join(said))
    print(heading(["way", "copies found", "precision", "F1", "other pairs called copies"]))
    kinds = np.array([what for what, *_ in answers])
    for name, answer in said.items():
        precision, recall, score = f1(truth, answer)
        wrong = ", ".join(
            f"{kind}: {int(answer[kinds == kind].sum())} of {int((kinds == kind).sum())}"
            for kind in dict.fromkeys(kinds[~truth].tolist())
        )
        print(row([name, f"{recall:.4f}", f"{precision:.4f}", f"{score:.4f}", wrong]))
    print(f"{1000 * spent / len(answers):.1f} ms a pair, one thread of a busy machine")


def f1(truth: Any, said: Any) -> tuple[float, float, float]:
    """Precision, recall and F1."""
    right = int((truth & said).sum())
    precision, recall = right / max(int(said.sum()), 1), right / max(int(truth.sum()), 1)
    return precision, recall, 2 * right / max(int(said.sum()) + int(truth.sum()), 1)


if __name__ == "__main__":
    main()
