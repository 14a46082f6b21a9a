"""Every kind of index answers arrays of other libraries as it answers numpy's, and refuses what it cannot read."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kinfold as kf

D = 16
SPECS = [
    "Flat",
    "SQ8",
    "IVF4,PQ4",
    "PCA8,IVF4,Flat",
    "IMI2x2,PQ4",
    "KDForest2",
    "KDTree",
    "LSH32",
    "PQ4,RFlat",
]


def _torch(kind: str) -> Callable[[np.ndarray], Any]:
    def make(x: np.ndarray) -> Any:
        torch = pytest.importorskip("torch")
        tensor = torch.from_numpy(x)
        return tensor if x.dtype.kind == "i" else tensor.to(getattr(torch, kind))

    return make


def _strict(x: np.ndarray) -> Any:
    return pytest.importorskip("array_api_strict").asarray(x)


class Capsule:
    """An array that speaks DLPack and nothing else."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


ARRAYS = {
    "torch": _torch("float32"),
    "torch half": _torch("float16"),
    "torch bfloat16": _torch("bfloat16"),
    "array API": _strict,
    "DLPack": Capsule,
}


def numbers(n: int) -> np.ndarray:
    """Vectors that bfloat16 holds exactly, so that all answers are the same."""
    return np.random.default_rng(n).integers(-9, 10, (n, D)).astype(np.float32)


def made(spec: str, turned: Callable[[np.ndarray], Any]) -> Any:
    index = kf.index_factory(spec, D, seed=0, verbose=False)
    index.fit(turned(numbers(300)))
    index.add(turned(numbers(120)), ids=turned(np.arange(120) * 3))
    index.update(turned(np.array([0, 3])), turned(numbers(2)))
    index.remove(turned(np.array([6])))
    return index


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("spec", SPECS)
def test_an_index_answers_them_as_it_answers_numpy(spec: str, name: str) -> None:
    turned = ARRAYS[name]
    queries = numbers(7)
    ours, theirs = made(spec, np.asarray), made(spec, turned)
    for asked in (queries, queries[0]):
        true, found = ours.search(asked, 5, threads=1), theirs.search(turned(asked), 5, threads=1)
        assert found.ids.shape == (*asked.shape[:-1], 5)
        np.testing.assert_array_equal(found.ids, true.ids)
        np.testing.assert_array_equal(found.distances, true.distances)
    few = np.arange(0, 60, 3)
    np.testing.assert_array_equal(
        theirs.search(turned(queries), 5, filter=turned(few)).ids,
        ours.search(queries, 5, filter=few).ids,
    )
    np.testing.assert_array_equal(theirs.reconstruct(turned(few[3:])), ours.reconstruct(few[3:]))


@pytest.mark.parametrize("spec", SPECS)
def test_what_cannot_be_read_is_refused_by_name(spec: str) -> None:
    torch = pytest.importorskip("torch")
    index = made(spec, np.asarray)
    leaf, nowhere = torch.zeros(3, D, requires_grad=True), torch.empty(3, D, device="meta")
    for bad, words in ((leaf, "gradients"), (nowhere, "device")):
        for act, argument in (
            (lambda: index.search(bad), "queries"),  # noqa: B023
            (lambda: index.add(bad), "x"),  # noqa: B023
            (lambda: index.fit(bad), "x"),  # noqa: B023
            (lambda: index.search(numbers(2), filter=bad), "filter"),  # noqa: B023
        ):
            with pytest.raises(ValueError, match=f"^{argument}: expected .*{words}"):
                act()
    assert len(index) == 119


_OF_JAX = """
import jax.numpy as jnp, numpy as np, kinfold as kf
from kinfold.base.arrays import as_ids, as_vectors

x = np.random.default_rng(1).integers(0, 8, (40, 16)).astype(np.float32)
given = jnp.asarray(x)
assert as_vectors(given, "x").ctypes.data == given.unsafe_buffer_pointer()
ours = kf.index_factory("SQ8", 16).fit(x)
ours.add(x)
for kind in (jnp.float32, jnp.float16, jnp.bfloat16, jnp.float8_e4m3fn, jnp.int32, jnp.int4):
    taken = as_vectors(jnp.asarray(x, kind), "x")
    assert taken.dtype == np.float32 and (taken == x).all(), kind
    theirs = kf.index_factory("SQ8", 16).fit(jnp.asarray(x, kind))
    theirs.add(jnp.asarray(x, kind), ids=jnp.arange(40))
    for queries in (x[:5], x[0]):
        true, found = ours.search(queries, 3), theirs.search(jnp.asarray(queries, kind), 3)
        assert (true.ids == found.ids).all() and (true.distances == found.distances).all(), kind
print("all")
"""


def test_arrays_of_jax() -> None:
    """In a process of its own: where jax is loaded, every fork warns."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    done = subprocess.run(
        [sys.executable, "-c", _OF_JAX], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "all", done.stderr
