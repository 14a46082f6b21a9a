"""Judge a gallery by a ground truth: average precision of each query, and their mean.

A ground truth is a gnd_*.pkl of the benchmarks, or JSON: {"imlist": [names of photos], "qimlist": [names of queries],
"gnd": [{"ok": [positions in imlist that should be found], "junk": [those that do not count], "bbx": [x0, y0, x1, y1] or
null}]}, one entry of gnd for each query; revisited protocols have "easy" and "hard" in place of "ok". Names are paths
in the folder of photos, with or without the ending. Query photos that lie elsewhere need --queries.

--dataset reads a benchmark as its publishers pack it, below the folder --data. The gallery is made of its photos if it
is not there; without a name, in a temporary folder. One that is there is completed and judged. Nothing is fetched:
where files are missing, one sentence says which belong where, and who publishes them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.base.registry import resolve
from kinfold.cli.making import add_making, given, is_made, make, reopen, tell_skipped
from kinfold.cli.opened import opened
from kinfold.cli.options import add_rerank, along
from kinfold.cli.output import check_writable, say, show, write_json
from kinfold.datasets import METHODS as DATASETS
from kinfold.datasets.collection import PUBLISHED

if TYPE_CHECKING:
    from kinfold.datasets.collection import Collection
    from kinfold.evaluate import Evaluation

SUMMARY = "measure mean average precision with a ground truth, or on a benchmark"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold eval``."""
    from kinfold.evaluate import METHODS

    parser.add_argument(
        "gallery", nargs="?", help="the gallery's folder; may be left out with --dataset"
    )
    judged_by = parser.add_mutually_exclusive_group(required=True)
    judged_by.add_argument(
        "--ground-truth",
        metavar="FILE",
        help="gnd_*.pkl or JSON with imlist, qimlist, gnd, see above",
    )
    judged_by.add_argument("--dataset", choices=list(PUBLISHED), help="a benchmark, with --data")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="where the files of --dataset are (default: where the gallery's photos are)",
    )
    parser.add_argument(
        "--protocol",
        choices=list(METHODS),
        help="default: oxford; with --dataset, all by which it is published",
    )
    parser.add_argument(
        "--queries",
        metavar="FOLDER",
        help="folder of the query photos, where they are not among the gallery's (default: that of its photos)",
    )
    add_rerank(parser)
    add_making(parser.add_argument_group("how a gallery of --dataset is made, as of kinfold index"))


def run(options: argparse.Namespace) -> int:
    """Evaluate; print the table."""
    if options.json:
        check_writable(options.json)
    if options.dataset:
        return _judge_dataset(options)
    for name, value in (("--data", options.data), *((each, True) for each in given(options))):
        if value:
            raise ValueError(f"{name}: is for --dataset")
    if options.gallery is None:
        raise ValueError("gallery: expected its folder")
    truth = read_ground_truth(Path(options.ground_truth))
    protocol = options.protocol or "oxford"
    with opened(options.gallery) as gallery:
        judged = gallery.evaluate(
            truth,
            protocol,
            rerank=options.rerank,
            verify_top=options.verify_top,
            along=along(options),
            queries=options.queries,
            verbose=not options.quiet,
        )
        engine = gallery.settings.engine
    if options.json:
        write_json(options.json, {**_chosen(options, options.gallery, engine), **judged.to_dict()})
    if options.json != "-":
        if not options.quiet:
            show(judged.table())
        show(
            f"mAP {judged.map:.4f}  (engine {engine}, re-ranking {','.join(options.rerank) or 'none'}, "
            f"protocol {protocol})"
        )
    return 0


def _judge_dataset(options: argparse.Namespace) -> int:
    if options.queries:
        raise ValueError("--queries: --dataset says where its queries are")
    collection = _collection(options)
    with _gallery(options, collection) as gallery:
        judged = gallery.evaluate_collection(
            collection,
            protocols=[options.protocol] if options.protocol else None,
            rerank=options.rerank,
            verify_top=options.verify_top,
            along=along(options),
            verbose=not options.quiet,
        )
        engine, held = gallery.settings.engine, gallery.ids_of([str(f) for f in collection.files])
        others = len(gallery) - sum(id is not None for id in held)
    lacking = sum(id is None for id in held)
    if options.json:
        value = {
            **_chosen(options, options.gallery, engine),
            "dataset": collection.name,
            "photos": len(collection.files),
            "queries": len(collection.query_files),
            "lacking": lacking,
            "others": others,
            "protocols": {name: evaluation.to_dict() for name, evaluation in judged.items()},
        }
        write_json(options.json, value)
    if options.json != "-":
        if not options.quiet:
            for evaluation in judged.values():
                show(evaluation.table() + "\n")
        _tell(options, collection, judged, engine)
    if not options.quiet:
        _remark(collection, lacking, others)
    return 0


def _tell(
    options: argparse.Namespace, collection: Collection, judged: dict[str, Evaluation], engine: str
) -> None:
    """The means."""
    show(
        f"{collection.name}: {len(collection.files)} photos, {len(collection.query_files)} queries  (engine {engine}, "
        f"re-ranking {','.join(options.rerank) or 'none'})"
    )
    for name, evaluation in judged.items():
        means = "  ".join(f"mP@{k} {value:.4f}" for k, value in evaluation.mp_at_k.items())
        show(f"{name:16}  mAP {evaluation.map:.4f}  {means}")


def _remark(collection: Collection, lacking: int, others: int) -> None:
    """What makes figures other than published ones."""
    there = len(collection.files), len(collection.query_files)
    if collection.published and there != collection.published:
        photos, queries = collection.published
        say(
            f"{collection.name} as published has {photos} photos and {queries} queries: these figures are not to be "
            "compared with published ones"
        )
    if lacking:
        say(f"{lacking} photos are not in the gallery and count as not found")
    if others:
        say(
            f"{others} photos of the gallery are none of the benchmark: left out of the lists, they took part in what "
            "was learnt"
        )


def _chosen(options: argparse.Namespace, gallery: str | None, engine: str) -> dict[str, Any]:
    """What JSON says of how was searched."""
    return {
        "gallery": gallery, "engine": engine, "rerank": list(options.rerank), "along": along(options),
    }  # fmt: skip


def _collection(options: argparse.Namespace) -> Collection:
    """The benchmark. Raises FileNotFoundError with what belongs where."""
    load: Callable[[Any], Collection] = resolve(DATASETS[options.dataset])
    if options.data is not None:
        return load(options.data)
    if options.gallery is None or not is_made(Path(options.gallery)):
        raise ValueError(f"--data: expected the folder of {options.dataset}")
    with opened(options.gallery) as gallery:
        photos = gallery.root
    # The gallery is of the folder itself, or of the photos' folder in it, at most two deep.
    for folder in (photos, *list(photos.parents)[:2]):
        with suppress(FileNotFoundError, FileFormatError):
            return load(folder)
    return load(photos)


@contextmanager
def _gallery(options: argparse.Namespace, collection: Collection) -> Iterator[Any]:
    """A gallery of the benchmark's photos: that which is there, completed, or a new one."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(options.gallery or Path(folder) / f"{collection.name}.kin")
        fresh = not is_made(target)
        gallery = make(target, options) if fresh else reopen(target, options)
        with gallery:
            try:
                _complete(gallery, collection, fresh, options)
            except BaseException:
                if fresh:
                    with suppress(GalleryError):  # which holds photos: they are kept
                        gallery.discard()
                raise
            yield gallery


def _complete(
    gallery: Any, collection: Collection, fresh: bool, options: argparse.Namespace
) -> None:
    """Add the photos that are not in the gallery yet, and leave those that are."""
    files = [os.path.abspath(file) for file in collection.files]
    if fresh:
        root = os.path.commonpath([os.path.dirname(file) for file in files])
    else:
        root = os.fspath(gallery.root)
        if None not in gallery.ids_of(files) and "indexed" in gallery.info():
            return
        if any(not Path(file).is_relative_to(root) for file in files):
            return  # of copies that lie elsewhere: judged as it is
    names = [Path(file).relative_to(root).as_posix() for file in files]
    there = [] if fresh else [path for path in gallery.paths if path not in set(names)]
    changes = gallery.update(root, files=[*names, *there], verbose=not options.quiet)
    if not options.quiet:
        tell_skipped(changes)


def read_ground_truth(path: Path) -> Any:
    """JSON, or a pickle by an unpickler that builds plain data alone: its first byte tells, or its name."""
    from kinfold.evaluate import GroundTruth

    with path.open("rb") as file:
        start = file.read(1)
    if start == b"\x80" or path.suffix in (".pkl", ".pickle"):
        from kinfold.io.foreign import ground_truth_pickle

        try:
            return GroundTruth.from_dict(ground_truth_pickle.read(path))
        except FileFormatError:
            raise
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from error
    return GroundTruth.from_json(path)
