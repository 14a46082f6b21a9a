"""A worker for each shard; one that ends is started anew from its file, and given what it had been given since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from kinfold.base.errors import WorkerError
from kinfold.base.locks import Lock
from kinfold.base.threads import get_threads
from kinfold.shards.manifest import ShardFile
from kinfold.shards.shard import Shard
from kinfold.workers import Worker, start
from kinfold.workers.worker import Ended


class _Member:
    """A shard's worker, its file, and the changes that the file does not hold yet."""

    def __init__(self, place: str, file: ShardFile, mmap: bool, threads: int | None) -> None:
        self.file, self._how = file, (mmap, threads)
        self.since: list[tuple[str, tuple[Any, ...]]] = []
        self.told: dict[str, tuple[Any, ...]] = {}
        self.worker: Worker = start(place, Shard, *self._opening)

    @property
    def _opening(self) -> tuple[Any, ...]:
        return self.file.path, self.file.digest, *self._how

    def revive(self) -> None:
        """Start anew, and bring it to where it was."""
        self.worker.start(*self._opening)
        for method, arguments in (*self.since, *self.told.items()):
            self.worker.ask(method, *arguments)
            self.worker.answer()


class Crew:
    """Workers for shards.

    place : "here", "process" or "ray"
    threads : of each worker; 0 divides this process's among them
    """

    def __init__(self, place: str, files: list[ShardFile], *, threads: int, mmap: bool) -> None:
        self.place = place
        self._lock = Lock()
        own = threads or max(1, get_threads() // len(files))
        self._members: list[_Member] = []
        try:
            for file in files:
                self._members.append(_Member(place, file, mmap, None if place == "here" else own))
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._members)

    @property
    def files(self) -> list[ShardFile]:
        """The file of each."""
        return [member.file for member in self._members]

    @property
    def pids(self) -> list[int | None]:
        """Numbers of the workers' processes."""
        return [member.worker.pid for member in self._members]

    def each(self, method: str, *arguments: Any) -> list[Any]:
        """Ask all the same; their answers."""
        return self.some(method, dict.fromkeys(range(len(self)), arguments))

    def tell(self, method: str, *arguments: Any) -> None:
        """Ask all the same, and those that are started anew as well, until they are told otherwise."""
        self.each(method, *arguments)
        for member in self._members:
            member.told[method] = arguments

    def some(self, method: str, calls: Mapping[int, tuple[Any, ...]]) -> list[Any]:
        """Ask some of them at the same time; their answers, in the order of ``calls``.

        Raises the first exception of a shard, once all have answered, and WorkerError.
        """
        answers: list[Any] = []
        failed: list[Exception] = []
        with self._lock:
            for number, arguments in calls.items():
                # That it is gone is seen again, and seen to, when its answer is fetched.
                with suppress(Ended):
                    self._members[number].worker.ask(method, *arguments)
            for number, arguments in calls.items():
                try:
                    answers.append(self._answer(self._members[number], method, arguments))
                except Exception as error:
                    failed.append(error)
        if failed:
            raise failed[0]
        return answers

    def _answer(self, member: _Member, method: str, arguments: tuple[Any, ...]) -> Any:
        try:
            return member.worker.answer()
        except Ended as first:
            try:
                member.revive()
                member.worker.ask(method, *arguments)
                return member.worker.answer()
            except Ended as again:
                member.worker.close()
                raise WorkerError(
                    f"{member.file.path}: the shard's worker ended ({first}), was started anew, and ended again "
                    f"({again}): is there memory enough for it? Nothing is lost; ask again"
                ) from again

    def change(self, method: str, calls: Mapping[int, tuple[Any, ...]]) -> list[Any]:
        """Ask for a change, within ``all_or_nothing``; it is kept for workers that will be started anew."""
        answers = self.some(method, calls)
        for number, arguments in calls.items():
            self._members[number].since.append((method, arguments))
        return answers

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Changes in a block are made together: on an error, or an interrupt, all shards are as they were before."""
        with self._lock:
            before = [len(member.since) for member in self._members]
            try:
                yield
            except BaseException:
                for member, kept in zip(self._members, before):
                    del member.since[kept:]
                    member.worker.close()  # when it is asked next, it starts from what is known
                raise

    def saved(self, files: list[ShardFile]) -> None:
        """From here on these hold everything."""
        for member, file in zip(self._members, files):
            member.file, member.since = file, []

    def close(self) -> None:
        """End all workers."""
        for member in self._members:
            member.worker.close()
