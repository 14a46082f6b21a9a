"""Shards in processes: killed at any time, answers are the same; nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.shards.crew import Crew

D = 8


def made(rng: np.random.Generator, spec: str = "IMI2x2,PQ4x4") -> tuple[Any, np.ndarray]:
    x = rng.standard_normal((600, D)).astype(np.float32)
    index = kf.index_factory(spec, D, verbose=False).fit(x)
    index.add(x[:400])
    return index, x


def kill(shards: kf.ShardedIndex, number: int) -> None:
    pid = shards.pids[number]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def same(one: Any, shards: kf.ShardedIndex, queries: np.ndarray) -> None:
    mine, theirs = one.search(queries, 9), shards.search(queries, 9)
    np.testing.assert_array_equal(mine.ids, theirs.ids)
    assert mine.distances.tobytes() == theirs.distances.tobytes()


def test_killed_workers_come_back_with_all_they_had(sharded: Any, rng: np.random.Generator) -> None:
    index, x = made(rng)
    one, shards = sharded(index, n=2, workers="process")
    assert None not in shards.pids and len({*shards.pids, os.getpid()}) == 3
    same(one, shards, x[:20])
    kill(shards, 0)
    same(one, shards, x[:20])
    for which in (one, shards):
        which.add(x[400:500])
        which.remove(np.arange(0, 400, 5))
        which.update([1, 2, 3], x[500:503])
        which.compact()
    kill(shards, 0), kill(shards, 1)
    same(one, shards, x[:20])
    kill(shards, 1)  # while it changes
    for which in (one, shards):
        which.add(x[503:550])
    same(one, shards, x[:20])
    assert len(one) == len(shards) and one.ids.tolist() == shards.ids.tolist()


def killed(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # the one before may just have gone
        os.kill(pid, signal.SIGKILL)


def test_killed_in_the_midst_of_questions(sharded: Any, rng: np.random.Generator) -> None:
    """One worker for each question, at some moment of it: every question is answered, and rightly."""
    index, x = made(rng, "IVF4,Flat")
    one, shards = sharded(index, n=2, workers="process")
    expected = one.search(x, 9)
    for delay in (0.0, 0.0002, 0.0005, 0.001, 0.002):
        killer = threading.Timer(delay, killed, (shards.pids[int(rng.integers(2))],))
        killer.start()
        found = shards.search(x, 9)
        killer.join()
        assert found.ids.tobytes() == expected.ids.tobytes()
        assert found.distances.tobytes() == expected.distances.tobytes()


def test_a_shard_whose_file_is_gone_or_another_is_refused(
    sharded: Any, rng: np.random.Generator
) -> None:
    index, x = made(rng, "Flat")
    one, shards = sharded(index, n=2, workers="process")
    path = Path(shards.stats()["parts"][1]["file"])
    kept = path.read_bytes()
    path.write_bytes(Path(shards.stats()["parts"][0]["file"]).read_bytes())
    kill(shards, 1)
    with pytest.raises(kf.FileFormatError, match="another file than the shard"):
        shards.search(x[:2])
    path.unlink()
    with pytest.raises(FileNotFoundError):
        shards.search(x[:2])
    path.write_bytes(kept)
    same(one, shards, x[:20])


def test_a_shard_that_dies_again_and_again_is_refused(
    sharded: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its machine has too little memory for it."""
    from kinfold.workers.worker import Ended

    index, x = made(rng, "Flat")
    one, shards = sharded(index, n=2, workers="process")
    member: Any = shards._crew._members[1]
    plain = member.worker.answer

    def answer() -> Any:
        plain()
        raise Ended("process 7 ended by SIGKILL")

    with monkeypatch.context() as patched:
        patched.setattr(member.worker, "answer", answer)
        with pytest.raises(
            kf.WorkerError, match=r"\.kin: the shard's worker ended \(process 7 .*lost; ask"
        ):
            shards.search(x[:2])
        with pytest.raises(kf.WorkerError):
            shards.add(x[:2])
    same(one, shards, x[:20])
    assert len(shards) == 400


def test_an_interrupt_takes_a_change_back(sharded: Any, rng: np.random.Generator) -> None:
    index, x = made(rng, "Flat")
    one, shards = sharded(index, n=2)
    crew: Crew = shards._crew
    with pytest.raises(KeyboardInterrupt), crew.all_or_nothing():
        crew.change("remove", {0: (np.arange(400),)})
        raise KeyboardInterrupt
    same(one, shards, x[:20])


def test_a_save_moves_the_ground_that_workers_stand_on(
    sharded: Any, rng: np.random.Generator, tmp_path: Path
) -> None:
    index, x = made(rng)
    one, shards = sharded(index, n=2, workers="process")
    one.add(x[400:450]), shards.add(x[400:450])
    shards.save(tmp_path / "later")
    assert all(not member.since for member in shards._crew._members)
    one.add(x[450:]), shards.add(x[450:])
    kill(shards, 0), kill(shards, 1)
    same(one, shards, x[:20])
    shards.close()
    with kf.ShardedIndex.open(tmp_path / "later", threads=1) as again:
        assert len(again) == 450 and 449 in again and 450 not in again


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_actors_of_ray(sharded: Any, rng: np.random.Generator) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra: kinfold[ray]")
    source = str(Path(kf.__file__).parents[1])
    ray.init(
        num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False,
        runtime_env={"env_vars": {"PYTHONPATH": source}},
    )  # fmt: skip
    try:
        index, x = made(rng)
        one, shards = sharded(index, n=2, workers="ray")
        same(one, shards, x[:20])
        one.add(x[400:450]), shards.add(x[400:450])
        for number in range(2):
            kill(shards, number)
            same(one, shards, x[:20])
        shards.close()
    finally:
        ray.shutdown()
