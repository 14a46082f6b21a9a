"""Average precision against hand-computed values, identities and scikit-learn."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn.metrics import average_precision_score

from kinfold.evaluate.average_precision import (
    CONVENTIONS,
    average_precision,
    from_ranks,
    positive_ranks,
    precision_at,
)

LECTURE = ["T", "T", "F", "T", "F", "F", "T", "F", "T", "T", "F", "F"]
JUNK = ["P", "J", "N", "P", "J", "J", "N", "N", "P", "N"]

labelled = st.lists(st.sampled_from("PN"), min_size=1, max_size=40).filter(lambda x: "P" in x)


def ids_of(labels: list[str] | str, *wanted: str) -> list[int]:
    return [i for i, label in enumerate(labels) if label in wanted]


def score(labels: list[str] | str, convention: str = "trapezoid") -> float:
    positives = ids_of(labels, "P")
    return average_precision(range(len(labels)), positives, convention=convention)


@pytest.mark.parametrize(
    ("convention", "by_hand"),
    [
        # 1 + 1 + 3/4 + 4/7 + 5/9 + 6/10, over 6
        ("finite_sum", (2 + Fraction(3, 4) + Fraction(4, 7) + Fraction(5, 9) + Fraction(6, 10)) / 6),
        # for each positive, (precision before + precision at) / 12; before the first it is 1
        (
            "trapezoid",
            (
                (1 + 1) + (1 + 1) + (Fraction(2, 3) + Fraction(3, 4))
                + (Fraction(3, 6) + Fraction(4, 7)) + (Fraction(4, 8) + Fraction(5, 9))
                + (Fraction(5, 9) + Fraction(6, 10))
            ) / 12,
        ),
        ("interpolated", (2 + Fraction(3, 4) + 3 * Fraction(6, 10)) / 6),
        # recall 0 to .3: 1; .4 and .5: 3/4; .6 to 1: 6/10
        ("eleven_point", (4 + 2 * Fraction(3, 4) + 5 * Fraction(6, 10)) / 11),
        ("map_at_r", (2 + Fraction(3, 4)) / 6),
    ],
)  # fmt: skip
def test_lecture_list(convention: str, by_hand: Fraction) -> None:
    ap = average_precision(range(12), ids_of(LECTURE, "T"), convention=convention)
    assert ap == pytest.approx(float(by_hand), abs=1e-12)


def test_lecture_list_published_figures() -> None:
    published = {
        "finite_sum": 0.746164021,
        "trapezoid": 0.724933862,
        "interpolated": 0.758333333,
        "eleven_point": 0.772727273,
        "map_at_r": 0.458333333,
    }
    assert set(published) == set(CONVENTIONS)
    for convention, figure in published.items():
        ap = average_precision(range(12), ids_of(LECTURE, "T"), convention=convention)
        assert ap == pytest.approx(figure, abs=1e-9)


def test_junk_is_deleted_before_ranks_are_counted() -> None:
    positives, junk = ids_of(JUNK, "P"), ids_of(JUNK, "J")
    assert positive_ranks(range(10), positives, junk).tolist() == [0, 2, 5]
    # (1 + 1) + (1/2 + 2/3) + (2/5 + 3/6), over 6
    exact = float((2 + Fraction(1, 2) + Fraction(2, 3) + Fraction(2, 5) + Fraction(1, 2)) / 6)
    assert exact == pytest.approx(0.677778, abs=1e-6)
    assert average_precision(range(10), positives, junk) == pytest.approx(exact, abs=1e-12)
    assert average_precision(range(10), positives) == pytest.approx(0.569444, abs=1e-6)


def test_missing_positive_contributes_nothing() -> None:
    positives, junk = [*ids_of(JUNK, "P"), 99], ids_of(JUNK, "J")
    assert average_precision(range(10), positives, junk) == pytest.approx(0.508333, abs=1e-6)
    capped = average_precision(range(10), positives, junk, list_capped=True)
    assert capped == pytest.approx(0.677778, abs=1e-6)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_nothing_found_is_zero_and_nothing_wanted_is_nan(convention: str) -> None:
    assert average_precision([1, 2, 3], [7], convention=convention) == 0
    assert average_precision([], [7], convention=convention) == 0
    assert np.isnan(average_precision([1, 2, 3], [], convention=convention))


def test_fill_at_the_end_of_a_list_is_passed_over() -> None:
    assert average_precision([4, 2, -1, -1], [2]) == average_precision([4, 2], [2])


@pytest.mark.parametrize(("k", "expected"), [(1, 1.0), (5, 0.4), (10, 0.5)])
def test_precision_is_capped_at_the_last_positive(k: int, expected: float) -> None:
    ranks = positive_ranks(range(10), ids_of(JUNK, "P"), ids_of(JUNK, "J"))
    assert precision_at(ranks, k) == pytest.approx(expected, abs=1e-12)


def test_precision_of_a_list_without_positives() -> None:
    assert precision_at(np.empty(0, np.int64), 5) == 0.0


@given(labelled)
def test_finite_sum_is_scikit_learns(labels: list[str]) -> None:
    truth = np.array([label == "P" for label in labels])
    reference = average_precision_score(truth, -np.arange(len(labels), dtype=float))
    assert score(labels, "finite_sum") == pytest.approx(reference, abs=1e-12)


@given(labelled)
def test_trapezoid_is_the_walk_over_every_rank(labels: list[str]) -> None:
    """Oxford's program: old precision 1, old recall 0, one step for each rank."""
    n, hits, area, recall, precision = labels.count("P"), 0, 0.0, 0.0, 1.0
    for rank, label in enumerate(labels, 1):
        hits += label == "P"
        area += (hits / n - recall) * (hits / rank + precision) / 2
        recall, precision = hits / n, hits / rank
    assert score(labels) == pytest.approx(area, abs=1e-12)


@given(labelled)
def test_eleven_points_are_read_off_the_curve(labels: list[str]) -> None:
    hits, n = np.cumsum([label == "P" for label in labels]), labels.count("P")
    best = [
        max(Fraction(int(h), k) for k, h in enumerate(hits, 1) if 10 * h >= tenth * n)
        for tenth in range(11)
    ]
    assert score(labels, "eleven_point") == pytest.approx(float(sum(best) / 11), abs=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(positives=st.integers(1, 30), negatives=st.integers(0, 10))
def test_perfect_ranking_is_one(convention: str, positives: int, negatives: int) -> None:
    assert score("P" * positives + "N" * negatives, convention) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(labels=labelled, more=st.integers(1, 10))
def test_negatives_at_the_end_change_nothing(convention: str, labels: list[str], more: int) -> None:
    assert score([*labels, *"N" * more], convention) == score(labels, convention)


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(labels=labelled, data=st.data())
def test_a_positive_moved_up_never_lowers(
    convention: str, labels: list[str], data: st.DataObject
) -> None:
    places = [i for i in range(len(labels) - 1) if labels[i] == "N" and labels[i + 1] == "P"]
    if places:
        at = data.draw(st.sampled_from(places))
        better = labels.copy()
        better[at], better[at + 1] = "P", "N"
        assert score(better, convention) >= score(labels, convention) - 1e-12


@given(labelled)
def test_order_of_the_conventions(labels: list[str]) -> None:
    interpolated, finite, trapezoid = (
        score(labels, c) for c in ("interpolated", "finite_sum", "trapezoid")
    )
    assert interpolated >= finite - 1e-12
    assert finite >= trapezoid - 1e-12


@pytest.mark.parametrize("convention", CONVENTIONS)
@given(labels=st.lists(st.sampled_from("PNJ"), min_size=1, max_size=30))
def test_junk_handling_is_removal(convention: str, labels: list[str]) -> None:
    kept = [i for i, label in enumerate(labels) if label != "J"]
    positives, junk = ids_of(labels, "P"), ids_of(labels, "J")
    with_junk = average_precision(range(len(labels)), positives, junk, convention=convention)
    without = average_precision(kept, positives, convention=convention)
    assert with_junk == without or (np.isnan(with_junk) and np.isnan(without))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 1], [1]), "ranked_ids: expected each id once, got 1"),
        (([1, 2], [1, 1]), "positives: expected each id once"),
        (([1, 2], [1], [1]), "junk: expected no positives, got 1"),
        (([1.5], [1]), "ranked_ids: expected whole numbers"),
        (([[1]], [1]), r"ranked_ids: expected ids \(n,\)"),
        (([-2], [1]), "ranked_ids: expected ids from 0"),
        (([1], ["a"]), "positives: expected real numbers"),
    ],
)
def test_refuses(arguments: tuple[list[int], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        average_precision(*arguments)


def test_refuses_an_unknown_convention() -> None:
    with pytest.raises(ValueError, match="convention: expected one of trapezoid"):
        average_precision([1], [1], convention="area")
    with pytest.raises(ValueError, match="convention"):
        from_ranks(np.zeros(1, np.int64), 1, convention="area")
    with pytest.raises(ValueError, match="k: expected"):
        precision_at(np.zeros(1, np.int64), 0)
