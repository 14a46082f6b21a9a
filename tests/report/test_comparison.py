"""What is said of indexes that were tried."""

from __future__ import annotations

import pytest

from kinfold.index.trial import Trial
from kinfold.index.tune import Setting
from kinfold.report.comparison import Wish, comparison_of


def trial(spec: str, recall: float, seconds: float, memory: int, *, reached: bool) -> Trial:
    setting = Setting({"nprobe": 4}, recall, seconds)
    return Trial(spec, 1000, memory, 2.0, setting, reached)


def wish(**changes: object) -> Wish:
    return Wish(**{
        "n": 1000, "dim": 8, "queries": 100, "metric": "l2", "k": 10, "measure": "k@k", "recall": 0.9, **changes,
    })  # fmt: skip


TRIALS = [
    trial("Flat", 1.0, 0.02, 32_000, reached=True),
    trial("IVF16,Flat", 0.95, 0.01, 33_000, reached=True),
    trial("IVF16,PQ2", 0.6, 0.005, 3_000, reached=False),
]


def test_the_fastest_that_suffices_is_taken() -> None:
    shown = comparison_of("Indexes", TRIALS, wish(metric="ip"))
    assert shown.best == 1 and shown.measure == "10@10"
    assert shown.advice.startswith(
        "Take IVF16,Flat with nprobe=4: recall 10@10 0.950, 100 queries/s, 33 bytes"
    )
    assert 'kf.index_factory("IVF16,Flat", 8, metric="ip")' in shown.example
    assert "index.search(queries, 10, nprobe=4)" in shown.example
    assert [curve.fits for curve in shown.curves] == [True] * 3
    assert (
        shown.facts["Queries"] == "100, all at once"
        and shown.facts["Wanted"] == "recall 10@10 ≥ 0.9"
    )


def test_why_none_is_taken_and_what_comes_near() -> None:
    shown = comparison_of("Indexes", TRIALS, wish(memory=4000.0, batch=1, held_out=True))
    assert shown.best is None and shown.example == ""
    assert shown.advice == (
        "No index of these reaches recall 10@10 0.9 within the memory; IVF16,PQ2 comes nearest with 0.600; "
        "Flat has it with 32 bytes a vector."
    )
    assert [curve.fits for curve in shown.curves] == [False, False, True]
    assert shown.facts["Queries"] == "100 held out, 1 a call"
    assert shown.facts["Wanted"].endswith("at most 4 bytes a vector")


@pytest.mark.parametrize(("measure", "named"), [("k@k", "10@10"), ("1@k", "1@10"), ("1@1", "1@1")])
def test_measures_by_name(measure: str, named: str) -> None:
    assert wish(measure=measure).named == named
