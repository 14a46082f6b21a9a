"""Locks across copies, pickles and forks."""

from __future__ import annotations

import copy
import os
import pickle
import threading

import pytest

from kinfold.base.locks import Lock


def free(lock: Lock) -> bool:
    """Whether another thread could take it."""
    answer: list[bool] = []

    def attempt() -> None:
        answer.append(lock.acquire(blocking=False))
        if answer[0]:
            lock.release()

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return answer[0]


def test_its_thread_may_take_it_again_and_others_wait() -> None:
    lock = Lock()
    with lock:
        with lock:
            assert not free(lock)
        assert not free(lock)
    assert free(lock)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda lock: pickle.loads(pickle.dumps(lock))])
def test_a_copy_has_a_lock_of_its_own(again) -> None:
    lock = Lock()
    with lock:
        other = again(lock)
        assert isinstance(other, Lock) and other is not lock and free(other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_finds_it_free_unless_it_holds_it_itself() -> None:
    theirs, own = Lock(), Lock()
    taken, done = threading.Event(), threading.Event()

    def hold() -> None:
        with theirs:
            taken.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(60)
    with own:
        child = os.fork()
        if child == 0:
            right = theirs.acquire(blocking=False) and own._is_owned()  # type: ignore[attr-defined]
            os._exit(0 if right else 1)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
