"""Protocols: which lists count, what is skipped, what the report says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold import Ranking, evaluate as room
from kinfold.base import registry
from kinfold.evaluate.ground_truth import GroundTruth
from kinfold.evaluate.protocols import Protocol, evaluate, mean_average_precision

NAMES = tuple("abcdefg")


def revisited() -> GroundTruth:
    """The list E J N H E N H, and a query that has hard positives alone."""
    first = {"easy": [0, 4], "hard": [3, 6], "junk": [1], "bbx": None}
    second = {"easy": [], "hard": [0], "junk": [], "bbx": None}
    return GroundTruth.from_dict({"imlist": NAMES, "qimlist": ["p", "q"], "gnd": [first, second]})


def in_order(queries: int, n: int = len(NAMES)) -> Ranking:
    return Ranking.from_ids([list(range(n))] * queries)


@pytest.mark.parametrize(
    ("setup", "first", "second"),
    [("easy", 0.791667, None), ("medium", 0.731250, 1.0), ("hard", 0.333333, 1.0)],
)
def test_revisited_setups(setup: str, first: float, second: float | None) -> None:
    result = evaluate(in_order(2), revisited(), protocol=f"revisited-{setup}")
    assert result.average_precision[0] == pytest.approx(first, abs=1e-6)
    if second is None:
        assert np.isnan(result.average_precision[1])
        assert result.skipped == 1
        assert result.map == result.average_precision[0]
        assert result.mp_at_k[1] == 1.0
        assert "1 queries without positives are skipped" in result.table()
    else:
        assert result.average_precision[1] == second
        assert result.skipped == 0
        assert result.map == pytest.approx((first + second) / 2, abs=1e-6)


def test_truncated_lists_say_what_they_lack() -> None:
    result = evaluate(in_order(2, 4), revisited(), protocol="revisited-medium")
    # ranks 0 and 2 of four positives: (1 + 1) + (1/2 + 2/3), over 8
    assert result.average_precision[0] == pytest.approx((2 + 1 / 2 + 2 / 3) / 8, abs=1e-12)
    assert result.missing == 2
    assert result.found.tolist() == [2, 1]
    assert "2 positives are not in the lists of 4 and contribute 0" in result.table()


def test_list_without_positives_scores_zero() -> None:
    result = evaluate(Ranking.from_ids([[2, 5], [1, 2]]), revisited(), protocol="revisited-hard")
    assert result.map == 0.0
    assert result.mp_at_k == {1: 0.0, 5: 0.0, 10: 0.0}
    assert result.first.tolist() == [0, 0]


def test_all_queries_skipped() -> None:
    data = {"imlist": NAMES, "qimlist": ["q"], "gnd": [{"ok": [], "junk": []}]}
    result = evaluate(in_order(1), GroundTruth.from_dict(data))
    assert np.isnan(result.map)
    assert result.to_dict()["map"] is None


def classic(query: str = "b") -> GroundTruth:
    entry = {"ok": [1, 3], "junk": [0]}
    return GroundTruth.from_dict({"imlist": NAMES, "qimlist": [query], "gnd": [entry]})


def test_oxford_counts_the_query_and_holidays_passes_it_over() -> None:
    oxford = evaluate(in_order(1), classic())
    assert oxford.positives.tolist() == [2]
    assert oxford.map == pytest.approx((2 + 1 / 2 + 2 / 3) / 4, abs=1e-12)
    holidays = evaluate(in_order(1), classic(), protocol="holidays")
    assert holidays.positives.tolist() == [1]
    assert holidays.map == pytest.approx((0 + 1 / 2) / 2, abs=1e-12)
    assert holidays.first.tolist() == [2]


def test_lecture_fills_the_curve_in() -> None:
    result = evaluate(in_order(1), classic(), protocol="lecture")
    assert result.convention == "interpolated"
    assert result.map == pytest.approx((1 + 2 / 3) / 2, abs=1e-12)
    finite = evaluate(in_order(1), classic(), protocol="lecture", convention="finite_sum")
    assert finite.convention == "finite_sum"


def test_the_catalogue_names_every_protocol() -> None:
    for name in room.METHODS:
        protocol = registry.find("evaluate", name)
        assert isinstance(protocol, Protocol)
        assert protocol.name == name


def test_json_and_table_agree() -> None:
    result = evaluate(in_order(2), revisited(), protocol="revisited-easy", ranks=(1, 3))
    told = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert told["map"] == result.map
    assert told["per_query"][1]["average_precision"] is None
    assert told["per_query"][0]["precision_at"] == {"1": 1.0, "3": pytest.approx(2 / 3)}
    lines = result.table().splitlines()
    assert lines[0].split() == ["query", "AP", "P@1", "P@3", "found", "first"]
    assert lines[1].split() == ["p", "0.7917", "1.0000", "0.6667", "2/2", "1"]
    assert lines[2].split() == ["q", "skipped", "skipped", "skipped", "0/0", "-"]
    assert lines[3].split() == ["mean", "0.7917", "1.0000", "0.6667", "2/2"]


def test_mean_alone() -> None:
    assert mean_average_precision(in_order(1), classic()) == evaluate(in_order(1), classic()).map


def oxford(shared: Path) -> tuple[GroundTruth, Any]:
    folder = shared / "data" / "oxford5k"
    truth = GroundTruth.from_json(folder / "ground_truth.json")
    records = np.fromfile(folder / "caffenet_fc7_pca128.fvecs", np.float32).reshape(-1, 129)
    return truth, records[:, 1:].astype(np.float64)


def test_oxford_vectors_give_the_published_figures(shared: Path) -> None:
    truth, x = oxford(shared)
    queries = x[truth.query_positions()]
    squared = (queries**2).sum(1)[:, None] - 2 * queries @ x.T + (x**2).sum(1)
    euclidean = mean_average_precision(Ranking.from_scores(-squared), truth)
    assert euclidean == pytest.approx(0.3986, abs=5e-5)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = Ranking.from_scores(unit[truth.query_positions()] @ unit.T)
    result = evaluate(cosine, truth)
    assert result.map == pytest.approx(0.4029, abs=5e-5)
    assert result.mp_at_k[1] == 1.0
    assert result.missing == result.skipped == 0


def test_holidays_perfect_ranking(shared: Path) -> None:
    truth = GroundTruth.from_json(shared / "data" / "holidays" / "ground_truth.json")
    group = np.array([int(name[:4]) for name in truth.imlist])
    same = group[truth.query_positions()][:, None] == group
    result = evaluate(Ranking.from_scores(same), truth, protocol="holidays")
    assert result.map == 1.0
    assert result.positives.sum() == 991


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((in_order(2), classic()), {}, "ranking: expected 1 lists, one a query, got 2"),
        ((Ranking.from_ids([[7]]), classic()), {}, "expected ids below 7, the length of imlist"),
        ((Ranking.from_ids([[-2]]), classic()), {}, "got -2"),
        ((Ranking.from_ids([[1, 1]]), classic()), {}, "each id once"),
        ((in_order(1), classic()), {"protocol": "revisited-easy"}, "expected a list 'easy'"),
        ((in_order(1), classic()), {"protocol": "voc"}, "expected one of oxford, lecture"),
        ((in_order(1), classic()), {"convention": "area"}, "convention: expected one of"),
        ((in_order(1), classic()), {"ranks": (0,)}, "ranks: expected a whole number"),
        (([[1]], classic()), {}, "ranking: expected a Ranking, got list"),
        ((in_order(1), {}), {}, "ground_truth: expected a GroundTruth, got dict"),
    ],
)
def test_refuses(arguments: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(*arguments, **options)


def test_tables_keep_names_in_their_cells() -> None:
    names = ("a\nmean  1.0000", "\x1b[31mb")
    truth = GroundTruth.from_dict({"imlist": ["x"], "qimlist": names, "gnd": [{"ok": [0]}] * 2})
    table = evaluate(Ranking.from_ids([[0], [0]]), truth).table()
    assert len(table.splitlines()) == 5 and all(line.isprintable() for line in table.split("\n"))
    none = GroundTruth(("x",), (), ())
    with pytest.raises(ValueError, match="^ground_truth: expected at least one query"):
        evaluate(Ranking.from_ids(np.empty((0, 1))), none)
