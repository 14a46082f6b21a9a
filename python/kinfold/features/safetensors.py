"""A strict reader of safetensors files, and a writer: shapes and offsets are checked before anything is read."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import can_be
from kinfold.base.errors import FileFormatError
from kinfold.io.atomic import replace_file

# bfloat16, which numpy lacks, is widened: its bits are the upper half of a float32.
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "<i1", "U8": "<u1", "BOOL": "<u1",
}  # fmt: skip
_MOST_HEADER = 100_000_000


def read_safetensors(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The tensors of a safetensors file by name, and its metadata. FileFormatError for what is no such file."""
    file = Path(path)
    size = file.stat().st_size
    if size < 8:
        raise FileFormatError(f"{file.name}: not a safetensors file, only {size} bytes")
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(size - 8, _MOST_HEADER):
            raise FileFormatError(
                f"{file.name}: not a safetensors file, or truncated: a header of {length:,} bytes in {size:,}"
            )
        header = _parse(stream.read(length), file.name)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FileFormatError(f"{file.name}: metadata is not a dictionary of texts")
    data = size - 8 - length
    spans = {name: _span(entry, name, file.name) for name, entry in header.items()}
    end = 0
    for name, (start, stop, _, _) in sorted(spans.items(), key=lambda item: item[1][:2]):
        if start != end:
            raise FileFormatError(f"{file.name}: tensor '{name}' leaves a hole or overlaps another")
        end = stop
    if end != data:
        raise FileFormatError(f"{file.name}: {data:,} bytes of tensors, but {end:,} described")
    raw = np.memmap(file, np.uint8, "r", offset=8 + length) if data else np.empty(0, np.uint8)
    tensors = {}
    for name, (start, stop, dtype, shape) in spans.items():
        array = np.array(raw[start:stop]).view(_DTYPES[dtype]).reshape(shape)
        if dtype == "BF16":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = array != 0 if dtype == "BOOL" else array
    return tensors, metadata


def write_safetensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors by name, and texts, as a safetensors file: whole or not at all.

    Raises ValueError for a dtype that the format lacks.
    """
    names = {np.dtype(text): name for name, text in _DTYPES.items() if name not in ("BF16", "BOOL")}
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    chunks, at = [], 0
    for name, tensor in tensors.items():
        array = np.asarray(tensor)
        kind = array.dtype.newbyteorder("<")
        if kind not in names:
            raise ValueError(f"tensors: '{name}' has dtype {array.dtype}, which the format lacks")
        data = np.ascontiguousarray(array, dtype=kind).tobytes()
        header[name] = {
            "dtype": names[kind], "shape": list(array.shape), "data_offsets": [at, at + len(data)],
        }  # fmt: skip
        chunks.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with replace_file(path, size=8 + len(text) + at) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for data in chunks:
            file.write(data)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a safetensors file tells about its tensors, which stay unread; {} for what is no such file."""
    file = Path(path)
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(file.stat().st_size - 8, _MOST_HEADER):
            return {}
        text = stream.read(length)
    try:
        metadata = _parse(text, file.name).get("__metadata__", {})
    except FileFormatError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _parse(text: bytes, file: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            raise ValueError("a name occurs twice")
        return entries

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{file}: not a safetensors file: {error}") from error
    if not isinstance(header, dict):
        raise FileFormatError(f"{file}: not a safetensors file: the header is no dictionary")
    return header


def _span(entry: Any, name: str, file: str) -> tuple[int, int, str, tuple[int, ...]]:
    """Start, stop, dtype and shape of a tensor whose description makes sense."""

    def whole(values: Any) -> bool:
        return isinstance(values, list) and all(type(v) is int and v >= 0 for v in values)

    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"{file}: tensor '{name}' lacks dtype, shape or data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise FileFormatError(f"{file}: tensor '{name}' has the unknown dtype {dtype!r}")
    if not whole(shape) or not can_be(shape) or not whole(offsets) or len(offsets) != 2:
        raise FileFormatError(f"{file}: tensor '{name}' has no valid shape or data_offsets")
    start, stop = offsets
    if stop - start != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
        raise FileFormatError(f"{file}: tensor '{name}' has other bytes than its shape needs")
    return start, stop, dtype, tuple(shape)
