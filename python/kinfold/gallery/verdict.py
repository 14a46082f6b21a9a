"""What a photo is to another: the same file, an edited copy, one of the same thing, or one that only looks alike."""

from __future__ import annotations

from enum import Enum


class Verdict(str, Enum):
    """What a photo is to another, the closest first.

    Examples
    --------
    >>> from kinfold.gallery.verdict import Verdict
    >>> Verdict.SAME_THING == "same thing", str(Verdict.LOOKS_ALIKE)
    (True, 'only looks alike')
    """

    SAME_FILE = "same file"
    EDITED_COPY = "edited copy"
    SAME_THING = "same thing"
    LOOKS_ALIKE = "only looks alike"

    def __str__(self) -> str:
        return self.value

    @property
    def shows_it(self) -> bool:
        """Whether the photo shows the same thing, whichever way."""
        return self is not Verdict.LOOKS_ALIKE
