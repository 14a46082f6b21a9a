"""mAP of galleries on the real photos of `../shared/data/photos`, bytes of a photo, and where the time goes.

    python -m benchmarks.gallery.map_photos [--engines asmk vlad cnn asmk+vlad ...] [--seeds 0 1 2] [--keep FOLDER]

Galleries of the 898 database photos with the default settings. 82 queries, cropped to their boxes where they have
one. AP is Oxford's trapezoid, junk removed. Codebook and whitening are learnt on the database itself, without labels.
*halves*: mAP of the queries of two random halves of the things, for the last stage. `cnn` is SqueezeNet 1.1 alone; with
*2 (`cnn*2`, `asmk+colour+cnn*2`) it is both networks, MobileNetV2 pooled by SPoC with its centre prior.

Photos and queries are described once; each engine is learnt and indexed alone, as `kinfold index` does it; galleries of
several engines take over what theirs have learnt; a photo is verified once for all engines. With --keep an interrupted
run goes on, and engines can be run one by one.
*B/photo*: what the engine holds of a photo, local features apart. *index*: CPU time of a photo, learning included,
once it is described; *describe*: CPU time of each part.
*query*: of a query that is described.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks.data import SHARED
from benchmarks.measure import heading, row
from kinfold import Gallery
from kinfold.evaluate import GroundTruth
from kinfold.gallery.describe import Describer
from kinfold.gallery.engines.base import shares_of
from kinfold.gallery.fused import Fused
from kinfold.gallery.manifest import WEIGHTS, Manifest
from kinfold.gallery.model import Model
from kinfold.gallery.parts import read_parts
from kinfold.gallery.query import Query, describe_query
from kinfold.gallery.segments import read_segment
from kinfold.gallery.settings import Settings, engines_of
from kinfold.gallery.store import MANIFEST, PHOTOS as TABLE, Store
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.index.flat import FlatIndex
from kinfold.io import kin
from kinfold.local.colour import colours
from kinfold.local.sift import SIFT
from kinfold.report.content import Answer

PHOTOS = SHARED / "photos"
STAGES = {
    "search": (),
    "+ spatial": ("spatial",),
    "+ diffusion": ("diffusion",),
    "+ spatial, diffusion": ("spatial", "diffusion"),
}
NETWORKS = {"squeezenet1_1": "gem", "mobilenet_v2": "spoc-centre"}
ENGINES = [
    "asmk", "bow", "vlad", "tembedding", "colour", "cnn", "cnn*2", "asmk+vlad", "asmk+vlad+colour",
    "asmk+tembedding+colour", "asmk+cnn", "asmk+colour+cnn", "asmk+tembedding+colour+cnn",
    "asmk+colour+cnn*2", "asmk+tembedding+colour+cnn*2", "tembedding+colour+cnn*2",
]  # fmt: skip


def described(folder: Path, files: list[str]) -> Path:
    """A gallery of colours and both networks, whose segments hold all that any engine needs."""
    path = folder / "described.kin"
    if not (path / MANIFEST).is_file():
        weights = [SHARED / "weights" / f"{name}.safetensors" for name in NETWORKS]
        pooling = "+".join(NETWORKS.values())
        Gallery.create(path, engine="colour+cnn", weights=weights, pooling=pooling).close()
    with Gallery.open(path) as gallery:
        gallery.update(PHOTOS / "jpg", files=files, verbose=False)
    return path


def describing(files: list[str]) -> dict[str, float]:
    """Processor time to describe a photo, in ms: the mean of every twentieth."""
    from kinfold.features.extract import Extractor

    sift = SIFT(max_features=1500, contrast_threshold=0.01)
    networks = {
        name: Extractor(SHARED / "weights" / f"{name}.safetensors", max_side=640)
        for name in NETWORKS
    }
    spent: dict[str, list[float]] = defaultdict(list)

    def timed(stage: str, call: Callable[..., Any], *given: Any) -> Any:
        start = time.process_time()
        result = call(*given)
        spent[stage].append(time.process_time() - start)
        return result

    for file in files[::20]:
        path = PHOTOS / "jpg" / file
        pixels = timed("decode", lambda path=path: decode(path, max_side=800).pixels)
        features = timed("SIFT", sift.extract, pixels)
        timed("colours", colours, pixels, features)
        for name, extractor in networks.items():
            timed(name, extractor.describe, fit(pixels, 640))
    return {stage: float(np.mean(times)) * 1e3 for stage, times in spent.items()}


def other(source: Path, name: str, seed: int) -> Path:
    """A gallery of the same photos for another engine, empty but for what was described."""
    engine, networks = parsed(name)
    target = beside(source, name, seed)
    target.mkdir()
    (target / "segments").mkdir()
    for file in (source / "segments").iterdir():
        segment = read_segment(file)
        segment.networks = segment.networks[:networks]
        # The table of photos knows segments by these names.
        kin.write(target / "segments" / file.name, segment.kind, segment.params(), segment.arrays())
    shutil.copy(source / TABLE, target / TABLE)
    (target / "parts").mkdir()
    old = Store(source).read()
    pooling = "+".join(list(NETWORKS.values())[: networks or 1])
    manifest = Manifest(Settings(engine=engine, pooling=pooling, seed=seed), old.photos)
    if "cnn" in engines_of(engine):
        for part in WEIGHTS[:networks]:
            shutil.copy(source / "parts" / old.parts[part], target / "parts" / old.parts[part])
            manifest = manifest.with_parts(**{part: old.parts[part]})
    Store(target).write(manifest)
    return target


def parsed(name: str) -> tuple[str, int]:
    """Engines, and of how many networks, of "asmk+cnn*2"."""
    engine, _, networks = name.partition("*")
    return engine, int(networks or 1) if "cnn" in engines_of(engine) else 0


def beside(source: Path, name: str, seed: int) -> Path:
    return source.with_name(f"{name}.{seed}.kin")


def alone(source: Path, name: str, seed: int, files: list[str]) -> float:
    """A gallery of one engine beside the source: the seconds that it took to learn and index."""
    path = beside(source, name, seed)
    told = path / "seconds.json"
    if not told.exists():
        shutil.rmtree(path, ignore_errors=True)
        start = time.process_time()
        with Gallery.open(other(source, name, seed)) as gallery:
            gallery.update(files=files, verbose=False)
        told.write_text(json.dumps(time.process_time() - start))
    return float(json.loads(told.read_text()))


def parts_of(name: str) -> list[str]:
    """The galleries of one engine that a gallery of several is made of."""
    engine, networks = parsed(name)
    return [
        f"cnn*{networks}" if one == "cnn" and networks > 1 else one for one in engines_of(engine)
    ]


def together(source: Path, name: str, seed: int) -> Path:
    """The gallery of one engine, or one of several out of those of each alone."""
    path = beside(source, name, seed)
    if (path / MANIFEST).is_file() and "graph" in Store(path).read().parts:
        return path
    shutil.rmtree(path, ignore_errors=True)
    other(source, name, seed)
    names = engines_of(parsed(name)[0])
    states = {
        engine: read_parts(Store(beside(source, part, seed)))
        for engine, part in zip(names, parts_of(name))
    }
    shares = shares_of({engine: s.model.engines[engine] for engine, s in states.items()})
    first = next(iter(states.values()))
    store = Store(path)
    manifest = store.read()
    describer = Describer(manifest.settings, [store.part(file) for file in manifest.weights])
    model = Model(
        {engine: s.model.engines[engine] for engine, s in states.items()}, shares,
        describer.fingerprint, len(first.ids),
    )  # fmt: skip
    ids = first.ids
    vectors = [
        states[engine].fused.index.reconstruct(ids) * np.float32(shares[engine] ** 0.5)
        for engine in model.engines
        if engine not in model.lists
    ]
    index = None
    if vectors:
        index = FlatIndex(sum(part.shape[1] for part in vectors), metric="ip")
        index.add(np.concatenate(vectors, axis=1), ids=ids)
    lists = {engine: states[engine].fused.lists[engine].ordered(ids) for engine in model.lists}
    fused = Fused(model, index, lists)
    parts = {"model": model, "graph": fused.graph(Settings().neighbours), **lists}
    if index is not None:
        parts["index"] = index
    manifest = replace(manifest, segments=Store(source).read().segments)
    for part_name, part in parts.items():
        made = store.add(
            "parts", ".kin", lambda to, p=part: kin.write(to, p.kind, p.params(), p.arrays())
        )
        manifest = manifest.with_parts(**{part_name: made})
    store.write(manifest)
    return path


def size(path: Path) -> float:
    """Bytes that the engines hold of a photo."""
    fused = read_parts(Store(path)).fused
    total = 0 if fused.index is None else 4 * fused.index.dim
    return total + sum(lists.stats()["bytes_per_photo"] for lists in fused.lists.values())


class Remembering(Gallery):
    """A gallery that takes over described queries, and what was verified for another engine: it would be the same.

    queries : by name, local features with colours; instead of a vector the descriptors of all networks
    verified : by name of the query, then by id; grows
    """

    def remember(
        self, queries: dict[str, Query], verified: dict[str, dict[int, Any]], n: int
    ) -> None:
        """n : how many networks this gallery has."""
        self._queries, self._verified, self._n = queries, verified, n

    def describe(self, query: Any, *, box: Any = None) -> Query:
        known = self._queries[Path(query).name]
        vector = self.parts.model.describe(known.features, known.vector[: self._n])
        return replace(known, vector=vector)

    def rerank(self, query: Query, answer: Answer, stage_name: str, **options: Any) -> Answer:
        if stage_name != "spatial":
            return super().rerank(query, answer, stage_name, **options)
        known = self._verified[query.name]
        asked = answer.ids[: options["verify_top"]].tolist()
        held = {i: known[i] for i in asked if i in known}
        ranked = replace(answer.ranked, verified={**answer.verified, **held})
        answer = super().rerank(query, replace(answer, ranked=ranked), stage_name, **options)
        known.update(answer.verified)
        # By inliers, as a stage that knew nothing leaves them: diffusion starts from the first.
        found = sorted(asked, key=lambda i: -answer.verified[i].inliers)
        ranked = replace(answer.ranked, verified={i: answer.verified[i] for i in found})
        return replace(answer, ranked=ranked)


class _Raw:
    """In place of a model: the networks' descriptors as they are."""

    @staticmethod
    def describe(features: Any, networks: Any, regions: Any) -> Any:
        return networks


def queries_of(source: Path, truth: GroundTruth, kept: Path) -> dict[str, Query]:
    """The queries as a gallery describes them, by name of the file, with what networks gave in place of vectors.

    kept : the file that they are kept in
    """
    if not kept.exists():
        with Gallery.open(source) as gallery:
            describer = gallery._reader.describer_of_queries()
        found = {}
        for name, known in zip(truth.qimlist, truth.gnd):
            photo = PHOTOS / "jpg" / f"{name}.jpg"
            query = describe_query(photo, known.get("bbx"), describer, _Raw())
            found[photo.name] = replace(query, pixels=query.pixels[:1, :1])
        kept.write_bytes(pickle.dumps(found))
    queries: dict[str, Query] = pickle.loads(kept.read_bytes())
    return queries


def query_ms(gallery: Remembering, truth: GroundTruth, stages: tuple[str, ...]) -> float:
    """Of 10 described queries, the median; nothing is remembered."""
    spent = []
    for name in truth.qimlist[:10]:
        query = gallery.describe(f"{name}.jpg")
        gallery.remember(gallery._queries, defaultdict(dict), gallery._n)
        start = time.perf_counter()
        gallery.rank(query, rerank=stages, top=20)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)) * 1e3


def halves(truth: GroundTruth, aps: Any) -> tuple[float, float]:
    """mAP of the queries of two random halves of the things that are asked for."""
    groups = json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"]
    things = np.random.default_rng(7).permutation(sorted(set(groups)))
    first = np.isin(groups, things[: len(things) // 2])
    return float(np.mean(aps[first])), float(np.mean(aps[~first]))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", nargs="+", default=ENGINES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of the codebooks")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the galleries, used again")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if not PHOTOS.exists():
        sys.exit(f"needs the photos in {PHOTOS}")
    kf.set_threads(arguments.threads)
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    figures = []
    with tempfile.TemporaryDirectory() as fresh:
        folder = arguments.keep or Path(fresh)
        folder.mkdir(exist_ok=True)
        files = [f"{name}.jpg" for name in truth.imlist]
        source = described(folder, files)
        queries = queries_of(source, truth, source.with_name("queries.pickle"))
        kept = folder / "verified.pickle"
        verified = (
            pickle.loads(kept.read_bytes()) if kept.exists() else {name: {} for name in queries}
        )
        told = folder / "describing.txt"
        if not told.exists():
            spent = describing(files).items()
            told.write_text(", ".join(f"{stage} {ms:.0f}" for stage, ms in spent))
        print(f"describe, ms a photo: {told.read_text()}\n", flush=True)
        columns = [
            "engine",
            "seed",
            *STAGES,
            "halves",
            "B/photo",
            "index ms",
            "query ms",
            "+ both ms",
        ]
        print(heading(columns), flush=True)
        for name, seed in itertools.product(arguments.engines, arguments.seeds):
            spent = sum(alone(source, part, seed, files) for part in parts_of(name))
            path = together(source, name, seed)
            with Remembering(path) as gallery:
                gallery.remember(queries, verified, parsed(name)[1])
                judged = gallery.evaluate_ways(truth, list(STAGES.values()))
                times = [query_ms(gallery, truth, ways) for ways in ((), ("spatial", "diffusion"))]
            kept.write_bytes(pickle.dumps(verified))
            found = {stage: one.map for stage, one in zip(STAGES, judged)}
            both = halves(truth, judged[-1].average_precision)
            index_ms = spent / len(files) * 1e3
            cells = [
                *(f"{value:.3f}" for value in found.values()), " ".join(f"{x:.3f}" for x in both),
                f"{size(path):,.0f}", f"{index_ms:.0f}", *(f"{t:.0f}" for t in times),
            ]  # fmt: skip
            print(row([name, str(seed), *cells]), flush=True)
            figures.append(
                {
                    "engine": name, "seed": seed, "map": found, "halves": both, "query_ms": times,
                    "index_ms": index_ms, "bytes": size(path),
                }
            )  # fmt: skip
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
