"""What every index shares: the metric, ids, and the translation of a filter into rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors, as_array, as_ids


class RangeResult(NamedTuple):
    """What a range search returns: query i has the entries starts[i] to starts[i + 1]."""

    starts: Ids
    distances: Vectors
    ids: Ids


def unit_rows(x: Vectors) -> Vectors:
    """Rows scaled to length one; a zero row stays zero."""
    norms = np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))
    scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
    return (x * scale[:, None]).astype(np.float32)


def filter_rows(filter: Any, ids: Ids) -> NDArray[np.uint8]:
    """One byte a row: 1 where a search's ``filter`` admits it.

    filter : ids that may answer (unknown ids are ignored), or a boolean mask over the stored rows.
    """
    array = as_array(filter, "filter") if np.size(filter) else np.empty(0, np.int64)
    if array.dtype.kind == "b":
        if array.shape != ids.shape:
            raise ValueError(
                f"filter: expected a mask of {len(ids)} rows or ids, got shape {array.shape}"
            )
        return array.astype(np.uint8)
    return np.isin(ids, as_ids(array, "filter")).astype(np.uint8)
