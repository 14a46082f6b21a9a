"""Vectors in Parquet and Arrow: read back as written, in the stores' layouts, without copies, in bounded memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from kinfold.base.errors import FileFormatError
from kinfold.io.parquet import LAYOUTS, ParquetVectors, from_arrow, to_arrow, write_parquet
from kinfold.io.vectors import read_vectors


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_come_back_in_order_and_in_pieces(layout: str, tmp_path: Path, rng) -> None:
    x, ids = rng.standard_normal((700, 12)).astype(np.float32), rng.permutation(9000)[:700]
    path = tmp_path / "x.parquet"
    spans = [slice(0, 300), slice(300, 300), slice(300, 700)]
    assert write_parquet(path, ((x[s], ids[s]) for s in spans), layout=layout) == 700
    file = ParquetVectors(path)
    assert len(file) == 700 and file.columns == LAYOUTS[layout][::-1]
    whole = file.read()
    np.testing.assert_array_equal(whole.vectors, x)
    np.testing.assert_array_equal(whole.ids, ids)
    np.testing.assert_array_equal(read_vectors(path), x)
    pieces = list(file.pieces(64))
    assert max(len(rows.vectors) for rows in pieces) <= 64
    np.testing.assert_array_equal(np.concatenate([rows.ids for rows in pieces]), ids)


def test_columns_are_those_that_the_stores_import(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    write_parquet(path, [(np.eye(3), [5, 6, 7])])
    schema = pq.read_schema(path)
    assert schema.names == ["id", "vector"] and schema.field("id").type == pa.int64()
    assert schema.field("vector").type == pa.list_(pa.float32(), 3)
    write_parquet(path, [(np.eye(3), [5, 6, 7])], layout="pinecone")
    table = pq.read_table(path)
    assert table.schema.field("id").type == pa.string()
    assert table.schema.field("values").type == pa.list_(pa.float32())
    assert table.to_pydict() == {"id": ["5", "6", "7"], "values": np.eye(3).tolist()}


def test_lists_of_fixed_size_are_not_copied(rng) -> None:
    x = rng.standard_normal((50, 8)).astype(np.float32)
    array = to_arrow(x)
    assert np.shares_memory(from_arrow(array), x)
    part = from_arrow(array.slice(7, 20))
    assert np.shares_memory(part, x)
    np.testing.assert_array_equal(part, x[7:27])
    np.testing.assert_array_equal(from_arrow(pa.chunked_array([array, array])), np.vstack([x, x]))


@pytest.mark.parametrize("kind", [pa.float64(), pa.float16(), pa.int8(), pa.uint8()])
@pytest.mark.parametrize("size", [None, 3])
def test_lists_of_any_numbers(kind, size, tmp_path: Path) -> None:
    numbers = np.arange(12).reshape(4, 3)
    column = pa.array(numbers.tolist(), pa.list_(pa.int64()))
    wanted = pa.list_(kind) if size is None else pa.list_(kind, size)
    if kind == pa.float16():
        flat = pa.array(numbers.reshape(-1).astype(np.float16))
        offsets = pa.array([0, 3, 6, 9, 12], pa.int32())
        column = pa.ListArray.from_arrays(offsets, flat)
        column = column if size is None else pa.FixedSizeListArray.from_arrays(flat, 3)
    else:
        column = column.cast(wanted)
    pq.write_table(pa.table({"name": list("abcd"), "embedding": column}), tmp_path / "x.parquet")
    rows = ParquetVectors(tmp_path / "x.parquet").read()
    assert rows.ids is None and rows.vectors.dtype == np.float32
    np.testing.assert_array_equal(rows.vectors, numbers)
    np.testing.assert_array_equal(from_arrow(column.slice(1, 2)), numbers[1:3])


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": [1, 2]}, "one column of lists of numbers, got none"),
        ({"a": [[1.0]], "b": [[2.0]]}, "several: a, b; name one"),
        ({"a": [[1.0], None]}, "column a: expected a vector in every row, got null"),
        ({"a": [[1.0], [None]]}, "column a: expected numbers, got null"),
        ({"a": [[1.0], [1.0, 2.0]]}, "column a: expected lists of one length"),
        ({"a": [[1.0, 2.0, 3.0], [1.0]]}, "column a: expected lists of one length"),
        ({"id": ["x"], "a": [[1.0]]}, "column id: expected whole numbers as ids"),
        ({"id": [-1], "a": [[1.0]]}, "column id: expected whole numbers as ids"),
        ({"id": [None, 1], "a": [[1.0], [2.0]]}, "column id: expected whole numbers as ids"),
    ],
)
def test_what_is_no_table_of_vectors_is_refused(columns, words, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(FileFormatError, match=words) as error:
        ParquetVectors(path).read()
    assert str(path) in str(error.value)


def test_columns_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": [[1.0]], "b": [[2.0]], "id": ["x"], "key": ["7"]}), path)
    rows = ParquetVectors(path, vectors="b", ids="key").read()
    assert rows.vectors.tolist() == [[2.0]] and rows.ids.tolist() == [7]
    assert ParquetVectors(path, vectors="a", ids="").read().ids is None
    with pytest.raises(FileFormatError, match="has no column c, only a, b, id, key"):
        ParquetVectors(path, vectors="c")


def test_damaged_files_say_so(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        ParquetVectors(path)
    path.write_bytes(b"PAR1 nothing of the kind PAR1")
    with pytest.raises(FileFormatError, match=r"x\.parquet: not a sound Parquet file"):
        ParquetVectors(path)
    write_parquet(path, [(np.ones((400, 8)), np.arange(400))])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileFormatError, match="not a sound Parquet file"):
        ParquetVectors(path)


def test_what_fails_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(ValueError, match="pieces: expected at least one vector"):
        write_parquet(path, [])
    with pytest.raises(ValueError, match="vectors: expected vectors of dimension 3"):
        write_parquet(path, [(np.eye(3), range(3)), (np.eye(2), range(2))])
    assert list(tmp_path.iterdir()) == []


_STREAM = """
import resource, sys
import numpy as np
from kinfold.io.parquet import ParquetVectors, write_parquet

def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, large = sys.argv[1:]
def pieces(count):
    x = np.random.default_rng(0).standard_normal((16_384, 256)).astype(np.float32)
    return ((x, np.arange(i * len(x), (i + 1) * len(x))) for i in range(count))
write_parquet(path, pieces(1))
sum(len(rows.vectors) for rows in ParquetVectors(path).pieces())
before = most()
write_parquet(large, pieces(12))
written = most()
assert sum(len(rows.vectors) for rows in ParquetVectors(large).pieces()) == 12 * 16_384
print(written - before, most() - before)
"""


def test_memory_is_bounded_by_a_row_group(tmp_path: Path) -> None:
    """200 MB are written and read: what is held at most grows by less than half of that over what 17 MB need."""
    done = subprocess.run(
        [sys.executable, "-c", _STREAM, tmp_path / "one.parquet", tmp_path / "many.parquet"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert max(map(float, done.stdout.split())) < 90, done.stdout


def test_the_example_runs() -> None:
    import doctest

    import kinfold.io.parquet as module

    assert doctest.testmod(module) == (0, 5)
