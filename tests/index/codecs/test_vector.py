"""Numbers of codewords: against plain loops, ties and damaged codes included."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.errors import FileFormatError
from kinfold.index.codecs.vector import VectorCodes


def clustered(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    centres = np.random.default_rng(9).standard_normal((12, d)) * 2
    return (centres[rng.integers(12, size=n)] + rng.standard_normal((n, d))).astype(np.float32)


def plain(
    x: np.ndarray, words: np.ndarray, queries: np.ndarray, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Each vector's nearest codeword (n,), and its distance to each query (q, n): by a look-up."""
    x, words, queries = (a.astype(np.float64) for a in (x, words, queries))
    if metric == "cosine":
        x, queries = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, queries))
    codes = ((x[:, None] - words) ** 2).sum(axis=2).argmin(axis=1)
    squares = ((queries[:, None] - words) ** 2).sum(axis=2)
    return codes, (squares if metric == "l2" else -(queries @ words.T))[:, codes]


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
@pytest.mark.parametrize("words", [1, 5, 256, 300])
@pytest.mark.parametrize("lists", ["", "IVF6,", "IMI2x2,"])
@pytest.mark.slow
def test_answers_are_those_of_plain_loops(
    lists: str, words: int, metric: str, level: str, rng: np.random.Generator
) -> None:
    x, queries = clustered(rng, 1200, 10), clustered(rng, 20, 10)
    index = kf.index_factory(f"{lists}VQ{words}", 10, metric=metric, verbose=False).train(x)
    index.add(x)
    assert index.codec.bytes_per_vector == (1 if words <= 256 else 2)
    codes, table = plain(x, index.codec.quantizer.codebook, queries, metric)
    for k, rows in ((1, None), (30, None), (1200, None), (5, np.arange(0, 1200, 40))):
        found = index.search(queries, k, filter=rows, nprobe=100)
        values = found.distances if metric == "l2" else -found.distances
        near = np.sort(table if rows is None else table[:, rows], axis=1)[:, :k]
        np.testing.assert_allclose(values, near, rtol=1e-5, atol=1e-5)
        own = np.take_along_axis(table, found.ids, axis=1)
        np.testing.assert_allclose(own, near, rtol=1e-5, atol=1e-5)
        # Rows of a codeword are equally far: by id, none left out before a larger one.
        for ids in found.ids:
            for code in np.unique(codes[ids]):
                mine = np.flatnonzero(codes == code)
                if rows is not None:
                    mine = np.intersect1d(mine, rows)
                taken = ids[codes[ids] == code]
                np.testing.assert_array_equal(taken, mine[: len(taken)])


def test_lists_hold_the_codes_of_the_vectors_themselves(rng: np.random.Generator) -> None:
    x = clustered(rng, 900, 6)
    whole, lists = (
        kf.index_factory(spec, 6, verbose=False).train(x) for spec in ("VQ70", "IVF5,VQ70")
    )
    for index in (whole, lists):
        index.add(x)
    quantizer = kf.VectorQuantizer(70, verbose=False).fit(x)
    expected = quantizer.decode(quantizer.encode(x))
    np.testing.assert_array_equal(whole.reconstruct(np.arange(900)), expected)
    np.testing.assert_array_equal(lists.reconstruct(np.arange(900)), expected)
    # A few rows are scored without a table of all codewords.
    near = lists.search(x[:50], 3, nprobe=1)
    rows = near.ids[near.ids >= 0]
    asked = np.repeat(np.arange(50), 3).reshape(50, 3)[near.ids >= 0]
    gaps = ((x[asked].astype(np.float64) - expected[rows]) ** 2).sum(axis=1)
    np.testing.assert_allclose(near.distances[near.ids >= 0], gaps, rtol=1e-5, atol=1e-5)


def test_three_bytes_where_there_are_more_codewords(rng: np.random.Generator) -> None:
    words = rng.standard_normal((70_000, 2)).astype(np.float32)
    quantizer = kf.VectorQuantizer(70_000, iterations=0, verbose=False)
    quantizer.fit(words)
    codec = VectorCodes(2, quantizer)
    codes = rng.integers(70_000, size=500)
    x = quantizer.codebook[codes]
    rows = codec.pack(codec.encode(x, None, None))
    assert rows["codes"].shape == (500, 3)
    np.testing.assert_array_equal(codec.decode(rows, None, None), x)
    which = np.array([400, 3, 3])
    np.testing.assert_array_equal(codec.unpack(rows, which)["codes"], rows["codes"][which])
    index = kf.CellIndex(2, kf.index_factory("VQ2", 2).coarse, codec)
    index.train(words)
    index.add(x)
    assert index.search(x[:20], 1).distances.max() == 0


def test_codes_beyond_the_codebook_are_damage(rng: np.random.Generator) -> None:
    x = clustered(rng, 400, 4)
    index = kf.index_factory("VQ90", 4, verbose=False).train(x)
    index.add(x)
    params, arrays = index.params(), index.arrays()
    name = next(name for name in arrays if name.endswith(".codes"))
    for code in (90, 255):
        damaged = arrays[name].copy()
        damaged[7] = code
        with pytest.raises(FileFormatError, match="codes"):
            kf.CellIndex.from_state(params, {**arrays, name: damaged})


def test_bad_input() -> None:
    with pytest.raises(FileFormatError, match="codebook: expected codewords of dimension 4"):
        codec = VectorCodes(3, kf.VectorQuantizer(2, verbose=False))
        codec.fit(np.eye(3, dtype=np.float32), None, None)
        VectorCodes.from_state({**codec.params(), "dim": 4}, codec.arrays())
    with pytest.raises(ValueError, match="spec: expected other numbers"):
        kf.index_factory("VQ0", 4)
    with pytest.raises(ValueError, match="expected at least"):
        kf.index_factory("VQ64", 4, verbose=False).train(np.zeros((20, 4)))
    with pytest.raises(kf.NotTrainedError):
        kf.index_factory("VQ64", 4).add(np.zeros((2, 4)))
