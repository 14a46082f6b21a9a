"""Long calls from Python: forks, Ctrl-C, several threads, any number of workers, any level."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import kinfold
from kinfold import _core


def example(
    rng: np.random.Generator, n: int = 3000, d: int = 40
) -> tuple[kinfold.FlatIndex, np.ndarray]:
    index = kinfold.FlatIndex(d)
    index.add(rng.standard_normal((n, d), np.float32))
    return index, rng.standard_normal((70, d), np.float32)


def as_bits(found: kinfold.Neighbours) -> tuple[bytes, bytes]:
    return found.distances.tobytes(), found.ids.tobytes()


def test_the_answer_does_not_depend_on_threads_or_the_batch(threads) -> None:
    index, queries = example(np.random.default_rng(1))
    found = index.search(queries, 10)
    assert as_bits(found) == as_bits(index.search(queries, 10, threads=1))
    for i in range(0, len(queries), 9):
        alone = index.search(queries[i], 10)
        assert as_bits(alone) == (found.distances[i].tobytes(), found.ids[i].tobytes())


def test_the_answer_does_not_depend_on_the_level_from_avx2_on() -> None:
    before = _core.level()
    index, queries = example(np.random.default_rng(2))
    answers = {}
    try:
        for level in _core.levels():
            _core.set_level(level)
            answers[level] = index.search(queries, 10)
    finally:
        _core.set_level(before)
    baseline, *others = answers.values()
    for other in others:
        assert as_bits(other) == as_bits(others[0])
        np.testing.assert_allclose(baseline.distances, other.distances, rtol=1e-5)


def search_in_child(index: kinfold.FlatIndex, queries: np.ndarray, answers: object) -> None:
    answers.put(as_bits(index.search(queries, 5, threads=3)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_searches(rng) -> None:
    index, queries = example(rng)
    expected = as_bits(index.search(queries, 5, threads=3))  # the parent's pool has started
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=search_in_child, args=(index, queries, answers))
    child.start()
    try:
        assert answers.get(timeout=60) == expected
        child.join(60)
        assert child.exitcode == 0
    finally:
        child.kill()


def test_many_python_threads_share_one_index(rng) -> None:
    index, queries = example(rng)
    expected = as_bits(index.search(queries, 10))
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda i: as_bits(index.search(queries, 10, threads=1 + i % 3)), range(48))
        )
    assert set(answers) == {expected}


def test_a_search_during_an_add_sees_the_old_state_or_a_newer_one(rng) -> None:
    d, batch, batches = 16, 50, 40
    index = kinfold.FlatIndex(d)
    x = rng.standard_normal((batch * batches, d), np.float32)
    index.add(x[:batch])
    whole = threading.Event()
    wrong: list[str] = []

    def look() -> None:
        while not whole.is_set():
            before = len(index)
            distances, ids = index.search(x[:4], batch * batches)
            after = len(index)
            there = int((ids[0] >= 0).sum())
            if not before <= there <= after or there % batch:
                wrong.append(f"{there} vectors answered, {before} before and {after} after")
            if not (ids[:, 0] == np.arange(4)).all() or (np.diff(distances[:, :there]) < 0).any():
                wrong.append("wrong neighbours")

    with ThreadPoolExecutor(3) as pool:
        looking = [pool.submit(look) for _ in range(3)]
        for i in range(1, batches):
            index.add(x[i * batch : (i + 1) * batch])
        whole.set()
        for task in looking:
            task.result()
    assert not wrong, wrong[:3]
    assert len(index) == batch * batches


LONG_CALL = """
import signal, sys, time
import numpy as np, kinfold
signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs are started without it
x = np.random.default_rng(0).standard_normal((20000, 64), np.float32)
index = kinfold.FlatIndex(64)
index.add(x)
index.search(x[:10], 5)
print("ready", flush=True)
try:
    for _ in range(1000):
        index.search(np.repeat(x, 20, axis=0), 1000, threads=int(sys.argv[1]))
except KeyboardInterrupt:
    print("stopped", len(index.search(x[:3], 5).ids), flush=True)
"""


@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_stops_a_long_call(threads) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LONG_CALL, threads],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(1.5)  # by now it is inside the call
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
            assert out == "stopped 3\n", err
            assert child.returncode == 0
        finally:
            child.kill()


@pytest.mark.parametrize(
    "make", [lambda: _core.scan.ExactScan(64, "ip"), lambda: _core.scan.RegionScan(64)]
)
def test_sizes_are_known_beside_an_append(make, rng) -> None:
    """Who appends asks for Ctrl-C, with Python's lock; who holds that lock must not wait for the append."""
    rows = rng.standard_normal((100_000, 64), np.float32)
    scan = make()
    writer = threading.Thread(target=scan.append, args=(rows,), daemon=True)
    writer.start()
    while writer.is_alive():
        assert len(scan) in (0, len(rows))
        if hasattr(scan, "shadow_bytes"):
            assert scan.shadow_bytes >= 0
    assert len(scan) == len(rows)
