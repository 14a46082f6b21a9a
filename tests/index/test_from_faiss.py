"""Indexes of faiss taken over: its answers, or a word on why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf

faiss = pytest.importorskip("faiss")
faiss.omp_set_num_threads(1)

D = 16
# "np": without the training of polysemous codes, which takes seconds.
SPECS = [
    "Flat", "PQ4np", "PQ8x4np", "SQ8", "SQfp16", "IVF8,Flat", "IVF8,PQ4np", "IVF8,PQ8x4np", "IVF8,SQ8",
    "IVF8,SQfp16", "OPQ4,IVF8,PQ4np", "PCA8,PQ4np", "PCA8,Flat", "PCAR8,IVF8,Flat", "RR,IVF8,SQ8", "IVF8_HNSW32,PQ4np",
    "IDMap,Flat", "IDMap2,PQ4np", "IDMap,PCA8,IVF8,PQ4np",
]  # fmt: skip


def clustered(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).standard_normal((12, D)) * 2
    return (centres[rng.integers(12, size=n)] + rng.standard_normal((n, D))).astype(np.float32)


def theirs(spec: str, metric: int = faiss.METRIC_L2, ids: np.ndarray | None = None) -> Any:
    index = faiss.index_factory(D, spec, metric)
    index.train(clustered(1000, 1))
    x = clustered(1200, 2)
    if ids is None:
        ids = np.arange(len(x)) * 3 + 7 if "IDMap" in spec else None
    if ids is None:
        index.add(x)
    else:
        index.add_with_ids(x, ids)
    return index


def same_answers(index: Any, ours: Any, **options: Any) -> None:
    """Distances as faiss gives them; ids wherever a distance stands alone."""
    queries = clustered(60, 3)
    for nq in (1, 60):
        expected, ids = index.search(queries[:nq], 10)
        got = ours.search(queries[:nq], 10, **options)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got.distances, expected, atol=1e-4 * scale)
        gaps = np.abs(np.diff(expected, axis=1, prepend=np.inf, append=np.inf))
        alone = np.minimum(gaps[:, 1:], gaps[:, :-1])[:, :-1] > 2e-4 * scale
        np.testing.assert_array_equal(got.ids[:, :-1][alone], ids[:, :-1][alone])


@pytest.mark.parametrize("metric", [faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT])
@pytest.mark.parametrize("spec", SPECS)
def test_answers_are_those_of_faiss(spec: str, metric: int, tmp_path: Path) -> None:
    index = theirs(spec, metric)
    if "IVF" in spec:
        faiss.extract_index_ivf(index).nprobe = 3
    ours = kf.from_faiss(index)
    same_answers(index, ours)
    assert len(ours) == index.ntotal
    ours.save(tmp_path / "a.kin")
    same_answers(index, kf.load(tmp_path / "a.kin"))
    # The copy goes on by itself.
    added = ours.add(clustered(5, 4))
    assert len(added) == 5 and len(ours) == index.ntotal + 5


@pytest.mark.parametrize("metric", [faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("code", ["Flat", "PQ4np", "SQfp16", "SQ8", "SQ6", "SQ4"])
def test_codes_of_residuals_or_of_vectors(code: str, residual: bool, metric: int) -> None:
    index = faiss.index_factory(D, f"IVF8,{code}", metric)
    index.by_residual = residual and code != "Flat"
    index.train(clustered(1000, 1))
    index.add(clustered(1200, 2))
    for index.nprobe in (2, 8):
        same_answers(index, kf.from_faiss(index))


def test_scalar_codes_are_taken_as_they_are() -> None:
    x = clustered(1200, 2)
    x[:, 3] = 5
    for qtype in (
        "QT_8bit", "QT_8bit_uniform", "QT_8bit_direct", "QT_4bit", "QT_4bit_uniform", "QT_6bit",
    ):  # fmt: skip
        given = x if qtype != "QT_8bit_direct" else np.rint(x * 20 + 128).clip(0, 255)
        index = faiss.IndexScalarQuantizer(D, getattr(faiss.ScalarQuantizer, qtype))
        index.train(given)
        index.add(given)
        ours = kf.from_faiss(index)
        expected = index.reconstruct_n(0, 1200)
        np.testing.assert_allclose(
            ours.reconstruct(np.arange(1200)), expected, rtol=1e-6, atol=1e-6
        )
        if qtype != "QT_8bit_direct":  # there faiss rounds queries, too
            same_answers(index, ours)


@pytest.mark.parametrize("spec", ["Flat", "PQ4np", "IVF8,PQ4np"])
def test_without_rows(spec: str) -> None:
    index = faiss.index_factory(D, spec)
    index.train(clustered(1000, 1))
    ours = kf.from_faiss(index)
    assert len(ours) == 0
    ours.add(clustered(10, 2))
    assert ours.search(clustered(10, 2), 1).ids[:, 0].tolist() == list(range(10)) or spec != "Flat"


def test_memory_of_a_temporary_is_not_read(tmp_path: Path) -> None:
    """The caller's only reference may go while the index is read: a process of its own, should that crash."""
    specs = ["Flat", "PQ4np", "IVF8,PQ4np", "IVF8,Flat", "IVF8,SQ8", "RR,IVF8,PQ4np", "IDMap,PQ4np"]
    for i, spec in enumerate(specs):
        index = theirs(spec)
        faiss.write_index(index, str(tmp_path / f"{i}"))
        np.save(tmp_path / f"{i}.npy", kf.from_faiss(index).search(clustered(9, 3), 4).ids)
    np.save(tmp_path / "queries.npy", clustered(9, 3))
    code = (
        "import faiss, numpy as np, kinfold as kf\n"
        "queries = np.load('queries.npy')\n"
        f"for i in range({len(specs)}):\n"
        "    ours = kf.from_faiss(faiss.read_index(str(i)))\n"
        "    assert np.array_equal(ours.search(queries, 4).ids, np.load(f'{i}.npy')), i\n"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def _with(index: Any, **settings: Any) -> Any:
    for name, value in settings.items():
        setattr(index, name, value)
    return index


def _mixed(inner: int, outer: int) -> Any:
    coarse = faiss.IndexFlat(D, inner)
    index = faiss.IndexIVFFlat(coarse, D, 8, outer)
    index.train(clustered(1000, 1))
    return index


REFUSED = [
    (lambda: theirs("IVF8,PQ4+4"), "second codes"),
    (lambda: theirs("HNSW8"), "expected one of"),
    (lambda: theirs("PQ8x4fs"), "expected one of"),
    (lambda: theirs("SQbf16"), "scalar codes"),
    (lambda: theirs("L2norm,Flat"), "linear transforms"),
    (lambda: theirs("PQ4x6np"), "4 or 8 bits"),
    (lambda: faiss.IndexFlat(D, faiss.METRIC_L1), "L2 or inner product"),
    (lambda: _mixed(faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2), "coarse quantizer"),
    (lambda: _mixed(faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT), "coarse quantizer"),
    (lambda: _with(theirs("PQ4np"), search_type=faiss.IndexPQ.ST_polysemous), "search_type"),
    (lambda: _with(theirs("PQ4np"), search_type=faiss.IndexPQ.ST_SDC), "search_type"),
    (lambda: _with(theirs("IVF8,PQ4np"), polysemous_ht=20), "polysemous_ht"),
    (lambda: _with(theirs("IVF8,PQ4np"), max_codes=100), "max_codes"),
    (lambda: theirs("IVF8,PQ4np", ids=np.arange(1200) - 3), "ids: expected ids from 0"),
    (lambda: theirs("IDMap,PQ4np", ids=np.arange(1200) - 3), "ids: expected ids from 0"),
    (lambda: theirs("IDMap,Flat", ids=np.arange(1200) - 3), "ids: expected ids from 0"),
    (lambda: theirs("IVF8,Flat", ids=np.arange(1200) // 2), "ids: expected each id once"),
    (lambda: theirs("IDMap,Flat", ids=np.arange(1200) // 2), "ids: expected each id once"),
    (lambda: 3, "expected an index of faiss"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_would_be_answered_otherwise_is_refused(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        kf.from_faiss(make())
