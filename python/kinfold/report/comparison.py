"""From indexes that were tried to what a page shows of them: curves, which to take, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kinfold.base.threads import get_threads
from kinfold.index.trial import Trial, recommend
from kinfold.report.curves import Comparison, Curve, Spot


@dataclass(frozen=True)
class Wish:
    """What was asked of the indexes, and of which vectors.

    n, dim, queries : how many vectors, of which dimension, and how many queries
    measure : of recall, one of index.tune.MEASURES, with ``k`` neighbours
    memory : bytes of a whole index at most, or None
    batch : queries of a call, or None for all at once
    held_out : whether the queries were taken out of the vectors
    """

    n: int
    dim: int
    queries: int
    metric: str
    k: int
    measure: str
    recall: float
    memory: float | None = None
    batch: int | None = None
    held_out: bool = False

    @property
    def named(self) -> str:
        """The measure with its k: 10@10, 1@10."""
        return self.measure.replace("k", str(self.k))

    def fits(self, trial: Trial) -> bool:
        """Whether the memory that is allowed suffices for an index."""
        return self.memory is None or trial.memory <= self.memory


def comparison_of(title: str, trials: Sequence[Trial], wish: Wish) -> Comparison:
    """What a page, a picture and a terminal show of the trials."""
    best = recommend(trials, wish.memory)
    curves = tuple(
        Curve(
            trial.spec,
            tuple(map(_spot, trial.setting.curve)),
            _spot(trial.setting),
            trial.reached,
            wish.fits(trial),
            trial.bytes_per_vector,
            trial.build_seconds,
        )
        for trial in trials
    )
    return Comparison(
        title,
        curves,
        wish.named,
        wish.recall,
        None if best is None else trials.index(best),
        _to_take(best, wish) if best is not None else _in_the_way(trials, wish),
        "" if best is None else _example(best, wish),
        _facts(wish),
    )


def written(setting: Mapping[str, Any]) -> str:
    """Options of a search as one writes them."""
    return ", ".join(f"{name}={value}" for name, value in setting.items())


def _spot(point: Any) -> Spot:
    return Spot(point.recall, point.qps, written(point.options))


def _to_take(best: Trial, wish: Wish) -> str:
    setting = best.setting
    how = f" with {written(setting.options)}" if setting.options else ""
    return (
        f"Take {best.spec}{how}: recall {wish.named} {setting.recall:.3f}, {setting.qps:,.0f} queries/s, "
        f"{best.bytes_per_vector:,.0f} bytes a vector."
    )


def _in_the_way(trials: Sequence[Trial], wish: Wish) -> str:
    """Why there is none to take, and what comes nearest."""
    within = "" if wish.memory is None else " within the memory"
    reasons = [f"No index of these reaches recall {wish.named} {wish.recall:g}{within}"]
    if small := [trial for trial in trials if wish.fits(trial)]:
        near = max(small, key=lambda trial: trial.setting.recall)
        reasons.append(f"{near.spec} comes nearest with {near.setting.recall:.3f}")
    if enough := [trial for trial in trials if trial.reached]:
        least = min(enough, key=lambda trial: trial.memory)
        reasons.append(f"{least.spec} has it with {least.bytes_per_vector:,.0f} bytes a vector")
    return "; ".join(reasons) + "."


def _example(best: Trial, wish: Wish) -> str:
    """The recommendation as a program."""
    options = "".join(f", {name}={value}" for name, value in best.setting.options.items())
    metric = "" if wish.metric == "l2" else f', metric="{wish.metric}"'
    return (
        "import kinfold as kf\n\n"
        f'index = kf.index_factory("{best.spec}", {wish.dim}{metric})\n'
        "index.train(sample)\n"
        "index.add(vectors)\n"
        f"distances, ids = index.search(queries, {wish.k}{options})"
    )


def _facts(wish: Wish) -> dict[str, str]:
    limit = "" if wish.memory is None else f", at most {wish.memory / wish.n:,.0f} bytes a vector"
    calls = "all at once" if wish.batch is None else f"{wish.batch} a call"
    return {
        "Vectors": f"{wish.n:,} of dimension {wish.dim}",
        "Queries": f"{wish.queries:,}{' held out' if wish.held_out else ''}, {calls}",
        "Metric": wish.metric,
        "Threads": str(get_threads()),
        "Wanted": f"recall {wish.named} ≥ {wish.recall:g}{limit}",
    }
