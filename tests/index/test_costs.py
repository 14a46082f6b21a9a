"""What a search costs, in counts: how many rows have their distance taken. Times are for benchmarks."""

from __future__ import annotations

import numpy as np
import pytest

import kinfold as kf

# Description -> rows scored for each query at most, k = 10: half as many again as was counted at every level.
MOST = {
    "SQ4": 140,
    "LVQ4x8": 320,
    "PQ16": 480,
    "VQ256": 390,
    "IVF64,SQ8": 165,
    "IVF64,PQ16": 48,
    "IVF64,PQ16x4fs": 48,
    "IVF64,PQ16,RSQ8": 510,
    "IVF64,LOPQ8": 800,
    "IMI2x5,PQ8": 65,
    "KDForest4": 115,
    "LSH8x12": 430,
}
N, D, QUERIES = 20_000, 64, 100


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Vectors that spread along eight directions, as descriptors do."""
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((8, D))

    def draw(n: int) -> np.ndarray:
        near = rng.standard_normal((n, 8)) @ axes
        return (near + 0.2 * rng.standard_normal((n, D))).astype(np.float32)

    return draw(N), draw(QUERIES)


@pytest.mark.parametrize("spec", MOST)
def test_few_rows_are_scored(spec: str, rows: tuple[np.ndarray, np.ndarray]) -> None:
    base, queries = rows
    index = kf.index_factory(spec, D).fit(base[:3000])
    index.add(base)
    index.search(queries, 10, threads=1)
    assert index.stats()["per_query"]["scored"] <= MOST[spec]
