"""What adding a few photos to a large gallery costs, against making its lists anew.

    python -m benchmarks.gallery.growth --n 1000 10000 [--add 10] [--photos 120]

Real photos are described by the default engines, then multiplied: of each copy a third of the visual words is dropped
and one bit in sixteen of the rest flipped, vectors get noise. Their files are small, and their segments hold a few
features each, for updates read neither. The words are a sample of descriptors, 16,384, not learnt: that takes as long
to assign. Then real photos that the gallery lacks are added, all at once, and once more as many; wall seconds of the
stages, processor seconds of all, and what lists made anew would take (as far as 10,000 photos), in the same run.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.gallery.confidence import Confidence
from kinfold.gallery.copies import Copies
from kinfold.gallery.engines.asmk import ASMKEngine
from kinfold.gallery.engines.base import all_described
from kinfold.gallery.manifest import Manifest
from kinfold.gallery.model import Model
from kinfold.gallery.near import Near
from kinfold.gallery.parts import read_parts
from kinfold.gallery.photo import Photo
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.segments import Segments
from kinfold.gallery.settings import Settings
from kinfold.gallery.store import PHOTOS, Store
from kinfold.gallery.write.build import _file
from kinfold.gallery.write.nearest import nearest
from kinfold.index.flat import FlatIndex
from kinfold.local.sift import root_sift
from kinfold.words.asmk import ASMK
from kinfold.words.inverted_file import Held
from kinfold.words.words import VisualWords

K, SEGMENT, WORDS = 10, 32, 16_384
# Copies that are made at once, for memory.
_TOGETHER = 2000
# Photos of a gallery whose lists are made anew.
_MOST_ANEW = 10_000
STAGES = ("compare", "index", "write", "graph")


def described(files: list[Path], place: Path) -> tuple[Model, list[PhotoSegment]]:
    """The default engines, learnt on a few photos, with words that were drawn."""
    folder = place / "few"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    with kf.Gallery.create(place / "few.kin", visual_words=64) as gallery:
        gallery.update(folder)
        parts = gallery.parts
        names = sorted(gallery._reader.table.segments())
        segments = [gallery._reader.segments.get(name) for name in names]
        random = np.random.default_rng(0)
        sample = root_sift(np.concatenate([np.array(s.descriptors) for s in segments]))
        words = VisualWords.from_centroids(random.permutation(sample)[:WORDS])
        old = parts.model
        asmk = ASMKEngine(ASMK(words).fit(sample[::20]), old.engines["asmk"].half)
        model = Model({**old.engines, "asmk": asmk}, old.shares, old.fingerprint, 1 << 40)
    return model, segments


def copied(held: Held, count: int, random: np.random.Generator) -> Held:
    """So many photos like those of ``held``, in turn."""
    made = held.photos(np.arange(count) % len(held))
    keep = random.random(len(made.words)) > 1 / 3
    flips = np.zeros((int(keep.sum()), made.parts.shape[1]), np.uint64)
    for _ in range(4):
        place = random.integers(0, 64, flips.shape, np.uint64)
        flips |= np.uint64(1) << place
    owner = np.repeat(np.arange(count), np.diff(made.starts))[keep]
    starts = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=count))])
    return Held(starts, made.words[keep], made.parts[keep] ^ flips)


def multiplied(model: Model, segments: list[PhotoSegment], n: int, place: Path) -> kf.Gallery:
    """A gallery of n photos, whose graph joins copies of one photo."""
    random = np.random.default_rng(1)
    folder, path = place / "photos", place / "large.kin"
    folder.mkdir()
    store = Store(path)
    manifest: Manifest = store.create(Settings(neighbours=K))
    PhotoTable.create(path / PHOTOS)
    engine: Any = model.engines["asmk"]
    lists = engine.empty()
    held = Held.joined([lists.aggregate(all_described(segment)) for segment in segments])
    vectors = np.concatenate([model.vectors(segment) for segment in segments])
    index, photos, ids = FlatIndex(vectors.shape[1], metric="ip"), [], np.arange(1, n + 1)
    for at in range(0, n, _TOGETHER):
        part = ids[at : at + _TOGETHER]
        with lists._lock:
            now = lists._require_fitted()
            lists._hold(lists._with(now, copied(held, len(part), random), part), now.after(part))
        rows = vectors[(np.arange(len(part))) % len(vectors)]
        rows = rows + 0.02 * random.standard_normal(rows.shape, dtype=np.float32)
        index.add(rows / np.linalg.norm(rows, axis=1, keepdims=True), ids=part)
    one = segments[0].features(0).select(slice(0, 20))
    for at in range(0, n, SEGMENT):
        part = ids[at : at + SEGMENT]
        made = PhotoSegment.of(part.tolist(), [(640, 480, 640, 480)] * len(part), [one] * len(part))
        name = store.add("segments", ".kin", lambda to, made=made: kf.io.kin.write(
            to, made.kind, made.params(), made.arrays()))  # fmt: skip
        for line, id in enumerate(part.tolist()):
            file = folder / f"{id:07}.jpg"
            file.write_bytes(b"\xff\xd8\xff" + id.to_bytes(8, "little"))
            status = file.stat()
            photos.append(
                Photo(
                    id, file.name, status.st_size, status.st_mtime_ns, f"{id:040x}", None, 640, 480,
                    segment=name, row=line,
                )
            )  # fmt: skip
    PhotoTable.create(path / PHOTOS, photos)
    family = np.arange(n) % _TOGETHER % len(vectors)
    order = np.argsort(family, kind="stable")
    near = np.full((n, K), -1, np.int32)
    near[order] = np.stack([np.roll(order, -1 - i) for i in range(K)], axis=1)
    values = np.full((n, K), 0.8, np.float32)
    copies = Copies(np.arange(n), np.arange(1, n + 1).astype(np.uint64))
    floors = np.full((n, 2), (0.7, 0.05), np.float32)
    lists_ = Near(ids, copies, near, values, floors)
    parts = {
        "model": model, "index": index, "asmk": lists, "near": lists_, "graph": lists_.graph(),
        "confidence": Confidence(photos=n),
    }  # fmt: skip
    for name, part in parts.items():
        manifest = manifest.with_parts(**{name: _file(store, name, part)})
    names = tuple(sorted({photo.segment for photo in photos}))
    store.write(Manifest(manifest.settings, str(folder.resolve()), manifest.parts, names, False))
    return kf.Gallery.open(path)


def main() -> None:
    """Print one line a size and round."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--add", type=int, default=10)
    parser.add_argument("--photos", type=int, default=120, help="that are described and multiplied")
    options = parser.parse_args()
    files = sorted((data.SHARED / "photos" / "jpg").glob("*.jpg"))
    step = max(1, len(files) // (options.photos + 2 * options.add))
    files = files[::step]
    few, fresh = files[: options.photos], files[options.photos :]
    columns = [
        "photos",
        "round",
        "update, s",
        "CPU s",
        "describe",
        *STAGES,
        "bytes written",
        "lists anew, CPU s",
    ]
    print(heading(columns))
    with tempfile.TemporaryDirectory() as first:
        model, segments = described(few, Path(first))
        for n in options.n:
            with (
                tempfile.TemporaryDirectory() as place,
                multiplied(model, segments, n, Path(place)) as gallery,
            ):
                for turn in range(2):
                    for file in fresh[turn * options.add : (turn + 1) * options.add]:
                        shutil.copy(file, Path(place) / "photos")
                    anew = turn == 1 and n <= _MOST_ANEW
                    print(row([n, turn + 1, *added(gallery, options.add, anew=anew)]), flush=True)


def added(gallery: kf.Gallery, count: int, *, anew: bool) -> list[str]:
    """One update: seconds, of the stages too, bytes that were written, and seconds that lists anew take."""
    before = {file.name for file in (gallery.path / "parts").iterdir()}
    began, busy = time.perf_counter(), time.process_time()
    changes = gallery.update(verbose=False)
    took, busy = time.perf_counter() - began, time.process_time() - busy
    assert changes.added == count and not changes.relearnt
    files = [file for file in (gallery.path / "parts").iterdir() if file.name not in before]
    spent = changes.seconds
    describing = sum(spent.get(stage, 0) for stage in ("decode", "local features", "networks"))
    lists = "-"
    if anew:
        parts = read_parts(gallery._reader.store)
        photos = [gallery.photo(id) for id in parts.fused.ids.tolist()]
        began = time.process_time()
        nearest(None, parts.fused, photos, Segments(gallery._reader.store), K)
        lists = f"{time.process_time() - began:.1f}"
    stages = [f"{spent.get(stage, 0):.2f}" for stage in STAGES]
    written = f"{sum(file.stat().st_size for file in files):,}"
    return [f"{took:.2f}", f"{busy:.2f}", f"{describing:.2f}", *stages, written, lists]


if __name__ == "__main__":
    main()
