"""RootSIFT compared word by word: aggregated selective match kernel."""

from __future__ import annotations

from typing import ClassVar

from kinfold.gallery.engines.inverted import ListsEngine
from kinfold.words.asmk import ASMK


class ASMKEngine(ListsEngine):
    """Tolias, Avrithis & Jegou, ICCV 2013: sets of aggregated residuals."""

    weight: ClassVar[float] = 0.85
    name = "asmk"
    lists = ASMK
