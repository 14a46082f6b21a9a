"""Ground truth as the revisited Oxford and Paris publish it: a pickle, read without running what it holds."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.errors import FileFormatError

_MOST_BYTES = 1 << 28


def _empty_array(kind: Any, shape: Any, dtype: Any) -> NDArray[Any]:
    """numpy's ``_reconstruct``: always an empty array, which the state that follows fills."""
    if kind is not np.ndarray or shape != (0,):
        raise FileFormatError("refused: an array of unusual make")
    return np.ndarray.__new__(np.ndarray, (0,), "i1")


def _latin1(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise FileFormatError(f"refused: the encoding {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


# The only names that a file may mention: what numpy's arrays and numbers are made of, in its versions 1 and 2.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _empty_array
    _ALLOWED[f"{_core}.multiarray", "scalar"] = np.float64(0).__reduce__()[0]
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = np.zeros(1).__reduce_ex__(5)[0]


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise FileFormatError(f"refused: it asks for {module}.{name}")
        return _ALLOWED[module, name]


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The dictionary of a ``gnd_*.pkl``: imlist, qimlist, gnd. Only lists, numbers, texts and numpy arrays.

    Raises FileFormatError for anything else, without running it.
    """
    size = os.path.getsize(path)
    if size > _MOST_BYTES:
        raise FileFormatError(f"{path}: {size:,} bytes are too many for ground truth")
    with Path(path).open("rb") as file:
        try:
            # Old files were written by Python 2: their texts are bytes.
            value = _Restricted(file, encoding="latin1").load()
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None
        except Exception as error:  # a damaged pickle raises anything
            raise FileFormatError(
                f"{path}: not a readable pickle: {type(error).__name__}"
            ) from error
    if not isinstance(value, dict):
        raise FileFormatError(f"{path}: expected a dictionary, got {type(value).__name__}")
    return {str(key): _plain(entry, path, 0) for key, entry in value.items()}


def _plain(value: Any, path: str | os.PathLike[str], depth: int) -> Any:
    """Arrays and numpy's numbers as lists and Python's numbers."""
    if depth > 8:
        raise FileFormatError(f"{path}: nested too deeply")
    if isinstance(value, np.ndarray) and value.dtype.kind in "iufbUS":
        return _plain(value.tolist(), path, depth + 1)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(item, path, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, path, depth + 1) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return value.decode("latin1")
    raise FileFormatError(f"{path}: holds a {type(value).__name__}")
