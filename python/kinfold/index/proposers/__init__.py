"""What proposes rows to look at."""

from kinfold.base.offered import offered
from kinfold.base.registry import Entry

METHODS: dict[str, str] = {
    "KDForest": Entry(
        "kinfold.index.proposers.kd_forest:KDForest",
        slot="proposer",
        spelling="KDForest{trees}[_median]",
    ),
    "HashTables": Entry(
        "kinfold.index.proposers.hash_tables:HashTables",
        slot="proposer",
        spelling="LSH{bits}x{tables}",
    ),
}

__getattr__, __dir__ = offered(__name__, METHODS)
