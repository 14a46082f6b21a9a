"""Galleries with an index under their vectors, R-MAC whitened by region, second looks at regions: on the real photos.

    python -m benchmarks.gallery.indexed [--keep FOLDER] [--parts search stages rmac many] [--many 100000]

The 898 photos and 82 queries of `../shared/data/photos`, as in map_photos.py; SqueezeNet 1.1 by GeM and, for `rmac`,
both networks. *search*: mAP of a gallery under each index, what `kinfold info` tells of it, and the time of a query.
*stages*: second looks at regions, and galleries that rank by them. *rmac*: the whitening of regions against that of
their sum. *many*: the gallery's vectors and distractors' with noise, up to --many: what an index loses and gains there.
With --keep an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import itertools
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks.data import SHARED
from benchmarks.gallery.map_photos import PHOTOS, Remembering, halves, queries_of
from benchmarks.measure import heading, row
from kinfold import Gallery
from kinfold.evaluate import GroundTruth
from kinfold.evaluate.average_precision import average_precision
from kinfold.gallery.engines.cnn import CNNEngine
from kinfold.gallery.fused import Fused
from kinfold.gallery.query import Query
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.segments import read_segment
from kinfold.gallery.store import MANIFEST, Store
from kinfold.gallery.vector_search import VectorSearch
from kinfold.index.flat import FlatIndex
from kinfold.transform.normalize import l2_normalize

SEARCHES = ["Flat", "SQ8", "LVQ8", "LVQ4x8", "PQ16", "IVF64,Flat", "IVF64,SQ8", "IVF64,LOPQ16"]
MANY = [
    "Flat", "SQ8", "LVQ8", "LVQ4x8", "PQ16", "IVF1024,Flat", "IVF1024,LVQ8", "IVF1024,LOPQ16",
    "IMI2x8,LOPQ16",
]  # fmt: skip
WAYS: dict[str, tuple[str, ...]] = {
    "search": (),
    "+ diffusion": ("diffusion",),
    "+ regions": ("regions",),
    "+ regional-diffusion": ("regional-diffusion",),
}
# How many photos are looked at, and in which ways.
DEPTHS = {
    100: WAYS,
    300: {"+ regions": ("regions",), "+ regional-diffusion": ("regional-diffusion",)},
}
NOISE = 0.4


def made(folder: Path, name: str, network: str, files: list[str], **settings: Any) -> Path:
    """A gallery of the engine cnn that keeps regions too."""
    path = folder / f"{name}.kin"
    if not (path / MANIFEST).is_file():
        weights = SHARED / "weights" / f"{network}.safetensors"
        Gallery.create(path, engine="cnn", weights=weights, regions=True, **settings).close()
    with Gallery.open(path) as gallery:
        gallery.update(PHOTOS / "jpg", files=files, verbose=False)
    return path


class Told(Remembering):
    """A gallery that is told its queries; what is verified is remembered over galleries."""

    def describe(self, query: Any, *, box: Any = None) -> Query:
        known = self._queries[Path(query).name]
        vector = self.parts.model.describe(known.features, known.vector, known.regions)
        return replace(known, vector=vector)


def opened(path: Path, queries: dict[str, Query], verified: dict[str, dict[int, Any]]) -> Told:
    gallery = Told(path)
    gallery.remember(queries, verified, 1)
    return gallery


def timed(gallery: Gallery, truth: GroundTruth, **options: Any) -> float:
    """Milliseconds of the processor for a described query, the median of twenty."""
    spent = []
    for name in truth.qimlist[::4]:
        query = gallery.describe(f"{name}.jpg")
        began = time.process_time()
        gallery.rank(query, top=20, **options)
        spent.append(time.process_time() - began)
    return float(np.median(spent)) * 1e3


def search(folder: Path, truth: GroundTruth, files: list[str], verified: Any) -> None:
    """One gallery under each index."""
    source = made(folder, "gem", "squeezenet1_1", files)
    queries = queries_of(source, truth, source.with_suffix(".pickle"))
    print(
        heading(
            [
                "index",
                "search",
                "+ diffusion",
                "+ spatial, diffusion",
                "recall",
                "alone",
                "B/photo",
                "ms",
            ]
        )
    )
    for spec in SEARCHES:
        path = folder / "searched.kin"
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(source, path)
        with opened(path, queries, verified) as gallery:
            gallery.update(files=files, search=spec, verbose=False)
            ways = [(), ("diffusion",), ("spatial", "diffusion")]
            maps = [judged.map for judged in gallery.evaluate_ways(truth, ways)]
            told = gallery.info()["search"]
            known = told if isinstance(told, dict) else {}
            cells = [
                *(f"{value:.4f}" for value in maps), f"{known.get('recall_at_10', 1):.4f}",
                f"{known.get('recall_at_10_of_the_index_alone', 1):.4f}",
                f"{known.get('bytes_per_photo', 4 * gallery.info()['dim']):.0f}",
                f"{timed(gallery, truth, rerank=()):.2f}",
            ]  # fmt: skip
        print(row([f"`{spec}`", *cells]), flush=True)


def stages(folder: Path, truth: GroundTruth, files: list[str], verified: Any) -> None:
    """Second looks at regions, and engines that rank by them."""
    source = made(folder, "gem", "squeezenet1_1", files)
    queries = queries_of(source, truth, source.with_suffix(".pickle"))
    print(heading(["engine", "way", "mAP", "halves", "ms"]))
    for engine in ("cnn", "regions", "cnn+regions"):
        path = source if engine == "cnn" else folder / f"{engine}.kin"
        if not path.exists():
            shutil.copytree(source, path)
            store = Store(path)
            old = store.read()
            settings = replace(old.settings, engine=engine, regions=False)
            # The photos are described already; the engine is learnt anew.
            store.write(replace(old, settings=settings).without("model", "index", "graph"))
            with Gallery.open(path) as gallery:
                gallery.update(files=files, verbose=False)
        with opened(path, queries, verified) as gallery:
            for verify_top, ways in DEPTHS.items():
                judged = gallery.evaluate_ways(truth, list(ways.values()), verify_top=verify_top)
                for (name, way), one in zip(ways.items(), judged):
                    ms = timed(gallery, truth, rerank=way, verify_top=verify_top)
                    both = " / ".join(f"{x:.3f}" for x in halves(truth, one.average_precision))
                    label = f"{name} of {verify_top}" if "region" in name else name
                    print(
                        row([f"`{engine}`", label, f"{one.map:.4f}", both, f"{ms:.1f}"]), flush=True
                    )


def rmac(folder: Path, truth: GroundTruth, files: list[str], verified: Any) -> None:
    """Each region whitened before the sum, against the sum whitened."""
    columns = ["network", "exponent", "dim", "sum whitened", "halves", "regions whitened", "halves"]
    print(heading(columns))
    # Local features are asked for by nobody here: few of small photos.
    cheap = {"pooling": "rmac", "max_side": 64, "max_features": 50}
    for network, short in (("squeezenet1_1", "sq"), ("mobilenet_v2", "mn")):
        source = made(folder, f"rmac_{short}", network, files, **cheap)
        queries = queries_of(source, truth, source.with_suffix(".pickle"))
        with Gallery.open(source) as gallery:
            names = gallery.parts.manifest.segments
            segments = [read_segment(gallery._store.segment(name)) for name in names]
            settings, place = gallery.settings, position(gallery, truth)
        for exponent, dim in itertools.product((0.25, 0.5), (128, 256, 512)):
            cells = []
            for pooling in ("gem", "rmac"):
                chosen = replace(settings, pooling=pooling, whitening=exponent, network_dim=dim)
                engine = CNNEngine.learn(segments, chosen)
                aps = judged(engine, segments, queries, truth, place)
                both = " / ".join(f"{x:.3f}" for x in halves(truth, aps))
                cells += [f"{np.mean(aps):.4f}", both]
            print(row([network, str(exponent), str(dim), *cells]), flush=True)


def judged(
    engine: CNNEngine,
    segments: Sequence[PhotoSegment],
    queries: dict[str, Query],
    truth: GroundTruth,
    place: dict[int, int],
) -> np.ndarray:
    """Average precision of each query by an engine alone."""
    held = np.concatenate([engine.vectors(segment) for segment in segments])
    ids = np.concatenate([segment.ids for segment in segments])
    found = []
    for name, entry in zip(truth.qimlist, truth.gnd):
        query = queries[f"{name}.jpg"]
        vector = engine.describe(query.features, query.vector, query.regions)
        order = np.argsort(-(held @ vector), kind="stable")
        ranked = np.array([place[i] for i in ids[order].tolist()])
        found.append(average_precision(ranked, entry["ok"], entry["junk"]))
    return np.array(found)


def position(gallery: Gallery, truth: GroundTruth) -> dict[int, int]:
    """Where each photo is in the ground truth's list, by id."""
    return {id: at for at, id in enumerate(gallery.ids_of(truth.imlist)) if id is not None}


def many(folder: Path, truth: GroundTruth, files: list[str], n: int) -> None:
    """Vectors of the gallery, and distractors' with noise up to n, under each index."""
    source = made(folder, "gem", "squeezenet1_1", files)
    queries = queries_of(source, truth, source.with_suffix(".pickle"))
    with Gallery.open(source) as gallery:
        model, place = gallery.parts.model, position(gallery, truth)
        own = gallery.parts.ids
        vectors = gallery.parts.fused.index.reconstruct(own)
    strange = np.array([truth.imlist[place[i]].startswith("distractor") for i in own.tolist()])
    random = np.random.default_rng(0)
    drawn = vectors[strange][random.integers(strange.sum(), size=n - len(own))]
    noise = random.standard_normal(drawn.shape, dtype=np.float32) / np.float32(
        drawn.shape[1] ** 0.5
    )
    every = np.concatenate([vectors, l2_normalize(drawn + NOISE * noise)])
    ids = np.concatenate([own, own.max() + 1 + np.arange(n - len(own))])
    flat = FlatIndex(every.shape[1], metric="ip")
    flat.add(every, ids=ids)
    asked = [
        replace(q, vector=model.describe(q.features, q.vector, q.regions)) for q in queries.values()
    ]
    print(f"\n{n:,} vectors of {every.shape[1]} dimensions")
    print(
        heading(
            [
                "index",
                "mAP@200",
                "recall",
                "alone",
                "B/photo",
                "learnt, s",
                "ms a query",
                "exhaustive / it",
            ]
        )
    )
    scan: float | None = None
    for spec in MANY:
        began = time.process_time()
        nearest = {}
        if spec != "Flat":
            nearest["search"] = VectorSearch.learn(spec, every, ids)
        learnt = time.process_time() - began
        if nearest:
            nearest["search"] = nearest["search"].measured(every, ids)
        fused = Fused(model, flat, {}, nearest)
        answers, ms = best_of(3, lambda fused=fused: [fused.search(q, 200).ids for q in asked])
        ms /= len(asked)
        scan = ms if scan is None else scan
        aps = [
            average_precision(known(answer, place, n), entry["ok"], entry["junk"])
            for answer, entry in zip(answers, truth.gnd)
        ]
        held = nearest.get("search")
        size = (
            flat.stats()["bytes_per_vector"]
            if held is None
            else held.index.stats()["bytes_per_vector"]
        )
        figures = (1.0, 1.0) if held is None else (held.recall, held.alone)
        print(
            row([f"`{spec}`", f"{np.mean(aps):.4f}", *(f"{x:.4f}" for x in figures), f"{size:.0f}",
                 f"{learnt:.1f}", f"{ms:.2f}", f"{scan / ms:.1f}"]),
            flush=True,
        )  # fmt: skip


def known(ids: np.ndarray, place: dict[int, int], n: int) -> np.ndarray:
    """Positions in the ground truth; of what is not in it, numbers beyond."""
    return np.array([place.get(i, n + i) for i in ids.tolist()])


def best_of(rounds: int, call: Callable[[], Sequence[Any]]) -> tuple[Sequence[Any], float]:
    """What a call gives, and the least processor time of some rounds, in ms."""
    best = np.inf
    for _ in range(rounds):
        began = time.process_time()
        answer = call()
        best = min(best, time.process_time() - began)
    return answer, best * 1e3


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = {"search": search, "stages": stages, "rmac": rmac}
    parser.add_argument("--parts", nargs="+", default=[*parts, "many"], choices=[*parts, "many"])
    parser.add_argument("--keep", type=Path, help="a folder for the galleries, used again")
    parser.add_argument("--many", type=int, default=100_000)
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    kf.set_threads(1)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    files = [f"{name}.jpg" for name in truth.imlist]
    with tempfile.TemporaryDirectory() as fresh:
        folder = arguments.keep or Path(fresh)
        folder.mkdir(exist_ok=True)
        kept = folder / "verified.pickle"
        verified = pickle.loads(kept.read_bytes()) if kept.exists() else {
            f"{name}.jpg": {} for name in truth.qimlist
        }  # fmt: skip
        for name in arguments.parts:
            print(f"\n{name}\n", flush=True)
            if name == "many":
                many(folder, truth, files, arguments.many)
            else:
                parts[name](folder, truth, files, verified)
                kept.write_bytes(pickle.dumps(verified))


if __name__ == "__main__":
    main()
