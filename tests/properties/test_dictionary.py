"""An index behaves like a dictionary of vectors that is searched by brute force."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import kinfold

SPECS = [
    "Flat", "no shadow", "IVF4,Flat", "IMI2x1,Flat", "IVF4,SQfp16", "KDForest2", "KDForest1,SQfp16", "LSH3x2", "KDTree",
]  # fmt: skip


class IndexAsDictionary(RuleBasedStateMachine):
    ids = Bundle("ids")

    @initialize(
        dim=st.integers(1, 20),
        metric=st.sampled_from(["l2", "ip"]),
        spec=st.sampled_from(SPECS),
    )
    def empty(self, dim: int, metric: str, spec: str) -> None:
        self.metric = metric
        if spec == "KDTree":
            self.metric = metric = "l2"
        if spec in ("Flat", "no shadow"):
            self.index = kinfold.FlatIndex(dim, metric=metric, shadow=spec == "Flat")
        else:
            # Small whole numbers are exact in half precision, too; all four cells are visited, all rows looked at.
            self.index = kinfold.index_factory(spec, 2 * dim, metric=metric, verbose=False)
            self.index.train(self.vectors(100, 50))
            self.index.nprobe = 4
            self.index.checks = 0
        self.model: dict[int, np.ndarray] = {}
        self.used: set[int] = set()

    def vectors(self, seed: int, n: int) -> np.ndarray:
        # Small whole numbers: distances are exact, ties abound.
        return np.random.default_rng(seed).integers(-4, 5, (n, self.index.dim)).astype(np.float32)

    @rule(target=ids, seed=st.integers(0, 99), n=st.integers(0, 20))
    def add(self, seed: int, n: int) -> list[int]:
        x = self.vectors(seed, n)
        new = self.index.add(x)
        assert not set(new.tolist()) & self.used, "ids are numbered on, never given twice"
        self.model.update(zip(new.tolist(), x))
        self.used |= set(new.tolist())
        return new.tolist()

    @rule(target=ids, seed=st.integers(0, 99), wanted=st.sets(st.integers(0, 200), max_size=8))
    def add_with_ids(self, seed: int, wanted: set[int]) -> list[int]:
        new, x = sorted(wanted, reverse=True), self.vectors(seed, len(wanted))
        if wanted & self.model.keys():
            with pytest.raises(ValueError, match="^ids: "):
                self.index.add(x, ids=new)
            return []
        assert self.index.add(x, ids=new).tolist() == new
        self.model.update(zip(new, x))
        self.used |= wanted
        return new

    @rule(some=ids, extra=st.integers(0, 300))
    def remove(self, some: list[int], extra: int) -> None:
        gone = {*some[::2], extra}
        assert self.index.remove(sorted(gone)) == len(gone & self.model.keys())
        for id in gone:
            self.model.pop(id, None)

    @rule(some=ids, seed=st.integers(0, 99))
    def update(self, some: list[int], seed: int) -> None:
        x = self.vectors(seed, len(some))
        if set(some) <= self.model.keys():
            self.index.update(some, x)
            self.model.update(zip(some, x))
        else:
            with pytest.raises(ValueError, match="^ids: .* is not in the index"):
                self.index.update(some, x)

    @rule(through_file=st.booleans())
    def store_and_take_back(self, through_file: bool) -> None:
        if not through_file:
            self.index = type(self.index).from_state(self.index.params(), self.index.arrays())
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index.kin"
            self.index.save(path)
            self.index = kinfold.load(path)

    @rule(seed=st.integers(0, 99), n=st.integers(1, 5), k=st.integers(1, 30), part=st.booleans())
    def search(self, seed: int, n: int, k: int, part: bool) -> None:
        queries = self.vectors(seed, n)
        admitted = sorted(self.model)[::2] if part else sorted(self.model)
        distances, found = self.index.search(queries, k, filter=admitted if part else None)
        assert distances.shape == found.shape == (n, k)
        for query, row, values in zip(queries, found, distances):
            expected = self.ranked(query, admitted)[:k]
            fill = k - len(expected)
            worst = np.inf if self.metric == "l2" else -np.inf
            assert row.tolist() == [id for _, id in expected] + [-1] * fill
            assert values.tolist() == [self.sign * d for d, _ in expected] + [worst] * fill

    @rule(seed=st.integers(0, 99), radius=st.integers(0, 60))
    def range_search(self, seed: int, radius: int) -> None:
        queries = self.vectors(seed, 2)
        starts, distances, found = self.index.range_search(queries, radius)
        for i, query in enumerate(queries):
            inside = [
                (self.sign * d, id)
                for d, id in self.ranked(query, sorted(self.model))
                if d <= self.sign * radius
            ]
            part = slice(starts[i], starts[i + 1])
            assert list(zip(distances[part].tolist(), found[part].tolist())) == inside

    @property
    def sign(self) -> int:
        return 1 if self.metric == "l2" else -1

    def ranked(self, query: np.ndarray, admitted: list[int]) -> list[tuple[float, int]]:
        """Nearer is smaller, ties to the smaller id."""

        def distance(x: np.ndarray) -> float:
            return float(((query - x) ** 2).sum() if self.metric == "l2" else -(query @ x)) + 0.0

        return sorted((distance(self.model[id]), id) for id in admitted)

    @invariant()
    def the_same_vectors(self) -> None:
        if not hasattr(self, "model"):
            return
        assert len(self.index) == len(self.model)
        assert sorted(self.index.ids.tolist()) == sorted(self.model)
        if self.model:
            np.testing.assert_array_equal(
                self.index.reconstruct(list(self.model)), np.stack(list(self.model.values()))
            )


def test_index_as_dictionary() -> None:
    run_state_machine_as_test(
        IndexAsDictionary, settings=settings(max_examples=40, stateful_step_count=25, deadline=None)
    )


@pytest.mark.nightly
def test_index_as_dictionary_at_length() -> None:
    run_state_machine_as_test(
        IndexAsDictionary,
        settings=settings(
            max_examples=2000, stateful_step_count=60, deadline=None, derandomize=False
        ),
    )


def test_the_largest_id() -> None:
    index = kinfold.FlatIndex(2)
    index.add([[1, 2]], ids=[2**63 - 1])
    with pytest.raises(ValueError, match="ids: none are left"):
        index.add([[3, 4]])
    assert index.add(np.empty((0, 2))).tolist() == []
    assert index.add([[3, 4]], ids=[5]).tolist() == [5]
    again = kinfold.FlatIndex.from_state(index.params(), index.arrays())
    assert again.search([3, 4], 2).ids.tolist() == [5, 2**63 - 1]
