"""The one gate for users' arrays, numbers and paths: one clear error naming argument, expectation, and what came."""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]

# What lists may hold for np.asarray to understand them without help.
_PLAIN = (int, float, complex, str, bytes, np.generic, np.ndarray, type(None))
# Kinds of memory that the processor reads, by DLPack's numbers (dlpack.h, DLDeviceType): its own, and CUDA's and
# ROCm's of the host. And the names of the others, for those who are told that theirs is not among them.
_READ_HERE = (1, 3, 11)
_DEVICES = {2: "CUDA", 7: "Vulkan", 8: "Metal", 10: "ROCm", 13: "managed CUDA", 14: "oneAPI"}
# Vectors of this length have squared distances and inner products that float32 holds with room to spare.
LONGEST = 4e18


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers at an address that is a multiple of 64: a cache line and a vector register long.

    Kernels read unaligned arrays as well, at up to half the speed.
    """
    if array.flags.c_contiguous and array.ctypes.data % 64 == 0:
        return array
    out = aligned_empty(array.nbytes).view(array.dtype).reshape(array.shape)
    out[...] = array
    return out


def owned(array: NDArray[Any], given: Any) -> NDArray[Any]:
    """The array that came of what was given, or a copy where it may be the caller's own: for what is kept."""
    return array.copy() if array is given or not array.flags.owndata else array


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers to look at: for what is shown of an object's own."""
    view = array.view()
    view.flags.writeable = False
    return view


def aligned_empty(size: int) -> NDArray[np.uint8]:
    """Bytes at an address that is a multiple of 64."""
    room = np.empty(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size]


def can_be(shape: Iterable[int]) -> bool:
    """Whether an array may have a shape that a file names: without numbers it costs nothing, and yet has bounds."""
    sides = tuple(shape)
    return (
        len(sides) <= 32
        and min(sides, default=0) >= 0
        and math.prod(s or 1 for s in sides) < 1 << 56
    )


def as_array(x: Any, name: str) -> NDArray[Any]:
    """Anything array-like as an ndarray of real numbers."""
    array = as_ndarray(x, name)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name}: expected real numbers, got dtype {array.dtype}")
    return array


def as_ndarray(x: Any, name: str) -> NDArray[Any]:
    """Anything array-like as an ndarray of any dtype.

    Arrays of other libraries are taken by DLPack or as arrays, without a copy where numpy has their dtype; numbers
    that it lacks (bfloat16 and shorter) are widened to float32. What lies on another device, or has gradients asked of
    it, is refused: to copy it, or to cut it off, is the caller's to say. Masked entries are refused as NaN is: what
    lies under a mask is no data.
    """
    try:
        array = np.asarray(_readable(x))
        # Types that packages such as ml_dtypes add to numpy are of no kind of its own, but know how to be widened.
        added = array.dtype.kind == "V" and np.can_cast(array.dtype, np.float32)
        return array.astype(np.float32) if added else array
    except MemoryError:
        raise
    except Exception as error:  # a stranger's array may raise anything
        raise ValueError(
            f"{name}: expected an array of numbers, got {type(x).__name__} ({error})"
        ) from error


def is_one(x: Any, name: str) -> bool:
    """Whether what was given is one vector (d,), not several (n, d)."""
    return as_ndarray(x, name).ndim == 1


def _readable(x: Any) -> Any:
    """The same in a form whose meaning ``np.asarray`` keeps."""
    if isinstance(x, np.ma.MaskedArray):
        if np.ma.is_masked(x):
            raise ValueError("some of its numbers are masked, which means missing")
        return x.data
    if isinstance(x, (list, tuple)):
        # Long lists of plain numbers are only passed through.
        plain = all(
            issubclass(kind, _PLAIN) and not issubclass(kind, np.ma.MaskedArray)
            for kind in set(map(type, x))
        )
        return x if plain else [_readable(item) for item in x]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return _of_torch(torch, x)
    if "sparse" in type(x).__module__ and hasattr(x, "toarray"):
        raise ValueError("it is sparse: give x.toarray()")
    if hasattr(x, "__dlpack__") and not isinstance(x, (np.ndarray, np.generic)):
        device = int(x.__dlpack_device__()[0])
        if device not in _READ_HERE:
            name = _DEVICES.get(device, f"number {device} of DLPack")
            raise ValueError(f"it lies on a device, {name}: copy it to the CPU")
        return x if hasattr(x, "__array__") else np.from_dlpack(x)
    return x


def _of_torch(torch: Any, x: Any) -> Any:
    if x.layout is not torch.strided:
        raise ValueError(f"it is sparse ({x.layout}): give x.to_dense()")
    if x.device.type != "cpu":
        raise ValueError(f"it lies on the device {x.device}: give x.cpu()")
    if x.requires_grad:
        raise ValueError("gradients are asked of it: give x.detach()")
    if x.is_floating_point() and x.dtype not in (torch.float64, torch.float32, torch.float16):
        x = x.float()
    # Views that are negated or conjugated only when read.
    return x.resolve_conj().resolve_neg().numpy()


def as_vectors(
    x: Any,
    name: str,
    *,
    dim: int | None = None,
    empty: bool = False,
    one: bool = False,
    long: bool = False,
) -> Vectors:
    """A C-contiguous float32 array (n, d) of finite numbers, no vector longer than `LONGEST`.

    dim : the dimension that is expected. empty : whether n = 0 is allowed.
    one : whether a single vector (d,) is accepted and becomes (1, d).
    long : whether vectors of any length are; nothing may then be squared in float32.
    """
    array = as_array(x, name)
    came = array.shape
    if one and array.ndim == 1:
        array = array[None, :]
    expected = "vectors (n, d)" if dim is None else f"vectors of dimension {dim}"
    if array.ndim != 2:
        raise ValueError(f"{name}: expected {expected}, got shape {came}")
    if dim is not None and array.shape[1] != dim:
        raise ValueError(f"{name}: expected {expected}, got shape {came}")
    if array.shape[1] == 0:
        raise ValueError(f"{name}: expected at least one dimension, got shape {came}")
    if array.shape[0] == 0 and not empty:
        raise ValueError(f"{name}: expected at least one vector, got shape {came}")
    if array.dtype == np.float32 and array.flags.c_contiguous:
        vectors: Vectors = array
    else:
        with np.errstate(over="ignore"):
            vectors = np.ascontiguousarray(array, dtype=np.float32)
    if _squares(vectors) <= LONGEST**2 / 2:  # of all together: almost always enough
        return vectors
    _refuse_infinite(vectors, f"{name}: expected finite float32 numbers, got NaN or infinity")
    if not long:
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        row = int(lengths.argmax())
        if lengths[row] > LONGEST:
            raise ValueError(
                f"{name}: expected vectors of a length up to {LONGEST:g}, whose squares float32 can hold, "
                f"got {lengths[row]:.3g} in row {row}"
            )
    return vectors


def as_answer(made: Vectors, name: str) -> Vectors:
    """What was computed from vectors (n, d) that passed this gate; ValueError where float32 could not hold it.

    name : the argument that it was computed from
    """
    if not math.isfinite(_squares(made)):
        _refuse_infinite(
            made, f"{name}: expected vectors whose answer float32 can hold, got numbers beyond it"
        )
    return made


def _squares(vectors: Vectors) -> float:
    """The sum of all squares: finite only if all numbers are. It may overflow, in silence: then look closer."""
    flat = vectors.reshape(-1)
    if flat.size <= 8192:
        return float(np.vdot(flat, flat))
    # BLAS would wake threads of its own for more, which go on spinning beside those that search.
    return float(np.einsum("i,i->", flat, flat))


def _refuse_infinite(vectors: Vectors, message: str) -> None:
    """ValueError that names the first row with NaN or infinity, if there is one."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"{message} in row {int(finite.argmin())}")


def as_ids(x: Any, name: str, *, n: int | None = None) -> Ids:
    """A C-contiguous int64 array (n,) of ids >= 0; ids beyond int64 or with fractions are refused."""
    array = as_ndarray(x, name)
    array = as_array(array, name) if array.size else np.empty(0, np.int64)
    if array.ndim != 1:
        raise ValueError(f"{name}: expected ids (n,), got shape {array.shape}")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and (array == np.floor(array)).all()):
            raise ValueError(f"{name}: expected whole numbers, got dtype {array.dtype}")
    elif array.dtype.kind == "b":
        raise ValueError(f"{name}: expected whole numbers, got dtype bool")
    if array.size:
        least, most = int(array.min()), int(array.max())  # as Python's integers: compared exactly
        if least < 0 or most >= 2**63:
            bad = least if least < 0 else most
            raise ValueError(f"{name}: expected ids from 0 to 2**63 - 1, got {bad}")
    if n is not None and len(array) != n:
        raise ValueError(f"{name}: expected {n} ids, one for each vector, got {len(array)}")
    return np.ascontiguousarray(array, dtype=np.int64)


def as_count(x: Any, name: str, *, least: int = 1, most: int | None = None) -> int:
    """A whole number in [least, most]."""
    try:
        if isinstance(x, (bool, np.bool_)):
            raise TypeError
        value = operator.index(x)
    except TypeError:
        raise ValueError(f"{name}: expected a whole number, got {x!r}") from None
    if value < least or (most is not None and value > most):
        bound = f"at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name}: expected a whole number {bound}, got {x!r}")
    return value


def as_threads(x: Any, name: str = "threads") -> int:
    """How many threads a call may use; 0 for the library's setting."""
    return as_count(x, name, least=0, most=1024)


def as_number(
    x: Any, name: str, *, least: float = -np.inf, most: float = np.inf, open: bool = False
) -> float:
    """A finite number in [least, most], or in (least, most) where open."""
    try:
        if isinstance(x, (str, bytes)) or (isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x)):
            raise TypeError
        value = float(x)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: expected a number, got {x!r}") from None
    inside = least < value < most if open else least <= value <= most
    if not (math.isfinite(value) and inside):
        brackets = "()" if open else "[]"
        raise ValueError(
            f"{name}: expected a number in {brackets[0]}{least:g}, {most:g}{brackets[1]}, got {x!r}"
        )
    return value


def as_flag(x: Any, name: str) -> bool:
    """True or False; 1 and 0 will do."""
    if isinstance(x, (bool, np.bool_)) or (isinstance(x, (int, np.integer)) and x in (0, 1)):
        return bool(x)
    raise ValueError(f"{name}: expected True or False, got {x!r}")


def as_text(x: Any, name: str) -> str:
    """A text."""
    if isinstance(x, str):
        return str(x)
    raise ValueError(f"{name}: expected a text, got {x!r}")


def as_path(x: Any, name: str) -> Path:
    """A file's name: text, bytes, or whatever has one."""
    try:
        return Path(os.fsdecode(x))
    except TypeError:
        raise ValueError(f"{name}: expected a path, got {type(x).__name__}") from None


def as_choice(x: Any, name: str, choices: Iterable[str]) -> str:
    """One of some names, as a plain text."""
    known = list(choices)
    if not isinstance(x, str) or x not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {x!r}")
    return known[known.index(x)]
