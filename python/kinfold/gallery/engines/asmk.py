"""RootSIFT compared word by word: aggregated selective match kernel."""

from __future__ import annotations

from typing import ClassVar

from kinfold.base.learnt import Part
from kinfold.gallery.engines.inverted import ListsEngine
from kinfold.words.asmk import ASMK


class ASMKEngine(ListsEngine):
    """Tolias, Avrithis & Jegou, ICCV 2013: sets of aggregated residuals."""

    weight: ClassVar[float] = 0.85
    lists = ASMK
    learnt = Part(ASMK, name="asmk", inline=True)
