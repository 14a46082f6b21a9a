"""The file format: what goes in comes out, aligned, mapped, readable by others, and by kind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import FACTORIES, same, use

import kinfold as kf
from kinfold.base.registry import kinds
from kinfold.io import kin

DTYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"]


def test_every_kind_has_a_tiny_instance() -> None:
    assert set(FACTORIES) == set(kinds()), (
        "a kind that can be saved lacks its tests: tests/io/tiny.py"
    )


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("kind", FACTORIES)
def test_save_and_load_every_kind(kind: str, mmap: bool, tmp_path: Path) -> None:
    if kind.startswith("gallery"):
        pytest.importorskip("cv2")
    if kind.startswith(("features", "learn")):
        pytest.importorskip("torch")
    thing = FACTORIES[kind]()
    kf.save(thing, tmp_path / "a.kin")
    again = kf.load(tmp_path / "a.kin", mmap=mmap)
    assert type(again) is type(thing) and again.kind == kind
    assert again.params() == thing.params()
    assert same(use(kind, again), use(kind, thing))
    kf.save(again, tmp_path / "b.kin")
    assert (tmp_path / "a.kin").read_bytes() == (tmp_path / "b.kin").read_bytes()


def as_numpy(value: Any) -> Any:
    """The same with numpy's numbers, as they come out of a sweep."""
    if isinstance(value, dict):
        return {key: as_numpy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(as_numpy(item) for item in value)
    made = {bool: np.bool_, int: np.int64, float: np.float64, str: np.str_}.get(type(value))
    return value if made is None else made(value)


@pytest.mark.parametrize("kind", FACTORIES)
def test_numpys_numbers_as_parameters(kind: str, tmp_path: Path) -> None:
    """They are saved as the numbers that they are: the same bytes."""
    if kind.startswith("gallery"):
        pytest.importorskip("cv2")
    if kind.startswith(("features", "learn")):
        pytest.importorskip("torch")
    thing = FACTORIES[kind]()
    kf.save(thing, tmp_path / "a.kin")
    if hasattr(thing, "set_params"):
        thing.set_params(**as_numpy(thing.get_params()))
        kf.save(thing, tmp_path / "b.kin")
    else:
        kin.write(tmp_path / "b.kin", kind, as_numpy(thing.params()), thing.arrays())
    assert (tmp_path / "a.kin").read_bytes() == (tmp_path / "b.kin").read_bytes()


@pytest.mark.parametrize(
    "number", [np.float32(0.1), np.float16(2), np.int8(-3), np.uint64(2**63), np.True_]
)
def test_a_parameter_comes_back_as_the_number_that_it_is(number: Any, tmp_path: Path) -> None:
    kin.write(tmp_path / "x.kin", "test.Thing", {"a": number, "b": [number]}, {})
    params = kin.read(tmp_path / "x.kin")[1]
    assert params == {"a": number, "b": [number]}
    assert type(params["a"]) is type(number.item())


@pytest.mark.parametrize(
    "value", [np.zeros(3), 1j, object(), np.float32("nan"), np.datetime64("2024")]
)
def test_what_json_lacks_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises((TypeError, ValueError)):
        kin.write(tmp_path / "x.kin", "test.Thing", {"a": value}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mmap", [False, True])
def test_arrays_come_back_aligned_and_equal(
    mmap: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    arrays = {d: (100 * rng.random((3, 5))).astype(d) for d in DTYPES}
    arrays |= {
        "empty": np.empty((0, 4), np.float32),
        "scalar": np.array(3.5),
        "strided": rng.random((6, 6))[::2, ::3],
        "big-endian": np.arange(5, dtype=">i4"),
        "none.of.the.dots": np.arange(3),
    }
    path = tmp_path / "x.kin"
    kin.write(path, "test.Thing", {"a": 1, "b": [1.5, None, "ü"]}, arrays)
    kind, params, read = kin.read(path, mmap=mmap)
    assert (kind, params) == ("test.Thing", {"a": 1, "b": [1.5, None, "ü"]})
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].shape == array.shape and read[name].dtype == array.dtype.newbyteorder("<")
    head = kin.header(path)
    assert all(start % 64 == 0 for _, _, start, _ in head.tensors.values())
    if mmap:
        assert not any(a.flags.writeable for a in read.values() if a.size)
        assert all(
            isinstance(a, np.memmap) or isinstance(a.base, np.memmap)
            for a in read.values()
            if a.size
        )


def test_the_official_reader_reads_it(tmp_path: Path, rng: np.random.Generator) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"a": rng.random((3, 7)).astype(np.float32), "b": np.arange(5)}
    kin.write(tmp_path / "x.kin", "test.Thing", {"answer": 42}, arrays)
    read = safetensors.load_file(tmp_path / "x.kin")
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
    assert {name for name in read if not name.startswith("_pad.")} == set(arrays)
    with pytest.importorskip("safetensors").safe_open(str(tmp_path / "x.kin"), "np") as file:
        own = json.loads(file.metadata()["kinfold"])
    assert (
        own["kind"] == "test.Thing"
        and own["params"] == {"answer": 42}
        and own["format"] == kin.FORMAT
    )


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    for array in (np.array(["a"]), np.array([object()]), np.array([True]), np.array([1j])):
        with pytest.raises(ValueError, match="^arrays: 'x' has dtype"):
            kin.write(tmp_path / "x.kin", "k", {}, {"x": array})
    with pytest.raises(ValueError, match="^arrays: the name '_pad.1' is reserved"):
        kin.write(tmp_path / "x.kin", "k", {}, {"_pad.1": np.zeros(3)})
    with pytest.raises(ValueError):
        kin.write(tmp_path / "x.kin", "k", {"x": float("nan")}, {})
    with pytest.raises(ValueError, match="^obj: expected something that can be saved"):
        kf.save(42, tmp_path / "x.kin")
    with pytest.raises(ValueError, match="^obj: expected something that can be saved"):
        kf.save(kf.FlatIndex, tmp_path / "x.kin")
    assert not list(tmp_path.iterdir())


def test_one_line_says_what_is_wrong_with_a_path(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.kin: no such file"):
        kf.load(tmp_path / "no.kin")
    with pytest.raises(kf.FileFormatError, match="is a folder"):
        kf.load(tmp_path)
    with pytest.raises(FileNotFoundError, match="the folder .* does not exist"):
        kf.save(FACTORIES["index.Flat"](), tmp_path / "gone" / "x.kin")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        kf.save(FACTORIES["index.Flat"](), tmp_path)


def test_a_mapped_index_is_searched_and_grows(tmp_path: Path) -> None:
    index = FACTORIES["index.Flat"]()
    index.save(tmp_path / "x.kin")
    mapped = kf.load(tmp_path / "x.kin", mmap=True)
    mapped.add(np.ones((2, 3)))
    assert len(mapped) == 6 and mapped.ids.tolist() == [3, 1, 8, 5, 9, 10]
    assert len(kf.load(tmp_path / "x.kin")) == 4


def test_the_example_of_the_documentation_is_a_real_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kf, "__version__", "0.1.0")
    kin.write(tmp_path / "x.kin", "transform.Example", {}, {"v": np.array([1, 2, 3], np.float32)})
    data = (tmp_path / "x.kin").read_bytes()
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
    lines = re.findall(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} ){16}) \|", text, re.MULTILINE)
    assert len(lines) > 5 and len(data) == int(lines[-1][0], 16) + 16
    for offset, numbers in lines:
        start = int(offset, 16)
        assert data[start : start + 16] == bytes.fromhex(numbers), f"line {offset}"


def test_paths_of_every_kind(tmp_path: Path) -> None:
    index = kf.FlatIndex(2)
    index.add(np.eye(2))
    for path in (
        str(tmp_path / "x.kin"),
        bytes(tmp_path / "y.kin"),
        tmp_path / "z.kin",
        bytes(tmp_path) + b"/\xff",
    ):
        index.save(path)
        assert len(kf.load(path)) == 2
    for bad in (None, 3, object()):
        for call in (index.save, kf.load, kin.header):
            with pytest.raises(ValueError, match="^path: expected a path, got"):
                call(bad)
    for missing in (tmp_path / "none.kin", "~/none.kin", "a\0b"):
        with pytest.raises(FileNotFoundError, match="no such file"):
            kf.load(missing)
