"""What is made at first use is made once."""

from __future__ import annotations

from kinfold.base.lazy import lazy


class Thing:
    def __init__(self) -> None:
        self.made = 0

    @lazy
    def square(self) -> int:
        """A number."""
        self.made += 1
        return 9


def test_made_once_for_each_object() -> None:
    a, b = Thing(), Thing()
    assert (a.square, a.square, b.square) == (9, 9, 9)
    assert a.made == b.made == 1


def test_the_first_value_set_is_kept() -> None:
    class Twice:
        calls = 0

        @lazy
        def value(self) -> int:
            Twice.calls += 1
            if Twice.calls == 1:  # another thread, while the first one makes it
                assert self.value == 2
            return 3 - Twice.calls if Twice.calls == 1 else 2

    thing = Twice()
    assert thing.value == 2 and vars(thing) == {"value": 2}


def test_of_the_class_it_is_itself() -> None:
    assert isinstance(Thing.square, lazy) and Thing.square.__doc__ == "A number."
