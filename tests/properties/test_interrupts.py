"""A write that is interrupted, or for which memory is missing, leaves everything as it was, or is done.

The write is repeated, and stopped at every line of Python that it passes, before every call of what is compiled and
after it. Whatever was stopped must answer as before or as after; and so it must when more is written to it.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from writes import CASES, equal

import kinfold as kf

PACKAGE = str(Path(kf.__file__).parent)
# Places at which a write is stopped at most; they are spread where there are more.
MOST = 20


class Stop:
    """Raises at the n-th place where what is ours begins a line, or calls or leaves what is compiled."""

    def __init__(self, place: int, error: type[BaseException]) -> None:
        self.left, self.error, self.passed = place, error, 0

    def _pass(self) -> None:
        self.passed += 1
        self.left -= 1
        if self.left == 0:
            raise self.error

    def _lines(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line":
            self._pass()
        return self._lines

    def _calls(self, frame: Any, event: str, called: Any) -> None:
        if event in ("c_call", "c_return") and frame.f_code.co_filename.startswith(PACKAGE):
            self._pass()

    def __call__(self, write: Callable[[Any], Any], thing: Any) -> None:
        try:
            if self.error is KeyboardInterrupt:
                sys.settrace(self._lines)
            else:
                sys.setprofile(self._calls)
            write(thing)
        except self.error:
            pass
        finally:
            sys.settrace(None)
            sys.setprofile(None)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("name", CASES)
def test_stopped_anywhere(name: str, error: type[BaseException]) -> None:
    case = CASES[name]
    start = case.make()
    answers: list[tuple[Any, Any]] = []
    for done in (False, True):
        thing = copy.deepcopy(start)
        if done:
            count = Stop(0, error)
            count(case.write, thing)
        answer = case.answer(thing)
        case.more(thing)
        answers.append((answer, case.answer(thing)))
    assert count.passed > 0
    for place in range(1, count.passed + 1, max(1, count.passed // MOST)):
        thing = copy.deepcopy(start)
        Stop(place, error)(case.write, thing)
        left = case.answer(thing)
        case.more(thing)
        later = case.answer(thing)
        fits = [equal(left, answer) and equal(later, next) for answer, next in answers]
        assert any(fits), f"stopped at place {place} of {count.passed}"
