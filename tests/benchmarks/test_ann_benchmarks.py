"""The adapter for ann-benchmarks, driven as the harness does, with a stand-in for its base class."""

from __future__ import annotations

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "ann_benchmarks"


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, loaded where the harness would keep it."""
    if not FOLDER.is_dir():
        pytest.skip("needs the folder benchmarks")
    base = types.ModuleType("ann_benchmarks.algorithms.base.module")
    base.BaseANN = type("BaseANN", (), {"done": lambda self: None})  # type: ignore[attr-defined]
    for name in ("ann_benchmarks", "ann_benchmarks.algorithms", "ann_benchmarks.algorithms.base",
                 "ann_benchmarks.algorithms.kinfold"):  # fmt: skip
        package = types.ModuleType(name)
        package.__path__ = []
        monkeypatch.setitem(sys.modules, name, package)
    monkeypatch.setitem(sys.modules, base.__name__, base)
    spec = importlib.util.spec_from_file_location(
        "ann_benchmarks.algorithms.kinfold.module", FOLDER / "module.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def truth(base: np.ndarray, queries: np.ndarray, metric: str, k: int) -> np.ndarray:
    if metric == "angular":
        base, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (base, queries))
    return ((queries[:, None] - base[None]) ** 2).sum(axis=2).argsort(axis=1)[:, :k]


@pytest.mark.parametrize("metric", ["euclidean", "angular"])
@pytest.mark.parametrize(
    ("spec", "arguments"),
    [("Flat", ()), ("IVF16,Flat", (16,)), ("IVF16,PQ{d/2}x4fs,RFlat", (16, 60)), ("IMI2x2,PQ{d/4},RFlat", (600, 60))],
)  # fmt: skip
def test_a_run_of_the_harness(
    adapter: Any, metric: str, spec: str, arguments: tuple, rng: np.random.Generator
) -> None:
    base = rng.standard_normal((600, 16)) + 0.5
    queries = rng.standard_normal((9, 16)) + 0.5  # float64, as some of its sets are
    expected = truth(base, queries, metric, 10)
    algorithm = adapter.Kinfold(metric, spec)
    algorithm.fit(base)
    if arguments:
        algorithm.set_query_arguments(*arguments)
        assert f"{spec}, " in str(algorithm) and f"={arguments[0]}" in str(algorithm)
    single = [algorithm.query(q, 10) for q in queries]
    np.testing.assert_array_equal(single, expected)
    algorithm.batch_query(queries, 10)
    np.testing.assert_array_equal(algorithm.get_batch_results(), expected)
    assert all(isinstance(value, float) for value in algorithm.get_additional().values())
    algorithm.done()
    assert algorithm.index is None


def test_missing_answers_are_left_out(adapter: Any, rng: np.random.Generator) -> None:
    algorithm = adapter.Kinfold("euclidean", "IVF16,Flat")
    base = rng.standard_normal((100, 4)).astype(np.float32)
    algorithm.fit(base)
    algorithm.set_query_arguments(1)
    found = algorithm.query(base[3], 90)
    assert 0 < len(found) < 90 and found.min() >= 0 and found[0] == 3
    algorithm.batch_query(base[:5], 90)
    assert [ids[0] for ids in algorithm.get_batch_results()] == [0, 1, 2, 3, 4]
    assert algorithm.get_additional()["dist_comps"] > 0


def test_other_metrics_are_refused(adapter: Any) -> None:
    with pytest.raises(ValueError, match="metric: expected one of euclidean, angular"):
        adapter.Kinfold("hamming", "Flat")


def test_the_configuration_names_indexes_that_there_are(adapter: Any) -> None:
    yaml = pytest.importorskip("yaml")
    groups = yaml.safe_load((FOLDER / "config.yml").read_text())["float"]["any"]
    for group in groups:
        assert group["constructor"] == "Kinfold" and group["base_args"] == ["@metric"]
        for run in group["run_groups"].values():
            for spec in run["args"][0]:
                wanted = spec.replace("{d/2}", "50")
                kf.index_factory(wanted, 100)
