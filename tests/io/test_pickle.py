"""Whatever can be saved can be pickled and copied, through the same checks as a file."""

from __future__ import annotations

import copy
import multiprocessing
import operator
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import FACTORIES, same, use, vectors

import kinfold as kf
from kinfold.base.registry import kinds


def joblib_file(thing: Any, folder: Path, **how: Any) -> Any:
    joblib = pytest.importorskip("joblib")
    joblib.dump(thing, folder / "thing.joblib")
    return joblib.load(folder / "thing.joblib", **how)


WAYS: dict[str, Callable[[Any, Path], Any]] = {
    **{f"pickle {p}": lambda thing, _, p=p: pickle.loads(pickle.dumps(thing, p)) for p in (2, 5)},
    "deepcopy": lambda thing, _: copy.deepcopy(thing),
    "copy": lambda thing, _: copy.copy(thing),
    "copy of a copy": lambda thing, _: copy.copy(pickle.loads(pickle.dumps(copy.deepcopy(thing)))),
    "joblib": joblib_file,
    "joblib mapped": lambda thing, folder: joblib_file(thing, folder, mmap_mode="r"),
}


def made(kind: str) -> Any:
    if kind == "features.Extractor":
        pytest.importorskip("torch")
    return FACTORIES[kind]()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", sorted(kinds()))
def test_copies_answer_the_same(kind: str, way: str, tmp_path: Path) -> None:
    thing = made(kind)
    other = WAYS[way](thing, tmp_path)
    assert type(other) is type(thing) and other is not thing
    assert same(use(kind, other), use(kind, thing))
    assert other.params() == thing.params()


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_copies_of_what_is_mapped(kind: str, tmp_path: Path) -> None:
    """The file may go: pickles hold the numbers, not the way to them."""
    thing = made(kind)
    kf.save(thing, tmp_path / "thing.kin")
    pickled = pickle.dumps(kf.load(tmp_path / "thing.kin", mmap=True))
    deep = copy.deepcopy(kf.load(tmp_path / "thing.kin", mmap=True))
    (tmp_path / "thing.kin").unlink()
    for other in (pickle.loads(pickled), deep):
        assert same(use(kind, other), use(kind, thing))
        assert not any(isinstance(array, np.memmap) for array in other.arrays().values())


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_damaged_pickles_are_refused(kind: str) -> None:
    thing = made(kind)
    data, tried = pickle.dumps(thing, 5), 0
    for array in thing.arrays().values():
        held = np.ascontiguousarray(array).tobytes()
        if len(held) < 16 or data.count(held) != 1:  # which bytes are its own is not told
            continue
        at = data.find(held)
        assert at >= 0
        for where in (at, at + len(held) // 2, at + len(held) - 1):
            damaged = bytearray(data)
            damaged[where] ^= 0x40
            with pytest.raises(kf.FileFormatError):
                pickle.loads(bytes(damaged))
            tried += 1
    assert tried or not any(array.nbytes >= 16 for array in thing.arrays().values())


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_state_in_a_pickle_is_checked_as_that_in_a_file(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under checksums that are right."""
    thing = made(kind)
    state = thing.arrays()
    lies = [{**state, "made up": np.zeros(3)}]
    # Rows that came to a gallery are checked by the engine whose they are, when it takes them.
    own = {n: a for n, a in state.items() if kind != "gallery.Added" or "." not in n}
    lies += [{**state, name: np.asarray(array)[..., None]} for name, array in own.items()]
    for lie in lies:
        with monkeypatch.context() as patch:
            patch.setattr(type(thing), "arrays", lambda self, lie=lie: lie)
            pickled = pickle.dumps(thing)
        with pytest.raises(kf.FileFormatError):
            pickle.loads(pickled)


UNFITTED: dict[str, Callable[[], Any]] = {
    "FlatIndex": lambda: kf.FlatIndex(2),
    "TreeIndex": lambda: kf.index_factory("KDTree", 2),
    "RegionalIndex": lambda: kf.RegionalIndex(2),
    **{
        spec: lambda spec=spec: kf.index_factory(spec, 2, verbose=False)
        for spec in ("IVF2,SQ8", "IMI2x1,PQ1x4", "KDForest2", "LSH8", "PCA1,IVF2,PQ1x4,RSQ8")
    },
    "KMeans": lambda: kf.KMeans(2, verbose=False),
    "VectorQuantizer": lambda: kf.VectorQuantizer(2, iterations=1, verbose=False),
    "ProductQuantizer": lambda: kf.ProductQuantizer(1, bits=4, iterations=1, verbose=False),
    "OPQ": lambda: kf.OPQ(1, bits=4, iterations=1, verbose=False),
    "SignQuantizer": lambda: kf.SignQuantizer(8, centred=True),
    "PCA": lambda: kf.PCA(1),
    "Isomap": lambda: kf.Isomap(1, n_neighbors=4),
    "KernelPCA": lambda: kf.KernelPCA(1, kernel="rbf"),
}


def learnt(thing: Any) -> Any:
    thing = getattr(thing, "train", getattr(thing, "fit", None))(vectors()) or thing
    if hasattr(thing, "add"):
        thing.add(vectors())
        return thing.search(vectors(), 3)
    return tuple(thing.arrays().values())


@pytest.mark.parametrize("way", ["pickle 5", "deepcopy", "copy"])
@pytest.mark.parametrize("name", [n for n in UNFITTED if n != "RegionalIndex"])
def test_what_has_not_learnt_yet(name: str, way: str, tmp_path: Path) -> None:
    """Its copy learns what it would have learnt, and leaves it as it was."""
    thing = UNFITTED[name]()
    other = WAYS[way](thing, tmp_path)
    before = getattr(thing, "is_trained", None)
    answer = learnt(other)
    assert getattr(thing, "is_trained", None) == before
    assert same(answer, learnt(UNFITTED[name]()))
    assert same(answer, learnt(thing))


WRITES: dict[str, Callable[[Any], Any]] = {
    "index.Flat": lambda t: (t.add(np.eye(3)), t.remove([8]), t.update([1], -np.eye(3)[:1])),
    "index.Regional": lambda t: t.add([np.eye(2)]),
    **{
        kind: lambda t: (t.add(np.eye(2)), t.remove([4]), t.update([2], -np.eye(2)[:1]), t.compact())
        for kind in ("index.Cells", "index.Candidates", "index.Hamming", "index.Trees")
    },
    **{kind: lambda t: (t.add([vectors()[3:8]]), t.remove([4])) for kind in ("local.ASMK", "local.BoW")},
    "quantize.KMeans": lambda t: t.fit(-vectors()),
    "local.Words": lambda t: t.fit(-vectors()),
    "transform.PCA": lambda t: t.fit(-vectors(3)),
    "manifold.Isomap": lambda t: t.fit(-vectors()),
}  # fmt: skip


@pytest.mark.parametrize("way", ["pickle 5", "deepcopy", "copy"])
@pytest.mark.parametrize("kind", WRITES)
def test_copies_change_alone(kind: str, way: str, tmp_path: Path) -> None:
    thing = made(kind)
    before = use(kind, thing)
    other = WAYS[way](thing, tmp_path)
    WRITES[kind](other)
    assert same(use(kind, thing), before)
    changed = use(kind, other)
    # And the other way round; the same changes lead to the same answers.
    WRITES[kind](thing)
    assert same(use(kind, other), changed)
    assert same(use(kind, thing), changed)


def test_choices_that_files_do_not_keep() -> None:
    model = pickle.loads(pickle.dumps(kf.KMeans(2, verbose=False).fit(vectors())))
    assert model.verbose is False
    model = copy.copy(kf.PCA(1, solver="exact").fit(vectors()))
    assert model.solver == "exact"


@pytest.mark.parametrize("spec", ["Flat", "IVF2,SQ8"])
def test_processes_that_are_started_anew(spec: str) -> None:
    index = kf.index_factory(spec, 2, **({} if spec == "Flat" else {"verbose": False}))
    index.train(vectors())
    index.add(vectors())
    # A method's name is known in every process; a function of a test's module is not.
    search = operator.methodcaller("search", vectors(), 3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert same(tuple(pool.map(search, [index])[0]), tuple(search(index)))
