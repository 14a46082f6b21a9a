"""Which cells there are, and which lie nearest."""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "SingleCell": Entry("kinfold.index.coarse.single:SingleCell", slot="coarse"),
    "KMeansCells": Entry(
        "kinfold.index.coarse.kmeans:KMeansCells", slot="coarse", spelling="IVF{k}"
    ),
    "MultiCells": Entry(
        "kinfold.index.coarse.multi:MultiCells", slot="coarse", spelling="IMI2x{bits}"
    ),
}

__getattr__, __dir__ = offered(__name__, METHODS)
