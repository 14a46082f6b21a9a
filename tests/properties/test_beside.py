"""Readers beside a writer, a writer beside readers, and children that are forked meanwhile: nobody waits for another.

One thread is held at a line that it passes, as a long computation, an iterator or the system may hold it there; what
others do must end before it goes on.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from writes import CASES, FIRST, QUERIES, D, answer_of, equal, same, vectors

import kinfold as kf

PACKAGE = str(Path(kf.__file__).parent)
# Places at which a thread is held; how long others may take until it is said that they hang.
PLACES = 6
HANGS = 60.0
# What has a lock for its writers; estimators are fitted by one.
SHARED = [name for name, case in CASES.items() if hasattr(case.make(), "_lock")]


class Held:
    """A thread that runs something, held at the n-th line of ours until it may go on."""

    def __init__(self, run: Callable[[], Any], place: int) -> None:
        self._run, self._left = run, place
        self.passed, self.answer, self.error = 0, None, None
        self._there, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._traced, daemon=True)

    def _lines(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self.passed += 1
            if self.passed == self._left:
                self._there.set()
                self._go.wait(HANGS)
        return self._lines

    def _traced(self) -> None:
        sys.settrace(self._lines)
        try:
            self.answer = self._run()
        except BaseException as error:
            self.error = error
        finally:
            sys.settrace(None)
            self._there.set()

    def __enter__(self) -> Held:
        self._thread.start()
        assert self._there.wait(HANGS)
        return self

    def __exit__(self, *_: Any) -> None:
        self._go.set()
        self._thread.join(HANGS)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error


def ended(run: Callable[[], Any]) -> Any:
    """What another thread answers, which must end."""
    with Held(run, 0) as other:
        pass
    return other.answer


def places(run: Callable[[], Any]) -> list[int]:
    with Held(run, 0) as once:
        pass
    return sorted({int(place) for place in np.linspace(1, once.passed, PLACES)})


@pytest.mark.parametrize("name", SHARED)
def test_readers_wait_for_no_writer(name: str) -> None:
    case = CASES[name]
    start = copy.deepcopy(case.make())  # as its copies are
    done = copy.deepcopy(start)
    before = case.answer(start)
    case.write(done)
    after = case.answer(done)
    for place in places(lambda: case.write(copy.deepcopy(start))):
        thing = copy.deepcopy(start)
        with Held(lambda thing=thing: case.write(thing), place):
            left = ended(lambda thing=thing: case.answer(thing))
        whole = equal(left, before) or equal(left, after)
        last = equal(case.answer(thing), after)
        assert whole and last, f"at place {place}"


@pytest.mark.parametrize("name", SHARED)
def test_writers_wait_for_no_reader(name: str) -> None:
    case = CASES[name]
    start = copy.deepcopy(case.make())  # as its copies are
    done = copy.deepcopy(start)
    case.write(done)
    for read in case.reads:
        whole = answer_of(read, start), answer_of(read, done)
        for place in places(lambda read=read: answer_of(read, copy.deepcopy(start))):
            thing = copy.deepcopy(start)
            with Held(lambda read=read, thing=thing: answer_of(read, thing), place) as reader:
                ended(lambda thing=thing: case.write(thing))
            fits = any(same(reader.answer, one) for one in whole)
            last = same(answer_of(read, thing), whole[1])
            assert fits and last, f"at place {place}"


@pytest.mark.parametrize("spec", ["IVF2,Flat", "PQ1x4", "KDTree", "KDForest2", "LSH64"])
def test_a_stream_may_wait_for_what_others_do(spec: str) -> None:
    """For searches, for other additions in other threads, and for its own."""
    index = kf.index_factory(spec, D, verbose=False).train(FIRST)
    index.add(FIRST)

    def stream() -> Any:
        yield vectors(3, 4)
        assert ended(lambda: index.search(QUERIES, 3)).ids.shape == (20, 3)
        assert ended(lambda: index.add(vectors(4, 2))).tolist() == [90, 91]
        assert index.add(vectors(5, 3)).tolist() == [92, 93, 94]
        assert index.remove([0]) == 1
        index.update([91], vectors(6, 1))
        yield vectors(7, 2)

    assert index.add(stream(), verbose=False).tolist() == [95, 96, 97, 98, 99, 100]
    assert sorted(index.ids.tolist()) == list(range(1, 101))
    twin = kf.index_factory(spec, D, verbose=False).train(FIRST)
    twin.add(np.concatenate([
        FIRST, vectors(4, 2)[:1], vectors(6, 1), vectors(5, 3), vectors(3, 4), vectors(7, 2)
    ]))  # fmt: skip
    everything = np.arange(1, 101)
    np.testing.assert_array_equal(index.reconstruct(everything), twin.reconstruct(everything))


def test_additions_to_an_index_that_is_trained_anew_meanwhile() -> None:
    index = kf.index_factory("IVF2,SQ8", D, verbose=False).train(FIRST)

    def stream() -> Any:
        yield vectors(3, 4)
        index.train(vectors(4, 80))

    with pytest.raises(ValueError, match="^x: the index was trained anew"):
        index.add(stream(), verbose=False)
    assert len(index) == 0 and index.add(vectors(3, 4)).tolist() == [0, 1, 2, 3]


def test_no_search_is_lost_from_the_statistics() -> None:
    index = kf.index_factory("IVF2,SQ8", D, verbose=False).train(FIRST)
    index.add(FIRST)
    threads = [
        threading.Thread(target=lambda: [index.search(QUERIES, 1) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.stats()["queries"] == 4 * 50 * len(QUERIES)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("name", SHARED)
def test_a_forked_child_reads_and_writes(name: str) -> None:
    """The thread that writes is not there in the child; the last whole state is, and more can be written to it."""
    case = CASES[name]
    start = copy.deepcopy(case.make())  # as its copies are
    done = copy.deepcopy(start)
    whole = case.answer(start), (case.write(done), case.answer(done))[1]
    for place in places(lambda: case.write(copy.deepcopy(start)))[1::2]:
        thing = copy.deepcopy(start)
        with Held(lambda thing=thing: case.write(thing), place):
            child = os.fork()
            if not child:
                code = 1
                try:
                    sys.settrace(None)
                    left = case.answer(thing)
                    case.more(thing)
                    case.answer(thing)
                    code = 0 if any(equal(left, one) for one in whole) else 2
                finally:
                    os._exit(code)
            assert status_of(child) == 0


def status_of(child: int) -> int:
    until = time.monotonic() + HANGS
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child hangs")
        time.sleep(0.005)
    return os.waitstatus_to_exitcode(ended[1])
