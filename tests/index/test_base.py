"""What holds of every index: the protocol, ids and masks, options by name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.index.base import Index

SPECS = [
    "Flat",
    "KDTree",
    "IVF4,Flat",
    "PQ2x4,RSQ8",
    "IMI2x2,PQ4x4",
    "KDForest2",
    "LSH3x2,SQ8",
    "LSH64,RFlat",
]
D, N = 8, 90
# All rows are looked at.
EVERYTHING = {"nprobe": 64, "checks": 0, "refine_factor": 64}


def built(spec: str, rng: np.random.Generator, ids: Any = None) -> tuple[Any, np.ndarray]:
    x = rng.standard_normal((N, D)).astype(np.float32)
    index = kf.index_factory(spec, D, verbose=False).fit(x)
    for rows in (slice(0, 60), slice(60, N)):  # of several segments
        index.add(x[rows], ids=None if ids is None else ids[rows])
    return index, x


def everything(index: Any) -> dict[str, Any]:
    return {name: value for name, value in EVERYTHING.items() if name in index.options}


@pytest.mark.parametrize("spec", SPECS)
def test_follows_the_protocol(spec: str, rng: np.random.Generator) -> None:
    index, x = built(spec, rng)
    assert isinstance(index, Index) and index.range_options <= set(index.options)
    assert set(index.search_space(5)) <= set(index.options)
    for name in ("search", "range_search"):
        assert [*inspect.signature(getattr(index, name)).parameters][-2:] == ["threads", "options"]
    again = kf.index_factory(spec, D, verbose=False)
    assert again.train(x) is again and again.is_trained and len(again) == 0


@pytest.mark.parametrize("spec", ["IVF4,Flat", "KDForest2", "LSH64"])
def test_says_what_is_missing(spec: str) -> None:
    index = kf.index_factory(spec, D, verbose=False)
    name = type(index).__name__
    for use in (lambda: index.search(np.zeros(D)), lambda: index.ids, lambda: index.remove([1])):
        with pytest.raises(kf.NotTrainedError, match=f"^{name}: call fit first"):
            use()
    assert len(index) == 0 and 0 not in index and not index.is_trained


@pytest.mark.parametrize("spec", SPECS)
def test_ids(spec: str, rng: np.random.Generator) -> None:
    """In order of addition where all rows are scanned, else ascending; removed ones are gone, others come back."""
    given = rng.permutation(N) * 3
    index, x = built(spec, rng, given)
    assert index.ids.tolist() == (given if spec == "Flat" else np.sort(given)).tolist()
    assert 3 in index and 4 not in index and index.remove([3, 4, 6]) == 2 and 3 not in index
    assert len(index) == N - 2 == len(index.ids)
    index.add(x[:1], ids=[3])
    assert 3 in index and index.remove(index.ids) == N - 1 and len(index) == 0
    with pytest.raises(ValueError, match="read-only"):
        built(spec, rng)[0].ids[:] = 0


@pytest.mark.parametrize("removed", [0, 7, 40])
@pytest.mark.parametrize("given", [None, "ascending", "shuffled"])
@pytest.mark.parametrize("spec", SPECS)
def test_a_mask_follows_the_ids(
    spec: str, given: str | None, removed: int, rng: np.random.Generator
) -> None:
    """Whatever the rows' order inside, and after rows went: the same answers as by the ids themselves."""
    ids = {None: None, "ascending": np.arange(N) * 2 + 5, "shuffled": rng.permutation(N)}[given]
    index, x = built(spec, rng, ids)
    index.remove(rng.permutation(index.ids)[:removed])
    mask = rng.random(len(index)) < 0.4
    options = everything(index)
    by_mask = index.search(x[:9], 60, filter=mask, **options)
    by_ids = index.search(x[:9], 60, filter=index.ids[mask], **options)
    np.testing.assert_array_equal(by_mask.ids, by_ids.ids)
    np.testing.assert_array_equal(by_mask.distances, by_ids.distances)
    assert set(by_mask.ids[by_mask.ids >= 0].tolist()) <= set(index.ids[mask].tolist())
    if spec != "LSH3x2,SQ8":  # whose tables may not lead to all rows
        assert ((by_mask.ids >= 0).sum(axis=1) == min(60, mask.sum())).all()
    options = {name: options[name] for name in index.range_options & options.keys()}
    near = index.range_search(x[:3], 9.0, filter=mask, **options)
    same = index.range_search(x[:3], 9.0, filter=index.ids[mask], **options)
    np.testing.assert_array_equal(near.ids, same.ids)
    with pytest.raises(ValueError, match=f"^filter: expected a mask of {len(index)} rows"):
        index.search(x[:3], filter=np.ones(len(index) + 1, bool))


@pytest.mark.parametrize("spec", SPECS)
def test_a_foreign_or_wrong_option_is_refused_by_name(spec: str, rng: np.random.Generator) -> None:
    index, x = built(spec, rng)
    name = type(index).__name__
    for option in {"nprobe", "budget", "checks", "refine_factor", "scan", "exhaust", "probes"}:
        if option not in index.options:
            with pytest.raises(TypeError, match=f"^{option}: expected .* of {name}"):
                index.search(x[:2], 3, **{option: 1})
        if option not in index.range_options:
            with pytest.raises(TypeError, match=f"^{option}: expected .* of {name}"):
                index.range_search(x[:2], 1.0, **{option: 1})
    for option in index.options:
        with pytest.raises(ValueError, match=f"^{option}: expected "):
            index.search(x[:2], 3, **{option: -0.5})
        index.search(x[:2], 3, **{option: None})  # as the index has it


@pytest.mark.parametrize("spec", SPECS)
def test_updated_rows_are_found_under_their_ids(spec: str, rng: np.random.Generator) -> None:
    index, x = built(spec, rng)
    fresh = x[:3] + np.float32(0.25)
    index.update([4, 80, 4], fresh)
    assert len(index) == N and sorted(index.ids.tolist()) == list(range(N))
    if index.keeps_vectors:
        np.testing.assert_array_equal(index.reconstruct([4, 80]), fresh[[2, 1]])
    with pytest.raises(ValueError, match="^ids: 90 is not in the index"):
        index.update([90], fresh[:1])


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("spec", SPECS)
def test_where_there_are_too_few(spec: str, metric: str, rng: np.random.Generator) -> None:
    """None at all, or all but two removed: what is missing has id -1, and the distance of nothing."""
    x = rng.standard_normal((N, D)).astype(np.float32)
    index = kf.index_factory(spec, D, metric=metric, verbose=False).fit(x)
    worst = np.inf if metric == "l2" else -np.inf
    for have in (0, 2):
        distances, ids = index.search(x[:4], 5, **everything(index))
        assert distances.shape == ids.shape == (4, 5) and distances.dtype == np.float32
        assert (ids[:, have:] == -1).all() and (distances[:, have:] == worst).all()
        assert index.search(x[0], 5).ids.shape == (5,)
        index.add(x)
        index.remove(np.arange(2, N))
    assert index.search(x[:0], 5).ids.shape == (0, 5)
