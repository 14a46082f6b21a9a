"""The protocols of the benchmarks: which lists count, what is ignored, how precision is averaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base import registry
from kinfold.base.arrays import Ids, as_choice, as_count
from kinfold.base.ranking import Ranking
from kinfold.base.text import columns
from kinfold.evaluate.average_precision import CONVENTIONS, from_ranks, positive_ranks, precision_at
from kinfold.evaluate.ground_truth import GroundTruth


@dataclass(frozen=True)
class Protocol:
    """positives, junk : the lists of the ground truth that count as such. ignore_query : whether the
    query image, where it is in the database, is deleted from the ranking."""

    name: str
    positives: tuple[str, ...]
    junk: tuple[str, ...]
    convention: str = "trapezoid"
    ignore_query: bool = False


# Philbin et al. 2007, 2008: the query image stays in the database and counts as a positive.
OXFORD = Protocol("oxford", ("ok",), ("junk",))
# The filled-in precision-recall curve.
LECTURE = Protocol("lecture", ("ok",), ("junk",), convention="interpolated")
# Jegou et al. 2008: the query image itself is passed over.
HOLIDAYS = Protocol("holidays", ("ok",), ("junk",), ignore_query=True)
# Radenovic et al. 2018: what a setup does not ask for is ignored, not counted against.
REVISITED_EASY = Protocol("revisited-easy", ("easy",), ("junk", "hard"))
REVISITED_MEDIUM = Protocol("revisited-medium", ("easy", "hard"), ("junk",))
REVISITED_HARD = Protocol("revisited-hard", ("hard",), ("junk", "easy"))


@dataclass(frozen=True)
class Evaluation:
    """Figures of one run.

    protocol, convention : what was measured, by name
    queries : the names of the queries
    average_precision : float64 (q,)    NaN for queries without positives: they are skipped
    positives : int64 (q,)              how many should be found
    found : int64 (q,)                  how many of them are in the ranked list
    first : int64 (q,)                  rank of the first positive from 1, junk deleted; 0 if none
    precision_at_k : k -> float64 (q,)  k capped at the last positive's rank; NaN where skipped
    depth : the length of the ranked lists
    """

    protocol: str
    convention: str
    queries: tuple[str, ...]
    average_precision: NDArray[np.float64]
    positives: Ids
    found: Ids
    first: Ids
    precision_at_k: dict[int, NDArray[np.float64]] = field(repr=False)
    depth: int

    @property
    def map(self) -> float:
        """Mean average precision over the queries that have positives; NaN if none has."""
        return _mean(self.average_precision)

    @property
    def mp_at_k(self) -> dict[int, float]:
        """Mean P@k over the queries that have positives."""
        return {k: _mean(values) for k, values in self.precision_at_k.items()}

    @property
    def skipped(self) -> int:
        """How many queries have no positives under this protocol."""
        return int(np.count_nonzero(self.positives == 0))

    @property
    def missing(self) -> int:
        """How many positives are in no list; each contributes 0."""
        return int((self.positives - self.found).sum())

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON takes them; null stands for skipped."""
        per_query = [
            {
                "query": name,
                "average_precision": _or_none(self.average_precision[i]),
                "positives": int(self.positives[i]),
                "found": int(self.found[i]),
                "first": int(self.first[i]) or None,
                "precision_at": {str(k): _or_none(v[i]) for k, v in self.precision_at_k.items()},
            }
            for i, name in enumerate(self.queries)
        ]
        return {
            "protocol": self.protocol,
            "convention": self.convention,
            "map": _or_none(self.map),
            "mp_at": {str(k): _or_none(value) for k, value in self.mp_at_k.items()},
            "queries": len(self.queries),
            "skipped": self.skipped,
            "positives": int(self.positives.sum()),
            "missing": self.missing,
            "depth": self.depth,
            "per_query": per_query,
        }

    def table(self) -> str:
        """One line a query, then the means and what was skipped or missing."""
        ks = list(self.precision_at_k)
        header = ["query", "AP", *(f"P@{k}" for k in ks), "found", "first"]
        lines = [header]
        for i, name in enumerate(self.queries):
            values = [self.average_precision[i], *(self.precision_at_k[k][i] for k in ks)]
            found = f"{self.found[i]}/{self.positives[i]}"
            lines.append([name, *map(_figure, values), found, str(self.first[i] or "-")])
        means = [self.map, *self.mp_at_k.values()]
        found = f"{self.found.sum()}/{self.positives.sum()}"
        lines.append(["mean", *map(_figure, means), found, ""])
        text = columns(lines)
        text.append(f"protocol {self.protocol}, AP by {self.convention}")
        if self.skipped:
            text.append(f"{self.skipped} queries without positives are skipped")
        if self.missing:
            text.append(
                f"{self.missing} positives are not in the lists of {self.depth} and contribute 0"
            )
        return "\n".join(text)


def evaluate(
    ranking: Ranking,
    ground_truth: GroundTruth,
    *,
    protocol: str = "oxford",
    convention: str | None = None,
    ranks: Sequence[int] = (1, 5, 10),
) -> Evaluation:
    """Judge ranked lists.

    ranking : one list a query, ids are positions in ground_truth.imlist. Lists may be truncated:
        what they lack contributes 0.
    protocol : "oxford", "lecture", "holidays", "revisited-easy", "revisited-medium", "revisited-hard"
    convention : another way to average than the protocol's own, see average_precision
    ranks : the k of mP@k
    Raises ValueError where lists and queries differ in number, an id is no position in imlist or
    stands twice in a list, or the ground truth lacks a list that the protocol needs.
    """
    rules: Protocol = registry.find("evaluate", protocol)
    convention = as_choice(convention or rules.convention, "convention", CONVENTIONS)
    ks = sorted({as_count(k, "ranks") for k in ranks})
    if not isinstance(ranking, Ranking):
        raise ValueError(f"ranking: expected a Ranking, got {type(ranking).__name__}")
    if not isinstance(ground_truth, GroundTruth):
        got = type(ground_truth).__name__
        raise ValueError(f"ground_truth: expected a GroundTruth, got {got}")
    n, q = len(ground_truth.imlist), len(ground_truth)
    if q == 0:
        raise ValueError("ground_truth: expected at least one query, got none")
    if len(ranking) != q:
        raise ValueError(f"ranking: expected {q} lists, one a query, got {len(ranking)}")
    if ranking.ids.size and (ranking.ids.max() >= n or ranking.ids.min() < -1):
        bad = ranking.ids.max() if ranking.ids.max() >= n else ranking.ids.min()
        raise ValueError(f"ranking: expected ids below {n}, the length of imlist, got {bad}")

    own = ground_truth.query_positions() if rules.ignore_query else np.full(q, -1, np.int64)
    ap, precision = np.full(q, np.nan), {k: np.full(q, np.nan) for k in ks}
    positives, found, first = (np.zeros(q, np.int64) for _ in range(3))
    for i in range(q):
        wanted = ground_truth.select(i, rules.positives)
        ignored = ground_truth.select(i, rules.junk)
        if own[i] >= 0:
            wanted, ignored = np.setdiff1d(wanted, own[i]), np.union1d(ignored, own[i])
        positives[i] = len(wanted)
        if len(wanted) == 0:
            continue
        at = positive_ranks(ranking.valid(i), wanted, ignored)
        ap[i] = from_ranks(at, len(wanted), convention=convention)
        found[i], first[i] = len(at), at[0] + 1 if len(at) else 0
        for k in ks:
            precision[k][i] = precision_at(at, k)
    return Evaluation(
        rules.name, convention, ground_truth.qimlist, ap, positives, found, first, precision,
        ranking.ids.shape[1],
    )  # fmt: skip


def mean_average_precision(
    ranking: Ranking,
    ground_truth: GroundTruth,
    *,
    protocol: str = "oxford",
    convention: str | None = None,
) -> float:
    """Mean average precision alone; see evaluate."""
    return evaluate(ranking, ground_truth, protocol=protocol, convention=convention, ranks=()).map


def _mean(values: NDArray[np.float64]) -> float:
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _figure(value: float) -> str:
    return "skipped" if np.isnan(value) else f"{value:.4f}"
