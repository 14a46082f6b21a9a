"""Tuning: the cheapest setting that finds enough. The clock counts work, so nothing depends on time."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.errors import RecallError
from kinfold.evaluate import intersection_recall, nearest_recall
from kinfold.index.tune import Point, exact_truth, frontier, search_space


class Work:
    """A clock that ticks with every row scanned, cell visited and row scored."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def __call__(self) -> float:
        figures = self.index.stats()
        spent = figures["per_query"]
        return figures["queries"] * (spent["rows"] + 5 * spent["cells"] + 10 * spent["scored"])


def counted(index: Any) -> dict[str, Any]:
    return {"clock": Work(index), "longest": 1e15}


def clustered(rng: np.random.Generator, n: int, d: int = 16) -> np.ndarray:
    centres = np.random.default_rng(5).standard_normal((30, d)) * 1.5
    return (centres[rng.integers(30, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


def built(spec: str, rng: np.random.Generator, *, metric: str = "l2", n: int = 2000) -> Any:
    base, queries = clustered(rng, n), clustered(rng, 60)
    index = kf.index_factory(spec, 16, metric=metric, verbose=False)
    index.train(base)
    index.add(base, ids=np.arange(n)[::-1] * 3)
    flat = kf.FlatIndex(16, metric=metric)
    flat.add(base, ids=np.arange(n)[::-1] * 3)
    return index, queries, flat.search(queries, 10).ids


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("spec", ["IVF32,Flat", "IVF32,PQ8,RFlat", "IMI2x3,PQ8,RFlat", "PQ4,RFlat"])
def test_the_setting_reaches_the_recall_and_less_effort_does_not(
    spec: str, metric: str, rng: np.random.Generator
) -> None:
    index, queries, truth = built(spec, rng, metric=metric)
    setting = index.tune(queries, truth, recall=0.8, **counted(index))
    found = index.search(queries, 10, **setting.options).ids
    assert setting.recall == intersection_recall(found, truth, 10) >= 0.8
    assert (setting.measure, setting.k) == ("k@k", 10)
    name = next(iter(search_space(index)))
    value = setting.options[name]
    less = {**setting.options, name: value - max(1, value // 8)}
    if less[name] >= 1:
        assert intersection_recall(index.search(queries, 10, **less).ids, truth, 10) < 0.8


def test_the_setting_is_the_cheapest_of_the_whole_grid(rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF16,PQ4,RFlat", rng)
    space = {"nprobe": range(1, 17), "refine_factor": [1, 2, 4, 8, 16, 32, 64]}
    clock = Work(index)
    setting = index.tune(queries, truth, recall=0.85, space=space, longest=1e15, clock=clock)
    costs = []
    for nprobe in space["nprobe"]:
        for factor in space["refine_factor"]:
            before = clock()
            ids = index.search(queries, 10, nprobe=nprobe, refine_factor=factor).ids
            if intersection_recall(ids, truth, 10) >= 0.85:
                costs.append((clock() - before) / len(queries))
    assert setting.seconds == pytest.approx(min(costs))


def test_the_curve_rises_in_recall_and_cost(rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF32,PQ8,RSQ8", rng)
    setting = index.tune(queries, truth, recall=0.5, **counted(index))
    recalls, costs = zip(*((p.recall, p.seconds) for p in setting.curve))
    assert list(recalls) == sorted(set(recalls)) and list(costs) == sorted(set(costs))
    assert max(recalls) > 0.95
    assert setting.options in [p.options for p in setting.curve]
    assert all(p.qps == pytest.approx(1 / p.seconds) for p in setting.curve)


@pytest.mark.parametrize("measure", ["1@1", "1@k", "k@k"])
def test_measures_are_those_of_evaluate(measure: str, rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF32,PQ8", rng)
    try:
        setting = index.tune(queries, truth, recall=0.999, measure=measure, **counted(index))
    except RecallError as error:
        setting = error.best
    ids = index.search(queries, 10, **setting.options).ids
    expected = {
        "1@1": nearest_recall(ids, truth, 1),
        "1@k": nearest_recall(ids, truth, 10),
        "k@k": intersection_recall(ids, truth, 10),
    }
    assert setting.recall == expected[measure] and setting.measure == measure
    if measure != "k@k":
        again = index.tune(
            queries, truth[:, 0], recall=setting.recall, measure=measure, **counted(index)
        )
        assert again.recall >= setting.recall


def test_unreachable_recall_names_the_best(rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF8,PQ2", rng)
    with pytest.raises(RecallError, match=r"recall: expected at most 0\.\d{4} \(k@k\)") as caught:
        index.tune(queries, truth, recall=1.0, **counted(index))
    best = caught.value.best
    assert isinstance(caught.value, ValueError)
    assert best.recall == intersection_recall(
        index.search(queries, 10, **best.options).ids, truth, 10
    )
    assert best.recall == max(p.recall for p in best.curve)
    assert f"{best.recall:.4f}" in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).best == best
    # What was named can be asked for.
    assert index.tune(queries, truth, recall=best.recall, **counted(index)).recall >= best.recall


def test_a_plateau_does_not_end_the_search(rng: np.random.Generator) -> None:
    """One query whose neighbour lies in the last cell: no gain until then."""
    base = np.repeat(np.arange(32, dtype=np.float32), 20)[:, None] * np.ones((1, 4), np.float32)
    index = kf.index_factory("IVF32,Flat", 4, verbose=False).train(base)
    index.add(base)
    far = np.full((1, 4), -100, np.float32)
    truth = np.array([[639]])
    setting = index.tune(far, truth, k=640, recall=1.0, measure="1@k", **counted(index))
    assert setting.options == {"nprobe": 32}


def test_truth_is_computed_where_the_vectors_are_kept(rng: np.random.Generator) -> None:
    for spec in ("Flat", "IVF16,Flat", "IVF16,PQ4,RFlat"):
        for metric in ("l2", "ip", "cosine"):
            index, queries, truth = built(spec, rng, metric=metric, n=600)
            assert index.keeps_vectors
            assert (exact_truth(index, queries, 10) == truth).mean() > 0.99  # rounding may swap two
            assert index.tune(queries, recall=0.5, k=3, verbose=False).recall >= 0.5
    for spec in ("IVF16,PQ4", "SQ8", "IVF16,SQfp16", "IVF16,PQ4,RSQ8", "PCA8,IVF16,Flat"):
        index, queries, _ = built(spec, rng, n=600)
        assert not index.keeps_vectors
        with pytest.raises(ValueError, match="truth: expected the true neighbours"):
            index.tune(queries)


def test_exact_truth_in_blocks_breaks_ties_by_id(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinfold.index.tune._BLOCK", 7)
    base = rng.integers(0, 2, (90, 3)).astype(np.float32)
    ids = rng.permutation(90)
    index = kf.FlatIndex(3)
    index.add(base, ids=ids)
    queries = rng.integers(0, 2, (20, 3)).astype(np.float32)
    np.testing.assert_array_equal(exact_truth(index, queries, 11), index.search(queries, 11).ids)


def test_flat_has_nothing_to_choose(rng: np.random.Generator) -> None:
    index = kf.FlatIndex(16)
    index.add(clustered(rng, 300))
    setting = index.tune(clustered(rng, 20), recall=1.0)
    assert setting.options == {} and setting.recall == 1.0 and len(setting.curve) == 1
    index.search(clustered(rng, 2), 3, **setting.options)


def test_batches_give_the_same_recall(rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF32,PQ8", rng)
    whole = index.tune(queries, truth, recall=0.4, **counted(index))
    for batch in (1, 7):
        setting = index.tune(queries, truth, recall=0.4, batch=batch, **counted(index))
        assert (setting.options, setting.recall) == (whole.options, whole.recall)


def test_search_stops_where_it_takes_too_long(rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF32,Flat", rng)
    setting = index.tune(queries, truth, recall=0.01, longest=0.0, clock=Work(index))
    assert setting.options == {"nprobe": 1} and len(setting.curve) == 1


def test_search_space() -> None:
    def of(spec: str, n: int = 100) -> dict[str, tuple]:
        index = kf.index_factory(spec, 8, verbose=False)
        x = np.random.default_rng(0).standard_normal((300, 8)).astype(np.float32)
        index.train(x)
        index.add(x[:n])
        return search_space(index, 10)

    assert of("Flat") == of("SQ8") == {}
    assert of("IVF10,Flat") == {"nprobe": (1, 2, 3, 4, 6, 8, 10)}
    assert of("IMI2x2,PQ4") == {"budget": (50, 75, 100)}
    assert of("IVF4,PQ4,RFlat") == {"nprobe": (1, 2, 3, 4), "refine_factor": (1, 2, 4, 8, 10)}
    assert of("IVF1,PQ4,RFlat", 0) == {"refine_factor": (1,)}


def test_frontier() -> None:
    points = [
        Point({"a": i}, r, s) for i, (r, s) in enumerate([(0.5, 1), (0.5, 2), (0.4, 1), (0.9, 3)])
    ]
    assert [p.options["a"] for p in frontier(points)] == [0, 3]
    assert frontier([]) == ()
    assert Point({}, 1.0, 0.0).qps == np.inf


def test_bad_arguments(rng: np.random.Generator) -> None:
    index, queries, truth = built("IVF16,Flat", rng, n=300)
    for words, call in {
        "queries: expected vectors of dimension 16": lambda: index.tune(queries[:, :3], truth),
        "truth: expected at least k = 10 neighbours, got 3": lambda: index.tune(
            queries, truth[:, :3]
        ),
        "truth: expected 60 rows": lambda: index.tune(queries, truth[:5]),
        "truth: expected ids of the index": lambda: index.tune(queries, truth * 0 + 1),
        "recall: expected a number in": lambda: index.tune(queries, truth, recall=1.5),
        "measure: expected one of": lambda: index.tune(queries, truth, measure="recall"),
        "k: expected at most the 300 vectors": lambda: index.tune(queries, k=301),
        "space: expected numbers for 'nprobe', ascending": lambda: index.tune(
            queries, truth, space={"nprobe": [2, 1]}
        ),
        "rounds: ": lambda: index.tune(queries, truth, rounds=0),
        "batch: ": lambda: index.tune(queries, truth, batch=0),
    }.items():
        with pytest.raises(ValueError, match=words.replace("(", r"\(")):
            call()
    with pytest.raises(kf.NotTrainedError):
        kf.index_factory("IVF16,Flat", 16).tune(queries)
