"""Describing photos in batches, wherever batches are worked on: in processes, in actors of Ray, in other people's
pipelines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count
from kinfold.base.threads import get_threads, set_threads
from kinfold.gallery.describe import Described, Describer, Seconds
from kinfold.gallery.settings import Settings
from kinfold.images.walk import PhotoFile
from kinfold.workers import Worker, start
from kinfold.workers.worker import Ended

# What is said of a photo that takes its process with it.
_FATAL = "the process that described it ended ({})"


class BatchDescriber:
    """Describes batches of photos as a gallery does: a callable from columns to columns that can be pickled.

    settings, weights, local_weights : as for ``Describer``; ``Gallery.batches`` gives one as a gallery has it
    threads : that a batch may use; 0 for the library's setting

    Called with {"path": (n,)}, it returns columns of n entries: ``path``; ``reason``, empty where a photo could be
    read; ``frame`` int32 (n, 4), sides of the upright original and of what was described; ``features``, how many local
    features; ``positions`` float32 (features, 2), ``scales``, ``angles`` float32 and ``descriptors`` uint8 or int8
    (features, d), an array each for each photo; and ``network``, ``network1`` ... float32 (n, d), of photos that cannot
    be read zeros. That is what Ray Data's ``map_batches``, ``Dataset.map(batched=True)`` of Hugging Face, and pools of
    processes take. Networks are set up at the first batch, once in each process.

    Examples
    --------
    >>> describe = kf.gallery.BatchDescriber(kf.gallery.settings.Settings())
    >>> found = describe({"path": ["no-such-photo.jpg"]})
    >>> found["reason"][0], found["features"].tolist()
    ('cannot be read: No such file or directory', [0])
    """

    def __init__(
        self,
        settings: Settings,
        weights: Sequence[str | os.PathLike[str]] = (),
        local_weights: Sequence[str | os.PathLike[str]] = (),
        *,
        threads: int = 0,
    ) -> None:
        self.settings = settings
        self._weights = [Path(file).absolute() for file in weights]
        self._local_weights = [Path(file).absolute() for file in local_weights]
        self.threads = as_count(threads, "threads", least=0)
        self._describer: Describer | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_describer": None}

    @property
    def describer(self) -> Describer:
        """What describes photos in this process."""
        if self._describer is None:
            if self.threads:
                set_threads(self.threads)
            self._describer = Describer(self.settings, self._weights, self._local_weights)
        return self._describer

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Columns of what was found in the photos at ``batch["path"]``."""
        paths = [os.fspath(path) for path in np.asarray(batch["path"], object).tolist()]
        files = [PhotoFile(path, 0, 0) for path in paths]
        described, _ = self.files(Path(), files)
        return columns_of(described)

    def files(
        self, root: Path, files: Sequence[PhotoFile]
    ) -> tuple[list[Described], dict[str, float]]:
        """What came of files below a folder, and the seconds that each stage took."""
        seconds = Seconds()
        made = list(self.describer.files(root, files, max(1, len(files)), seconds))
        return [item for part in made for item in part], seconds.to_dict()


def as_workers(workers: int | str) -> tuple[str, int]:
    """Where photos are described, and by how many workers."""
    if isinstance(workers, str):
        if workers != "ray":
            raise ValueError(f'workers: expected a number or "ray", got {workers!r}')
        return "ray", max(1, get_threads())
    return "process", as_count(workers, "workers", least=0)


def columns_of(described: Sequence[Described]) -> dict[str, NDArray[Any]]:
    """What was found in photos, a column each."""
    found = [item.found for item in described]
    frames = [(0, 0, 0, 0) if one is None else one.frame for one in found]
    columns: dict[str, NDArray[Any]] = {
        "path": np.array([item.file.path for item in described], object),
        "reason": np.array([item.reason or "" for item in described], object),
        "frame": np.array(frames, np.int32).reshape(-1, 4),
        "features": np.array([0 if one is None else len(one.features) for one in found]),
    }
    empty = {
        "positions": np.empty((0, 2), np.float32),
        "scales": np.empty(0, np.float32),
        "angles": np.empty(0, np.float32),
        "descriptors": np.empty((0, 0), np.uint8),
    }
    for name, nothing in empty.items():
        column = np.empty(len(found), object)
        for at, one in enumerate(found):
            column[at] = nothing if one is None else getattr(one.features, name)
        columns[name] = column
    known = next((one.networks for one in found if one is not None), ())
    for number, first in enumerate(known):
        vectors = [np.zeros_like(first) if one is None else one.networks[number] for one in found]
        columns[f"network{number or ''}"] = np.stack(vectors)
    return columns


def described_by_workers(
    batches: BatchDescriber,
    workers: int | str,
    root: Path,
    files: Iterable[PhotoFile],
    size: int,
    seconds: Seconds,
) -> Iterator[list[Described]]:
    """Describe files, ``size`` at a time, in their order, as ``Describer.files`` does: in several workers.

    workers : so many processes, or "ray": an actor for each thread that a call may use
    A batch whose worker is killed is described anew. Where its worker ends again, its photos are described one by one;
    one that takes its worker with it is told as unreadable, and is tried again at the next update.
    """
    incoming = iter(files)
    place, count = as_workers(workers)
    batches.threads = batches.threads or max(1, get_threads() // count)
    idle: SimpleQueue[_Describing] = SimpleQueue()
    made = [_Describing(place, batches) for _ in range(count)]
    for one in made:
        idle.put(one)

    def run(batch: list[PhotoFile]) -> tuple[list[Described], dict[str, float]]:
        one = idle.get()
        try:
            return one.files(root, batch)
        finally:
            idle.put(one)

    with ThreadPoolExecutor(count, thread_name_prefix="describing") as pool:
        waiting: list[Future[tuple[list[Described], dict[str, float]]]] = []
        try:
            while True:
                while len(waiting) < 2 * count and (batch := list(islice(incoming, size))):
                    waiting.append(pool.submit(run, batch))
                if not waiting:
                    return
                done, spent = waiting.pop(0).result()
                seconds.add(spent)
                yield done
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for one in made:
                one.close()


class _Describing:
    """A worker that describes."""

    def __init__(self, place: str, batches: BatchDescriber) -> None:
        self._place, self._batches = place, batches
        self._worker: Worker | None = None  # started by the thread that needs it first

    def files(self, root: Path, files: list[PhotoFile]) -> tuple[list[Described], dict[str, float]]:
        for _ in range(2):
            try:
                return self._ask(root, files)
            except Ended as error:
                how = str(error)
        if len(files) == 1:
            reason = _FATAL.format(how)
            return [Described(files[0], reason=reason, cause="memory")], {}
        parts = [self.files(root, [file]) for file in files]
        return [item for found, _ in parts for item in found], _sums(spent for _, spent in parts)

    def _ask(self, root: Path, files: list[PhotoFile]) -> tuple[list[Described], dict[str, float]]:
        try:
            if self._worker is None:
                self._worker = start(self._place, same, self._batches)
            self._worker.ask("files", root, files)
            answer: tuple[list[Described], dict[str, float]] = self._worker.answer()
            return answer
        except Ended:
            self._worker = None
            raise

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()


def same(thing: Any) -> Any:
    """The thing itself: how a worker is given what is there already."""
    return thing


def _sums(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            sums[name] = sums.get(name, 0.0) + value
    return sums
