"""mAP of galleries on the real photos of `../shared/data/photos`, bytes of a photo, and where the time goes.

    python benchmarks/gallery/map_photos.py [--engines asmk vlad cnn asmk+vlad ...] [--json FILE] [--keep FOLDER]

Galleries of the 898 database photos with the default settings. 82 queries, cropped to their boxes where they have
one. AP is Oxford's trapezoid, junk removed. Codebook and whitening are learnt on the database itself, without labels.

Photos are described once; each engine is learnt and indexed alone, as `kinfold index` does it, and galleries of several
engines take over what theirs have learnt.
*B/photo*: what the engine holds of a photo, local features apart. *index*: CPU time of a photo, learning included, once
is described; *describe*: decoding, SIFT and network, shared by all. *query*: of a query that is described.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import kinfold as kf
from data import SHARED
from kinfold import Gallery
from kinfold.evaluate import GroundTruth
from kinfold.gallery.fused import Fused
from kinfold.gallery.model import Model
from kinfold.gallery.settings import Settings, engines_of
from kinfold.gallery.state import State
from kinfold.gallery.store import PHOTOS as TABLE, Manifest, Store
from kinfold.index.flat import FlatIndex
from kinfold.io import kin
from measure import heading, row

PHOTOS = SHARED / "photos"
STAGES = {
    "search": (),
    "+ spatial": ("spatial",),
    "+ diffusion": ("diffusion",),
    "+ spatial, diffusion": ("spatial", "diffusion"),
    "+ spatial, expansion, diffusion": ("spatial", "expansion", "diffusion"),
}


def described(folder: Path, weights: Path, files: list[str]) -> Path:
    """A gallery of the network, whose segments hold all that any engine needs."""
    path = folder / "cnn.kin"
    if not path.exists():
        with Gallery.create(path, engine="cnn", weights=weights) as gallery:
            changes = gallery.update(PHOTOS / "jpg", files=files, verbose=False)
            spent = {stage: s / len(files) * 1e3 for stage, s in changes.seconds.items()}
            print("describe, ms a photo:", {k: round(v, 1) for k, v in spent.items()}, flush=True)
    return path


def other(source: Path, engine: str) -> Path:
    """A gallery of the same photos for another engine, empty but for what was described."""
    target = source.with_name(f"{engine}.kin")
    target.mkdir()
    shutil.copytree(source / "segments", target / "segments")
    shutil.copy(source / TABLE, target / TABLE)
    (target / "parts").mkdir()
    old = Store(source).read()
    manifest = Manifest(Settings(engine=engine), old.photos)
    if "cnn" in engines_of(engine):
        name = old.parts["weights"]
        shutil.copy(source / "parts" / name, target / "parts" / name)
        manifest = manifest.with_parts(weights=name)
    Store(target).write(manifest)
    return target


def alone(source: Path, engine: str, files: list[str]) -> float:
    """A gallery of one engine beside the source: the seconds that it took to learn and index."""
    if source.with_name(f"{engine}.kin").exists():
        return float("nan")
    start = time.process_time()
    with Gallery.open(other(source, engine)) as gallery:
        gallery.update(files=files, verbose=False)
    return time.process_time() - start


def together(source: Path, engine: str) -> Path:
    """The gallery of one engine, or one of several out of those of each alone."""
    path = source.with_name(f"{engine}.kin")
    if path.exists():
        return path
    other(source, engine)
    states = {name: State(Store(source.with_name(f"{name}.kin"))) for name in engines_of(engine)}
    weights = {name: s.model.engines[name].weight for name, s in states.items()}
    shares = {name: weight / sum(weights.values()) for name, weight in weights.items()}
    first = next(iter(states.values()))
    last = states.get("cnn", first)
    model = Model(
        {name: s.model.engines[name] for name, s in states.items()}, shares,
        last.model.fingerprint, len(first.ids),
    )  # fmt: skip
    ids = first.ids
    vectors = [
        states[name].fused.index.reconstruct(ids) * np.float32(shares[name] ** 0.5)
        for name in model.engines
        if name not in model.lists
    ]
    index = None
    if vectors:
        index = FlatIndex(sum(part.shape[1] for part in vectors), metric="ip")
        index.add(np.concatenate(vectors, axis=1), ids=ids)
    lists = {name: states[name].fused.lists[name].ordered(ids) for name in model.lists}
    fused = Fused(model, index, lists)
    store = Store(path)
    parts = {"model": model, "graph": fused.graph(Settings().neighbours), **lists}
    if index is not None:
        parts["index"] = index
    manifest = replace(store.read(), segments=Store(source).read().segments)
    for name, part in parts.items():
        made = store.add(
            "parts", ".kin", lambda to, p=part: kin.write(to, p.kind, p.params(), p.arrays())
        )
        manifest = manifest.with_parts(**{name: made})
    store.write(manifest)
    return path


def size(path: Path) -> float:
    """Bytes that the engines hold of a photo."""
    state = State(Store(path))
    fused = state.fused
    total = 0 if fused.index is None else 4 * fused.index.dim
    return total + sum(lists.stats()["bytes_per_photo"] for lists in fused.lists.values())


def query_ms(gallery: Gallery, truth: GroundTruth, stages: tuple[str, ...]) -> float:
    """Of 20 described queries, the median."""
    spent = []
    for name, known in list(zip(truth.qimlist, truth.gnd))[:20]:
        query = gallery.describe(PHOTOS / "jpg" / f"{name}.jpg", box=known.get("bbx"))
        gallery.rank(query, rerank=(), top=20)
        start = time.perf_counter()
        gallery.rank(query, rerank=stages, top=20)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)) * 1e3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--engines", nargs="+",
        default=["asmk", "bow", "vlad", "tembedding", "cnn", "asmk+vlad", "vlad+cnn", "asmk+cnn"],
    )  # fmt: skip
    parser.add_argument("--network", default="squeezenet1_1")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the galleries, used again")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    kf.set_threads(arguments.threads)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    weights = SHARED / "weights" / f"{arguments.network}.safetensors"
    figures = []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as fresh:
        folder = arguments.keep or Path(fresh)
        folder.mkdir(exist_ok=True)
        files = [f"{name}.jpg" for name in truth.imlist]
        source = described(folder, weights, files)
        print(
            heading(["engine", *STAGES, "B/photo", "index ms", "query ms", "+ both ms"]), flush=True
        )
        for engine in arguments.engines:
            names = engines_of(engine)
            for name in names:
                if name not in seconds:
                    seconds[name] = alone(source, name, files)
            path = together(source, engine)
            spent = sum(seconds[name] for name in names) / len(files) * 1e3
            with Gallery.open(path) as gallery:
                judged = gallery.evaluate_ways(truth, list(STAGES.values()))
                times = [query_ms(gallery, truth, ways) for ways in ((), ("spatial", "diffusion"))]
            found = {name: one.map for name, one in zip(STAGES, judged)}
            cells = [f"{value:.3f}" for value in found.values()]
            print(
                row([engine, *cells, f"{size(path):,.0f}", f"{spent:.0f}", *(f"{t:.0f}" for t in times)]),
                flush=True,
            )  # fmt: skip
            figures.append({"engine": engine, "map": found, "query_ms": times, "index_ms": spent})
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
