"""What a photo is to another, in words."""

from __future__ import annotations

from kinfold.gallery.verdict import Verdict


def test_verdicts_are_words_of_which_one_says_that_it_is_not_there() -> None:
    assert [str(verdict) for verdict in Verdict] == [
        "same file", "edited copy", "same thing", "only looks alike",
    ]  # fmt: skip
    assert [verdict for verdict in Verdict if not verdict.shows_it] == [Verdict.LOOKS_ALIKE]
