"""Ground truth as the revisited Oxford and Paris publish it: a pickle, read without running what it holds.

Nothing of the file is built but Python's plain data and stand-ins of this module: numpy's own way of coming
back from a pickle trusts the shapes, sizes and flags that it is told.
"""

from __future__ import annotations

import io
import itertools
import math
import os
import pickle
import pickletools
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_path, can_be
from kinfold.base.errors import FileFormatError

_MOST_BYTES = 1 << 26
# What is made of a file, in values and bytes of text, for each of its bytes.
_MOST_COPIES = 4
_MOST_DEPTH = 8
_DTYPE = re.compile(r"[<>|=]?(b1|[iuf][1248]|[SU][1-9]\d{0,5})")


class _Named:
    """What a name in the file stands for: something to call, and nothing that a file could change."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self.make = make

    def __call__(self, *arguments: Any) -> Any:
        return self.make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise FileFormatError("refused: it changes what it was given")


class _Budget:
    """How much may still be made. Few bytes can name one text or list many times over; ground truth does not."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, much: int) -> None:
        self.left -= much
        if self.left < 0:
            raise FileFormatError("refused: it holds more values than its size explains")


class _Dtype:
    """A dtype of numbers or texts."""

    __slots__ = ("budget", "order", "text")

    def __init__(self, budget: _Budget, text: Any, *_: Any) -> None:
        self.budget = budget
        if not isinstance(text, str) or not _DTYPE.fullmatch(text):
            raise FileFormatError(f"refused: an array of {text!r}")
        self.text, self.order = text.lstrip("<>|="), "<"

    def __setstate__(self, state: Any) -> None:
        # Of numpy's state only the order of bytes matters here; the rest describes records.
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise FileFormatError("refused: a dtype of unusual make")
        self.order = order

    def array(self, data: Any, shape: Any, order: str) -> NDArray[Any]:
        """The array of that many bytes; the bytes must be there."""
        if not isinstance(data, (str, bytes, bytearray)) or not isinstance(shape, tuple):
            raise FileFormatError("refused: an array of unusual make")
        self.budget.spend(len(data))
        raw = data.encode("latin1") if isinstance(data, str) else data
        if not all(type(length) is int for length in shape) or not can_be(shape):
            raise FileFormatError("refused: an array of unusual shape")
        dtype = np.dtype(self.order + self.text)
        if math.prod(shape) * dtype.itemsize != len(raw):
            raise FileFormatError(f"damaged: {len(raw)} bytes for an array of shape {shape}")
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if order == "F" else "C")


class _Array:
    """An array that is empty until its state comes."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Dtype):
            raise FileFormatError("refused: an array of unusual make")
        _, shape, dtype, fortran, data = state
        self.values = dtype.array(data, shape, "F" if fortran else "C")


def _never(*_: Any) -> Any:
    raise FileFormatError("refused: an array of unusual make")


_NDARRAY = _Named(_never)


def _reconstruct(kind: Any, shape: Any, _: Any) -> _Array:
    if kind is not _NDARRAY or shape != (0,):
        _never()
    return _Array()


def _scalar(dtype: Any, data: Any) -> Any:
    return dtype.array(data, (), "C").item() if isinstance(dtype, _Dtype) else _never()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.values = dtype.array(data, shape, order) if isinstance(dtype, _Dtype) else _never()
    return made


def _latin1(budget: _Budget, text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise FileFormatError(f"refused: the encoding {encoding!r}")
    budget.spend(len(text))
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _allowed(budget: _Budget) -> dict[tuple[str, str], _Named]:
    """The only names that a file may mention: what numpy's arrays and numbers are made of, in its versions 1 and 2."""
    allowed = {
        ("numpy", "ndarray"): _NDARRAY,
        ("numpy", "dtype"): _Named(partial(_Dtype, budget)),
        ("_codecs", "encode"): _Named(partial(_latin1, budget)),
        ("__builtin__", "bytes"): _Named(_no_bytes),
        ("builtins", "bytes"): _Named(_no_bytes),
    }
    for core in ("numpy.core", "numpy._core"):
        allowed[f"{core}.multiarray", "_reconstruct"] = _Named(_reconstruct)
        allowed[f"{core}.multiarray", "scalar"] = _Named(_scalar)
        allowed[f"{core}.numeric", "_frombuffer"] = _Named(_from_buffer)
    return allowed


class _Restricted(pickle.Unpickler):
    def __init__(self, data: bytes, budget: _Budget) -> None:
        # Old files were written by Python 2: their texts are bytes.
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._allowed = _allowed(budget)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise FileFormatError(f"refused: it asks for {module}.{name}")
        return self._allowed[module, name]


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The dictionary of a ``gnd_*.pkl``: imlist, qimlist, gnd. Only lists, numbers, texts and numpy arrays.

    Raises FileFormatError for anything else, without running it.
    """
    file = as_path(path, "path")
    if file.exists() and not file.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    size = file.stat().st_size
    if size > _MOST_BYTES:
        raise FileFormatError(f"{path}: {size:,} bytes are too many for ground truth")
    data = file.read_bytes()
    try:
        _check_memo(data)
        value = _Restricted(data, _Budget(_MOST_COPIES * len(data))).load()
        if not isinstance(value, dict):
            raise FileFormatError(f"expected a dictionary, got {type(value).__name__}")
        plain: dict[str, Any] = _Plain(_Budget(_MOST_COPIES * len(data))).convert(value, 0)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle raises anything
        raise FileFormatError(f"{path}: not a readable pickle: {type(error).__name__}") from error
    return plain


def _check_memo(data: bytes) -> None:
    """A number in the file is where the unpickler keeps a value, and it makes room for as many."""
    for code, argument, _ in pickletools.genops(data):
        puts = code.name in ("PUT", "BINPUT", "LONG_BINPUT")
        if puts and not (isinstance(argument, int) and 0 <= argument <= len(data)):
            raise FileFormatError("refused: it asks for more memory than its size explains")
        # Whole numbers of any size can be chosen so that a dictionary of them takes for ever.
        if isinstance(argument, int) and not -(1 << 63) <= argument < 1 << 64:
            raise FileFormatError("refused: a number beyond 64 bits")


class _Plain:
    """Turns stand-ins and numpy's numbers into lists and Python's numbers, within a budget."""

    def __init__(self, budget: _Budget) -> None:
        self.budget = budget

    def convert(self, value: Any, depth: int) -> Any:
        """The value and all that it holds."""
        if isinstance(value, _Array):
            # Of shape (1000, 0) an array holds nothing, and its list 1000 empty lists.
            self.budget.spend(math.prod(itertools.takewhile(bool, value.values.shape)))
            self.budget.spend(value.values.nbytes if value.values.dtype.kind in "SU" else 1)
        else:
            self.budget.spend(len(value) + 1 if isinstance(value, (str, bytes)) else 1)
        if depth > _MOST_DEPTH:
            raise FileFormatError("nested too deeply")
        if isinstance(value, _Array):
            return _decoded(value.values.tolist())
        if isinstance(value, (list, tuple)):
            return [self.convert(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {self._key(key): self.convert(item, depth + 1) for key, item in value.items()}
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return _decoded(value)
        raise FileFormatError(f"holds a {type(value).__name__}")

    def _key(self, key: Any) -> str:
        if not isinstance(key, (str, bytes, int)):
            raise FileFormatError(f"holds a field named by a {type(key).__name__}")
        self.budget.spend(len(key) if isinstance(key, (str, bytes)) else 1)
        return str(key)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value.decode("latin1") if isinstance(value, bytes) else value
