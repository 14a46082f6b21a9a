"""Warnings are ignored inside, and what there was is there again, whichever thread leaves last."""

from __future__ import annotations

import threading
import warnings

import pytest

from kinfold.images.quiet import quiet


def test_inside_and_after() -> None:
    with quiet():
        warnings.warn("an odd file", UserWarning, stacklevel=1)
        with quiet():
            warnings.warn("an odd file", UserWarning, stacklevel=1)
        warnings.warn("still inside", UserWarning, stacklevel=1)
    with pytest.raises(UserWarning, match="outside"):
        warnings.warn("outside", UserWarning, stacklevel=1)


def test_an_exception_leaves_too() -> None:
    before = list(warnings.filters)
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert warnings.filters == before


def test_threads_that_overlap() -> None:
    before = list(warnings.filters)
    second_in, first_out = threading.Event(), threading.Event()

    def second() -> None:
        with quiet():
            second_in.set()
            first_out.wait(60)

    thread = threading.Thread(target=second)
    with quiet():
        thread.start()
        second_in.wait(60)
    warnings.warn("the second is still inside", UserWarning, stacklevel=1)
    first_out.set()
    thread.join()
    assert warnings.filters == before
