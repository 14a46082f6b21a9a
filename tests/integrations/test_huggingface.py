"""A data set is asked as with an index of faiss, and answers as brute force does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

datasets = pytest.importorskip("datasets")

from kinfold.integrations.huggingface import KinfoldIndex, add_index, attach


@pytest.fixture
def table(rng) -> tuple[Any, np.ndarray]:
    x = rng.standard_normal((300, 8)).astype(np.float32)
    return datasets.Dataset.from_dict({"name": [f"n{i}" for i in range(300)], "v": list(x)}), x


@pytest.mark.parametrize("spec", ["Flat", "IVF4,Flat"])
def test_nearest_examples_are_those_of_brute_force(spec: str, table, rng) -> None:
    rows, x = table
    options = {"nprobe": 4} if spec != "Flat" else {}
    assert add_index(rows, "v", spec, **options) is rows and rows.list_indexes() == ["v"]
    queries = rng.standard_normal((5, 8)).astype(np.float32)
    true = np.argsort(((queries[:, None] - x) ** 2).sum(axis=2), axis=1)[:, :7]
    for query, nearest in zip(queries, true):
        scores, found = rows.get_nearest_examples("v", query, k=7)
        assert found["name"] == [f"n{i}" for i in nearest]
        np.testing.assert_allclose(scores, ((x[nearest] - query) ** 2).sum(axis=1), rtol=1e-4)
    _, batches = rows.get_nearest_examples_batch("v", queries, k=7)
    assert [batch["name"] for batch in batches] == [[f"n{i}" for i in row] for row in true]
    np.testing.assert_array_equal(rows.search_batch("v", queries, k=7).total_indices, true)


def test_fewer_rows_than_asked_for(table) -> None:
    rows = table[0].select(range(3))
    scores, found = add_index(rows, "v", name="by").get_nearest_examples("by", np.zeros(8), k=10)
    assert len(scores) == len(found["name"]) == 3


def test_an_index_is_saved_and_attached_again(table, tmp_path: Path) -> None:
    rows, x = table
    add_index(rows, "v").get_index("v").save(tmp_path / "i.kin")
    fresh = datasets.Dataset.from_dict({"name": rows["name"]})
    attach(fresh, "v", KinfoldIndex.load(tmp_path / "i.kin"))
    assert fresh.get_nearest_examples("v", x[40], k=1)[1]["name"] == ["n40"]
    with pytest.raises(ValueError, match="index: expected one of 2 rows"):
        attach(rows.__class__.from_dict({"a": [1, 2]}), "v", fresh.get_index("v"))


def test_bad_queries_are_refused_by_name(table) -> None:
    with pytest.raises(ValueError, match="^dataset: expected at least one row"):
        add_index(table[0].select([]), "v")
    rows = add_index(table[0], "v")
    for bad in (np.zeros(7), np.zeros((2, 8)), np.zeros((1, 1, 8))):
        with pytest.raises(ValueError, match="^query: expected one vector of dimension 8"):
            rows.search("v", bad, k=1)
    with pytest.raises(ValueError, match="^queries: expected vectors"):
        rows.search_batch("v", np.zeros(8), k=1)


def test_the_example_runs() -> None:
    import doctest

    import kinfold.integrations.huggingface as module

    assert doctest.testmod(module) == (0, 6)
