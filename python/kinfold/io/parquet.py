"""Vectors and ids in Parquet files, as other stores of vectors import and export them, and in Arrow's arrays.

A layout is the names and types of the columns that a store asks for:

- "milvus": ``id`` INT64 and ``vector``, lists of one length. The names are those of a collection that Milvus sets up
  by itself (milvus.io/docs/create-collection-instantly.md); columns are matched to fields by name
  (milvus.io/docs/prepare-source-data.md), and lists of fixed size are imported since 2.6 (milvus-io/milvus,
  pull request 49870).
- "pinecone": ``id`` STRING and ``values`` LIST<FLOAT> (docs.pinecone.io/guides/index-data/import-data).

Files are read and written in row groups, so that memory is bounded by a group, not by the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinfold.base.arrays import Ids, Vectors, as_choice, as_count, as_ids, as_path, as_vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.io.atomic import replace_file

# Of each layout: the columns of ids and of vectors.
LAYOUTS = {"milvus": ("id", "vector"), "pinecone": ("id", "values")}
_GROUP = 1 << 24  # bytes of vectors that are held at once


class Rows(NamedTuple):
    """vectors float32 (n, d); ids int64 (n,), or None where the file has none."""

    vectors: Vectors
    ids: Ids | None


class ParquetVectors:
    """The vectors of a Parquet file, which is read in pieces.

    vectors : the column of vectors; None for the only one that holds lists of numbers
    ids : the column of ids, whole numbers or texts of such; None for ``id`` where there is one; "" for none
    Has ``dim``, ``columns`` (of vectors and of ids) and a length. Raises FileFormatError for a file that is no Parquet,
    and for columns that are not there. That is a guard against accidents: read files from a source that you trust.

    Examples
    --------
    >>> import tempfile, os
    >>> from kinfold.io.parquet import ParquetVectors, write_parquet
    >>> path = os.path.join(tempfile.mkdtemp(), "x.parquet")
    >>> write_parquet(path, [([[1, 2], [3, 4]], [7, 9])])
    2
    >>> [rows.ids.tolist() for rows in ParquetVectors(path).pieces(1)]
    [[7], [9]]
    """

    def __init__(
        self, path: str | os.PathLike[str], *, vectors: str | None = None, ids: str | None = None
    ) -> None:
        self.path = as_path(path, "path")
        if not self.path.is_file():
            raise FileNotFoundError(f"{path}: there is no such file")
        with self._open() as file:
            schema = file.schema_arrow
            self._n: int = file.metadata.num_rows
            self.columns = _columns(schema, vectors, ids)

    def __len__(self) -> int:
        return self._n

    @property
    def dim(self) -> int:
        """The dimension of the vectors, by the first of them."""
        with self._open() as file:
            column = self.columns[0]
            first = next(file.iter_batches(1, columns=[column]), None)
            if first is None or not len(first):
                raise FileFormatError("expected at least one vector")
            return int(from_arrow(first.column(0), column).shape[1])

    def pieces(self, rows: int | None = None) -> Iterator[Rows]:
        """All rows in order, at most so many at a time; some 16 MB if None."""
        dim = self.dim
        most = max(1, _GROUP // (4 * dim)) if rows is None else as_count(rows, "rows")
        with self._open() as file:
            column, ids = self.columns
            names = [column] if ids is None else [column, ids]
            for batch in file.iter_batches(most, columns=names, use_threads=False):
                if not batch.num_rows:
                    continue
                found = from_arrow(batch.column(column), column)
                if found.shape[1] != dim:
                    raise FileFormatError(f"column {column}: expected lists of one length")
                yield Rows(found, None if ids is None else _ids_of(batch.column(ids), ids))

    def read(self) -> Rows:
        """All rows at once."""
        pieces = list(self.pieces())
        ids = [rows.ids for rows in pieces if rows.ids is not None]
        vectors = np.concatenate([rows.vectors for rows in pieces])
        return Rows(vectors, np.concatenate(ids) if ids else None)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        pq = require("pyarrow.parquet")
        arrow = require("pyarrow")
        try:
            # A group's column is read as it is decoded: else the whole of it would be fetched first.
            with pq.ParquetFile(self.path, pre_buffer=False, buffer_size=1 << 20) as file:
                yield file
        except FileFormatError as error:
            raise FileFormatError(f"{self.path}: {error}") from None
        except (arrow.ArrowException, OSError) as error:
            reason = " ".join(str(error).split())
            raise FileFormatError(f"{self.path}: not a sound Parquet file: {reason}") from None


def write_parquet(
    path: str | os.PathLike[str],
    pieces: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    layout: str = "milvus",
) -> int:
    """Write vectors (n, d) with their ids (n,), piece by piece, atomically; returns how many rows.

    pieces : pairs of vectors and ids; each piece becomes a row group, or several
    layout : whose column names and types, one of LAYOUTS
    Raises ValueError for no vectors, and for pieces of several dimensions.
    """
    arrow, pq = require("pyarrow"), require("pyarrow.parquet")
    id_name, name = LAYOUTS[as_choice(layout, "layout", LAYOUTS)]
    texts, rows, dim, writer = layout == "pinecone", 0, None, None
    with replace_file(path) as file:
        try:
            for given, given_ids in pieces:
                vectors = as_vectors(given, "vectors", dim=dim, empty=True, long=True)
                ids = as_ids(given_ids, "ids", n=len(vectors))
                column = to_arrow(vectors)
                if texts:
                    column = column.cast(arrow.list_(arrow.float32()))
                    keys = arrow.array([str(id) for id in ids.tolist()], arrow.string())
                else:
                    keys = arrow.array(ids)
                table = arrow.table({id_name: keys, name: column})
                if writer is None:
                    dim = vectors.shape[1]
                    # Numbers of descriptors hardly repeat: a dictionary of them would only cost.
                    writer = pq.ParquetWriter(file, table.schema, use_dictionary=False)
                writer.write_table(table, row_group_size=max(1, _GROUP // (4 * vectors.shape[1])))
                rows += len(vectors)
            if not rows:
                raise ValueError("pieces: expected at least one vector")
        finally:
            if writer is not None:
                writer.close()
    return rows


def to_arrow(vectors: ArrayLike) -> Any:
    """Vectors (n, d) as pyarrow's FixedSizeListArray of float32, without a copy of what is float32 already."""
    arrow = require("pyarrow")
    array = as_vectors(vectors, "vectors", empty=True, long=True)
    return arrow.FixedSizeListArray.from_arrays(arrow.array(array.reshape(-1)), array.shape[1])


def from_arrow(array: Any, name: str = "array") -> Vectors:
    """Vectors float32 (n, d) of Arrow's lists of numbers, chunked or not: views where they are float32 of fixed size.

    Raises FileFormatError, which names the column, for missing numbers and for lists of several lengths.
    """
    arrow = require("pyarrow")
    if isinstance(array, arrow.ChunkedArray):
        array = array.combine_chunks()
    if not _is_vector(arrow, array.type):
        raise FileFormatError(f"column {name}: expected lists of numbers, got {array.type}")
    if array.null_count:
        raise FileFormatError(f"column {name}: expected a vector in every row, got null")
    values, n = array.flatten(), len(array)
    if values.null_count:
        raise FileFormatError(f"column {name}: expected numbers, got null")
    if arrow.types.is_fixed_size_list(array.type):
        dim = array.type.list_size
    else:
        dim = len(values) // n if n else 1
        lengths = np.diff(array.offsets.to_numpy())
        if (lengths != dim).any():
            raise FileFormatError(f"column {name}: expected lists of one length")
    if not dim:
        raise FileFormatError(f"column {name}: expected at least one number in a vector, got none")
    numbers: NDArray[Any] = values.to_numpy(zero_copy_only=not arrow.types.is_boolean(values.type))
    return numbers.reshape(n, dim).astype(np.float32, copy=False)


def _columns(schema: Any, vectors: str | None, ids: str | None) -> tuple[str, str | None]:
    """The columns of vectors and of ids, checked."""
    arrow = require("pyarrow")
    lists = [field.name for field in schema if _is_vector(arrow, field.type)]
    for name in (vectors, ids):
        if name and name not in schema.names:
            raise FileFormatError(f"has no column {name}, only {', '.join(schema.names)}")
    if vectors is None:
        if len(lists) != 1:
            what = f"several: {', '.join(lists)}; name one" if lists else "none"
            raise FileFormatError(f"expected one column of lists of numbers, got {what}")
        vectors = lists[0]
    if ids is None:
        ids = "id" if "id" in schema.names and vectors != "id" else ""
    return vectors, ids or None


def _is_vector(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    listed = types.is_list(kind) or types.is_fixed_size_list(kind) or types.is_large_list(kind)
    return listed and (types.is_floating(kind.value_type) or types.is_integer(kind.value_type))


def _ids_of(column: Any, name: str) -> Ids:
    """Whole numbers, or texts of such."""
    arrow = require("pyarrow")
    try:
        if not arrow.types.is_integer(column.type):
            column = column.cast(arrow.int64())
        if column.null_count:
            raise ValueError("got null")
        return as_ids(column.to_numpy(zero_copy_only=False), name)
    except (arrow.ArrowException, ValueError) as error:
        reason = " ".join(str(error).split())
        raise FileFormatError(f"column {name}: expected whole numbers as ids ({reason})") from None
