"""Metrics by their names."""

from __future__ import annotations

import pytest

from kinfold.base.metrics import METRICS, as_metric, inner_metric


@pytest.mark.parametrize(
    ("given", "metric"),
    [
        *((m, m) for m in METRICS),
        ("L2", "l2"),
        ("Euclidean", "l2"),
        ("dot", "ip"),
        ("angular", "cosine"),
    ],
)
def test_common_names_are_understood(given: str, metric: str) -> None:
    assert as_metric(given) == metric


@pytest.mark.parametrize("wrong", ["manhattan", "", None, 2, ["l2"]])
def test_others_are_refused_with_those_there_are(wrong) -> None:
    with pytest.raises(ValueError, match=r"measure: expected one of l2, ip, cosine, got "):
        as_metric(wrong, "measure")


def test_a_choice_of_them() -> None:
    assert as_metric("squared_l2", known=["l2"]) == "l2"
    with pytest.raises(ValueError, match="expected one of l2, got 'cosine'"):
        as_metric("cosine", known=["l2"])


def test_what_is_compared_inside() -> None:
    assert [inner_metric(m) for m in METRICS] == ["l2", "ip", "ip"]
