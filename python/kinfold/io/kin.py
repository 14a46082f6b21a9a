"""The `.kin` file: a safetensors file with aligned tensors, checksums and a header that says what it is.

docs/format.md describes it byte by byte. Everything that Kinfold saves goes through this reader and writer.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import aligned_empty, as_path, can_be
from kinfold.base.errors import FileFormatError
from kinfold.base.registry import class_of
from kinfold.base.state import JSON, Arrays, Stateful, plain, restored
from kinfold.io.atomic import replace_file

T = TypeVar("T")

FORMAT = 1
ALIGNMENT = 64
# Parameters are small; what is parsed as JSON takes a hundred times its size in time and memory.
MOST_HEADER = 8_000_000
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1",
}  # fmt: skip
_NAMES = {np.dtype(text): name for name, text in _DTYPES.items()}
_FIELDS = {"kind", "format", "reader", "library", "params", "checksums", "digest"}
_NO_DIGEST = "0" * 64


@dataclass(frozen=True)
class Header:
    """What a file says of itself."""

    kind: str
    params: dict[str, JSON]
    library: str
    tensors: dict[
        str, tuple[str, tuple[int, ...], int, int]
    ]  # dtype, shape, start, stop (bytes of the file)
    checksums: dict[str, int]
    fills: list[tuple[int, int]]  # start, stop of what only fills up, all zeros


def save(obj: Stateful, path: str | os.PathLike[str]) -> None:
    """Save whatever has a kind, parameters and arrays; ``load`` brings it back.

    Raises ValueError for what has none of these.
    """
    if isinstance(obj, type) or not isinstance(obj, Stateful):
        raise ValueError(f"obj: expected something that can be saved, got {type(obj).__name__}")
    header, chunks = _encoded(obj.kind, obj.params(), obj.arrays())
    if len(header) > MOST_HEADER:
        raise ValueError(
            f"obj: its parameters take {len(header):,} bytes, more than the {MOST_HEADER:,} that are read again"
        )
    _store(path, header, chunks)


@overload
def load(
    path: str | os.PathLike[str], kind: None = None, *, mmap: bool = False, verify: bool = True
) -> Any: ...
@overload
def load(
    path: str | os.PathLike[str], kind: type[T], *, mmap: bool = False, verify: bool = True
) -> T: ...
def load(
    path: str | os.PathLike[str],
    kind: type[Any] | None = None,
    *,
    mmap: bool = False,
    verify: bool = True,
) -> Any:
    """What was saved.

    kind : the class that is expected, such as FlatIndex; any where None
    mmap : map the arrays instead of reading them; then only the header's digest is checked, and
        ``kinfold.io.kin.verify`` checks the rest. A mapped file must not be changed in place.
    verify : check every array's checksum (without mmap)
    Raises FileFormatError for a file that is truncated, corrupt, foreign or newer; FileNotFoundError.
    """
    saved, params, arrays = read(path, mmap=mmap, verify=verify)
    try:
        cls = class_of(saved) if kind is None else kind
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None
    return restore(cls, path, saved, params, arrays)


def restore(
    cls: Any,
    path: str | os.PathLike[str],
    kind: str,
    params: Mapping[str, JSON],
    arrays: Mapping[str, NDArray[Any]],
) -> Any:
    """An object of a class from what was read; whatever the class refuses becomes FileFormatError."""
    if kind != cls.kind:
        raise FileFormatError(f"{path}: expected a {cls.kind}, got {kind}")
    try:
        return restored(cls, params, arrays)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error.__cause__


def write(
    path: str | os.PathLike[str],
    kind: str,
    params: Mapping[str, JSON],
    arrays: Mapping[str, NDArray[Any]],
    *,
    follow: bool = True,
) -> None:
    """Write parameters and arrays as a file of that kind, atomically; ``follow`` as in ``replace_file``."""
    _store(path, *_encoded(kind, params, arrays), follow=follow)


def _store(
    path: str | os.PathLike[str], header: bytes, chunks: list[NDArray[Any]], *, follow: bool = True
) -> None:
    size = 8 + len(header) + sum(chunk.nbytes for chunk in chunks)
    with replace_file(path, size=size, follow=follow) as file:
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        for chunk in chunks:
            file.write(_bytes(chunk))


def _encoded(
    kind: str, params: Mapping[str, JSON], arrays: Mapping[str, NDArray[Any]]
) -> tuple[bytes, list[NDArray[Any]]]:
    """The header, and what follows it."""
    from kinfold import __version__

    table: dict[str, Any] = {}
    checksums: dict[str, int] = {}
    chunks: list[NDArray[Any]] = []
    at = 0
    for name, given in arrays.items():
        if name.startswith("_") or name == "":
            raise ValueError(f"arrays: the name {name!r} is reserved")
        array = np.ascontiguousarray(given)
        if array.dtype.newbyteorder("<") not in _NAMES:
            raise ValueError(f"arrays: '{name}' has dtype {array.dtype}, which the format lacks")
        array = array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(np.shape(given))
        table[name] = {
            "dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes],
        }  # fmt: skip
        checksums[name] = zlib.crc32(_bytes(array))
        chunks.append(array)
        at += array.nbytes
        if fill := -at % ALIGNMENT:
            # The format forbids holes, so what fills up is a tensor too.
            table[f"_pad.{len(chunks)}"] = {
                "dtype": "U8",
                "shape": [fill],
                "data_offsets": [at, at + fill],
            }
            chunks.append(np.zeros(fill, np.uint8))
            at += fill
    fields = {
        "kind": kind, "format": FORMAT, "reader": FORMAT, "library": __version__, "params": dict(params),
        "checksums": checksums, "digest": _NO_DIGEST,
    }  # fmt: skip
    blank = _encode(fields, table)
    fields["digest"] = hashlib.sha256(blank).hexdigest()
    return _encode(fields, table), chunks


def read(
    path: str | os.PathLike[str], *, mmap: bool = False, verify: bool = True
) -> tuple[str, dict[str, JSON], Arrays]:
    """Kind, parameters and arrays of a file."""
    # One open file for header and arrays: where a save replaces it meanwhile, all is of the old one.
    with _open(path) as (stream, size):
        head = _header(path, stream, size)
        stream.seek(0)
        raw: NDArray[np.uint8]
        if mmap:
            raw = np.memmap(stream, np.uint8, "r")
            got = len(raw)
        else:
            raw = aligned_empty(size)
            got = stream.readinto(raw.data)  # type: ignore[attr-defined]
    if got != size:
        raise FileFormatError(f"{path}: the file changed while it was read")
    if not mmap and verify and any(raw[start:stop].any() for start, stop in head.fills):
        raise FileFormatError(f"{path}: damaged: what only fills up is not zero")
    arrays = {}
    for name, (dtype, shape, start, stop) in head.tensors.items():
        part = raw[start:stop]
        if not mmap and verify and zlib.crc32(part.data) != head.checksums[name]:
            raise FileFormatError(f"{path}: array '{name}' is damaged: its checksum is wrong")
        if part.ctypes.data % np.dtype(dtype).itemsize:
            part = part.copy()
        arrays[name] = part.view(dtype).reshape(shape)
    return head.kind, head.params, arrays


def verify(path: str | os.PathLike[str]) -> None:
    """Check everything in a file: header and every array. FileFormatError names what is damaged."""
    read(path, mmap=False, verify=True)


def header(path: str | os.PathLike[str]) -> Header:
    """The header alone, checked: nothing is allocated from a number that the file merely claims."""
    with _open(path) as (stream, size):
        return _header(path, stream, size)


@contextmanager
def _open(path: str | os.PathLike[str]) -> Iterator[tuple[BinaryIO, int]]:
    """A regular file, open, and its size."""
    file = as_path(path, "path")
    if file.is_dir():
        raise FileFormatError(f"{path}: is a folder, not a .kin file")
    if not file.exists():
        raise FileNotFoundError(f"{path}: no such file")
    if not file.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    with file.open("rb") as stream:
        yield stream, os.fstat(stream.fileno()).st_size


def _header(path: str | os.PathLike[str], stream: BinaryIO, size: int) -> Header:
    if size < 8:
        raise FileFormatError(f"{path}: not a .kin file: only {size} bytes")
    length = int.from_bytes(stream.read(8), "little")
    if length > min(size - 8, MOST_HEADER):
        raise FileFormatError(f"{path}: not a .kin file, or truncated")
    try:
        return _parse(stream.read(length), size)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _encode(fields: dict[str, Any], table: dict[str, Any]) -> bytes:
    own = json.dumps(fields, sort_keys=True, allow_nan=False, default=plain)
    text = json.dumps({"__metadata__": {"kinfold": own}, **table}).encode("ascii")
    return text + b" " * (-(8 + len(text)) % ALIGNMENT)


def _bytes(array: NDArray[Any]) -> Any:
    return array.reshape(-1).view(np.uint8).data if array.size else b""


def _parse(text: bytes, size: int) -> Header:
    table = _json(text)
    metadata = table.pop("__metadata__", None)
    if not isinstance(metadata, dict) or set(metadata) != {"kinfold"}:
        raise FileFormatError("not a .kin file: its header is not Kinfold's")
    own = metadata["kinfold"]
    if not isinstance(own, str):
        raise FileFormatError("not a .kin file: its header is not Kinfold's")
    fields = _json(own.encode("utf-8", "surrogatepass"))
    needed = fields.get("reader")
    if isinstance(needed, int) and not isinstance(needed, bool) and needed > FORMAT:
        raise FileFormatError(
            f"written in format {fields.get('format')!r} by kinfold {fields.get('library')!r}: "
            f"this version reads formats up to {FORMAT}; upgrade kinfold"
        )
    if set(fields) != _FIELDS:
        raise FileFormatError("the header's fields are not those of this format")
    digest = fields["digest"]
    if not isinstance(digest, str) or len(digest) != 64:
        raise FileFormatError("the header is damaged: no digest")
    blank = text.replace(digest.encode("utf-8", "replace"), _NO_DIGEST.encode(), 1)
    if hashlib.sha256(blank).hexdigest() != digest:
        raise FileFormatError("the header is damaged: its digest is wrong")
    kind, params, library, sums = (fields[f] for f in ("kind", "params", "library", "checksums"))
    sound = isinstance(kind, str) and isinstance(params, dict) and isinstance(library, str)
    # A later format may be one that this version still reads: the least reader decides, above.
    versions = [fields["reader"], fields["format"]]
    sound = sound and _whole(versions) and 1 <= versions[0] <= versions[1]
    if not (sound and isinstance(sums, dict)):
        raise FileFormatError("the header's fields have wrong types")
    tensors, fills = _tensors(table, 8 + len(text), size)
    if set(sums) != set(tensors) or not all(type(s) is int for s in sums.values()):
        raise FileFormatError("the checksums are not those of the arrays")
    return Header(kind, params, library, tensors, sums, fills)


def _tensors(
    table: dict[str, Any], begin: int, size: int
) -> tuple[dict[str, tuple[str, tuple[int, ...], int, int]], list[tuple[int, int]]]:
    """Every entry makes sense, and together they cover the file without hole or overlap."""
    spans = []
    for name, entry in table.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise FileFormatError(f"array '{name}': its entry is malformed")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not (isinstance(dtype, str) and dtype in _DTYPES and _whole(shape) and _whole(offsets)):
            raise FileFormatError(f"array '{name}': its entry is malformed")
        if len(offsets) != 2 or len(shape) > 8 or offsets[0] > offsets[1]:
            raise FileFormatError(f"array '{name}': its entry is malformed")
        if (
            not can_be(shape)
            or math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize != offsets[1] - offsets[0]
        ):
            raise FileFormatError(f"array '{name}': shape and size disagree")
        spans.append((offsets[0], offsets[1], name, dtype, tuple(shape)))
    at, tensors, fills = 0, {}, []
    for start, stop, name, dtype, shape in sorted(spans):
        if start != at:
            raise FileFormatError(f"array '{name}': leaves a hole or overlaps another")
        at = stop
        if name.startswith("_pad."):
            fills.append((begin + start, begin + stop))
        else:
            tensors[name] = (_DTYPES[dtype], shape, begin + start, begin + stop)
    if begin + at != size:
        raise FileFormatError(f"truncated or extended: {size} bytes, expected {begin + at}")
    return tensors, fills


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 1 << 62 for v in values)


def _json(text: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise FileFormatError("the header is damaged: a name occurs twice")
        return entries

    def refuse(name: str) -> NoReturn:
        raise FileFormatError(f"the header is damaged: {name} is no JSON")

    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"not a .kin file: {error}") from None
    if not isinstance(value, dict):
        raise FileFormatError("not a .kin file: its header is no dictionary")
    return value
