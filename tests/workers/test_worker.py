"""Workers of every place are asked in one way."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from things import Counter

from kinfold import workers
from kinfold.workers.worker import Ended, Worker


@pytest.fixture(params=["here", "process"])
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    made = workers.start(request.param, Counter, 5)
    yield made
    made.close()


def test_it_keeps_what_it_made_and_answers(worker: Worker) -> None:
    for expected in (7, 9):
        worker.ask("add", 2)
        assert worker.answer() == expected


def test_errors_are_raised_where_the_answer_is_fetched(worker: Worker) -> None:
    worker.ask("fail")
    with pytest.raises(LookupError, match="^'?in "):
        worker.answer()
    worker.ask("add", 1)
    assert worker.answer() == 6


def test_closed_it_has_ended_and_can_be_started_anew(worker: Worker) -> None:
    worker.ask("add", 1)
    worker.answer()
    worker.close()
    worker.close()
    with pytest.raises(Ended, match="closed"):
        worker.ask("add", 1)
        worker.answer()
    worker.start()
    worker.ask("add", 1)
    assert worker.answer() == 6
    worker.start(20)
    worker.ask("add", 1)
    assert worker.answer() == 21


@pytest.mark.parametrize("place", ["here", "process"])
def test_what_making_raises_is_raised(place: str) -> None:
    with pytest.raises(ValueError, match="from 0"):
        workers.start(place, Counter, -1)


def test_what_could_not_be_made_can_be_tried_again() -> None:
    worker = workers.start("process", Counter, 5)
    with pytest.raises(ValueError, match="from 0"):
        worker.start(-1)
    with pytest.raises(Ended, match="closed"):
        worker.ask("add", 1)
    worker.start(3)
    worker.ask("add", 1)
    assert worker.answer() == 4
    worker.close()


def test_places_are_named() -> None:
    with pytest.raises(ValueError, match="^workers: expected one of here, process, ray"):
        workers.start("elsewhere", Counter, 0)
    assert workers.start("here", Counter, 0).pid is None
    assert os.getpid() > 0
