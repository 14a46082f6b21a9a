"""The whitening at an extractor's end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError
from kinfold.base.registry import resolve
from kinfold.base.state import JSON, check_only
from kinfold.transform import METHODS as TRANSFORMS


def whitened_dim(whitening: Any, dim: int) -> int:
    """Dimensions of descriptors of ``dim`` after a whitening, or after None.

    Raises ValueError where the whitening is of others.
    """
    if whitening is None:
        return dim
    mean, projection = whitening.affine()
    if len(mean) != dim:
        raise ValueError(f"whitening: expected one of {dim} dimensions, got {len(mean)}")
    return int(projection.shape[1])


def restored_whitening(chosen: JSON, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The whitening that a file holds, if any."""
    if chosen is None:
        check_only(arrays, set(), "arrays")
        return None
    kinds = {resolve(target).kind: resolve(target) for target in TRANSFORMS.values()}
    if not isinstance(chosen, list) or len(chosen) != 2 or chosen[0] not in kinds:
        raise FileFormatError(f"parameter 'whitening': got {chosen!r}")
    if not isinstance(chosen[1], dict):
        raise FileFormatError(f"parameter 'whitening': got {chosen!r}")
    return kinds[chosen[0]].from_state(chosen[1], arrays)
