"""Whatever happens to the bytes of a file, loading says so and nothing else happens."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import FACTORIES

import kinfold as kf
from kinfold.io import kin

pytest.importorskip("hypothesis")
from hypothesis import given, settings, strategies as st


@pytest.fixture
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    kind = request.param
    if kind.startswith("gallery"):
        pytest.importorskip("cv2")
    if kind.startswith(("features", "learn")):
        pytest.importorskip("torch")
    kf.save(FACTORIES[kind](), tmp_path / "good.kin")
    return tmp_path / "good.kin"


def refusal(path: Path, *, mmap: bool = False) -> str:
    """The one line that names the file and says what is wrong with it; empty where it was loaded."""
    try:
        kf.load(path, mmap=mmap)
    except kf.FileFormatError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error), str(error)
        return str(error)
    return ""


def refused(path: Path, data: bytes, *, mmap: bool = False) -> str:
    path.write_bytes(data)
    return refusal(path, mmap=mmap)


def positions(good: bytes) -> list[int]:
    """Every byte of small files; of large ones every byte of the beginning, then one in 61."""
    most = 4096
    return [*range(min(len(good), most)), *range(most, len(good), 61)]


# One bit of each byte, all of the first 256; slowly all of all.
@pytest.mark.parametrize("all_bits", [256, pytest.param(1 << 30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("saved", FACTORIES, indirect=True)
@pytest.mark.slow
def test_every_flipped_bit_is_noticed(saved: Path, all_bits: int) -> None:
    good = saved.read_bytes()
    begin = 8 + int.from_bytes(good[:8], "little")
    # Changed in place: writing thousands of files anew would wait for the disk.
    with saved.open("r+b", buffering=0) as file:
        for i in positions(good):
            byte = good[i]
            for bit in range(8) if i < all_bits else (i * 5 % 8,):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), i)
                assert refusal(saved), f"bit {bit} of byte {i}"
            # The header is checked whatever is asked for.
            assert i >= begin or refusal(saved, mmap=True), f"byte {i}, mapped"
            os.pwrite(file.fileno(), bytes([byte]), i)
    assert saved.read_bytes() == good and not refusal(saved)


@pytest.mark.parametrize("saved", FACTORIES, indirect=True)
def test_every_truncation_and_extension_is_noticed(saved: Path) -> None:
    good, other = saved.read_bytes(), saved.with_name("bad.kin")
    assert refused(other, good + b"\0") and refused(other, good + good)
    other.write_bytes(good)
    for length in reversed(positions(good)):
        os.truncate(other, length)
        assert refusal(other), f"{length} bytes"
        assert refusal(other, mmap=True), f"{length} bytes, mapped"


@settings(max_examples=150)
@given(data=st.data())
def test_many_bytes_at_once(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("mutated")
    kf.save(FACTORIES["graph.KNN"](), folder / "good.kin")
    good = (folder / "good.kin").read_bytes()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(bad) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=40))
        if data.draw(st.booleans()):
            bad[start : start + len(piece)] = piece
        else:
            bad[start:start] = piece
    if bytes(bad) != good:
        assert refused(folder / "bad.kin", bytes(bad))


def forged(
    table: dict[str, Any], fields: dict[str, Any], data: bytes, *, text: bytes | None = None
) -> bytes:
    """A file whose digest is right, whatever it says."""
    zero = {**fields, "digest": "0" * 64}

    def encode(own: dict[str, Any]) -> bytes:
        return json.dumps({"__metadata__": {"kinfold": json.dumps(own)}, **table}).encode()

    digest = hashlib.sha256(encode(zero)).hexdigest()
    header = encode({**fields, "digest": digest}) if text is None else text
    return len(header).to_bytes(8, "little") + header + data


FIELDS = {
    "kind": "index.Flat", "format": 1, "reader": 1, "library": "x", "checksums": {"a": 0},
    "params": {"dim": 4, "metric": "l2", "shadow": True},
}  # fmt: skip
SOUND = {**FIELDS, "checksums": {"a": zlib.crc32(bytes(4))}}


def entry(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4], **changes}}


HEADERS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "shape beyond the file": (entry(shape=[2**40]), FIELDS, "shape and size disagree"),
    "shape whose product overflows": (entry(shape=[2**61, 2**61, 4]), FIELDS, "shape and size disagree"),
    "negative shape": (entry(shape=[-4]), FIELDS, "entry is malformed"),
    "negative shapes with a right product": (entry(shape=[-2, -2]), FIELDS, "entry is malformed"),
    "fractional shape": (entry(shape=[4.0]), FIELDS, "entry is malformed"),
    "boolean shape": (entry(shape=[4, True]), FIELDS, "entry is malformed"),
    "shape of too many numbers": (entry(shape=[4, *[1] * 80]), FIELDS, "entry is malformed"),
    "shape that is no list": (entry(shape=4), FIELDS, "entry is malformed"),
    "negative offset": (entry(data_offsets=[-4, 0]), FIELDS, "entry is malformed"),
    "offsets swapped": (entry(data_offsets=[4, 0]), FIELDS, "entry is malformed"),
    "three offsets": (entry(data_offsets=[0, 4, 4]), FIELDS, "entry is malformed"),
    "offsets beyond the file": (
        entry(data_offsets=[0, 2**50], shape=[2**50]), FIELDS, "truncated or extended",
    ),
    "a hole": (entry(data_offsets=[1, 4], shape=[3]), FIELDS, "leaves a hole"),
    "nothing at the end": (entry(data_offsets=[0, 3], shape=[3]), FIELDS, "truncated or extended"),
    "unknown dtype": (entry(dtype="OBJ"), FIELDS, "entry is malformed"),
    "dtype that is no text": (entry(dtype=["U8"]), FIELDS, "entry is malformed"),
    "unknown key of an array": (entry(extra=1), FIELDS, "entry is malformed"),
    "an array that is no dictionary": ({"a": 3}, FIELDS, "entry is malformed"),
    "unknown field": (entry(), {**FIELDS, "extra": 1}, "fields are not those"),
    "missing field": (entry(), {k: v for k, v in FIELDS.items() if k != "params"}, "fields are not those"),
    "checksum of another array": (entry(), {**FIELDS, "checksums": {"b": 0}}, "checksums are not those"),
    "checksum that is no number": (entry(), {**FIELDS, "checksums": {"a": "0"}}, "checksums are not those"),
    "wrong checksum": (entry(), FIELDS, "its checksum is wrong"),
    "kind that is no text": (entry(), {**FIELDS, "kind": 7}, "wrong types"),
    "unknown kind": (entry(), {**SOUND, "kind": "index.Nothing"}, "does not know 'index.Nothing'"),
    "kind of a module": (entry(), {**SOUND, "kind": "os.system"}, "does not know 'os.system'"),
    "arrays of another kind": (entry(), SOUND, "unknown arrays: a"),
    "params that are no dictionary": (entry(), {**FIELDS, "params": [1]}, "wrong types"),
    "params that are no JSON": (entry(), {**FIELDS, "params": {"a": float("nan")}}, "NaN is no JSON"),
    "reader that is no number": (entry(), {**FIELDS, "reader": "1"}, "wrong types"),
    "format that is no number": (entry(), {**FIELDS, "format": True}, "wrong types"),
    "format of version 0": (entry(), {**FIELDS, "format": 0, "reader": 0}, "wrong types"),
    "two arrays in one place": (
        {"a": entry()["a"], "b": entry()["a"]}, {**FIELDS, "checksums": {"a": 0, "b": 0}},
        "leaves a hole or overlaps",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mmap", [False, True])
@pytest.mark.parametrize("name", HEADERS)
def test_forged_headers_are_refused(name: str, mmap: bool, tmp_path: Path) -> None:
    table, fields, reason = HEADERS[name]
    said = refused(tmp_path / "x.kin", forged(table, fields, b"\0" * 4), mmap=mmap)
    if name == "wrong checksum" and mmap:
        reason = "unknown arrays: a"  # what is only mapped is not read, but an index has no array a
    assert reason in said


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    one = json.dumps(entry()["a"])
    for text, own in (
        ('{"__metadata__": {"kinfold": %s}, "a": ONE, "a": ONE}', FIELDS),
        ('{"__metadata__": {}, "__metadata__": {"kinfold": %s}, "a": ONE}', FIELDS),
        ('{"__metadata__": {"kinfold": %s}, "a": ONE}', {**FIELDS, "params": "TWICE"}),
    ):

        def encode(digest: str, text: str = text, own: dict[str, Any] = own) -> bytes:
            fields = json.dumps({**own, "digest": digest}).replace('"TWICE"', '{"x": 1, "x": 2}')
            return (text.replace("ONE", one) % json.dumps(fields)).encode()

        header = encode(hashlib.sha256(encode("0" * 64)).hexdigest())
        data = len(header).to_bytes(8, "little") + header + b"\0" * 4
        assert "a name occurs twice" in refused(tmp_path / "x.kin", data)


def test_the_forger_can_forge(tmp_path: Path) -> None:
    """Without a fault the same bytes pass the header's checks: the tests above fail for their own reasons."""
    (tmp_path / "x.kin").write_bytes(forged(entry(), FIELDS, b"\0" * 4))
    assert kin.header(tmp_path / "x.kin").kind == "index.Flat"


def test_newer_files_say_which_version_they_need(tmp_path: Path) -> None:
    fields = {**FIELDS, "format": 9, "reader": 9, "library": "7.0", "new field": 1}
    (tmp_path / "x.kin").write_bytes(forged(entry(), fields, b"\0" * 4))
    with pytest.raises(kf.FileFormatError, match=r"format 9 by kinfold '7\.0'.*upgrade"):
        kf.load(tmp_path / "x.kin")


def test_later_formats_that_say_so_are_still_read(tmp_path: Path) -> None:
    fields = {**FIELDS, "format": 9, "reader": 1}
    (tmp_path / "x.kin").write_bytes(forged(entry(), fields, b"\0" * 4))
    assert kin.header(tmp_path / "x.kin").kind == "index.Flat"


OTHERS = {
    "empty": b"",
    "one byte": b"\0",
    "header of 0 bytes": (0).to_bytes(8, "little"),
    "header of 1 byte": (1).to_bytes(8, "little") + b"{",
    "header of 2**31 bytes": (2**31).to_bytes(8, "little") + b"{}",
    "header of 2**63 bytes": (2**63).to_bytes(8, "little") + b"{}",
    "npy": b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }".ljust(140),
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "text": b"hello, this is a text and no index at all\n" * 5,
    "pickle": b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94",
    "plain safetensors": (60).to_bytes(8, "little")
    + b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'.ljust(60)
    + b"abcd",
    "deep JSON": (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "a name twice": (31).to_bytes(8, "little") + b'{"__metadata__":{},"a":1,"a":2}',
    "huge number": (25).to_bytes(8, "little") + b'{"a":' + b"9" * 19 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_foreign_files_are_refused(name: str, tmp_path: Path) -> None:
    assert refused(tmp_path / "x.kin", OTHERS[name])


def test_pipes_and_folders_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.kin")
    for path, said in (
        (tmp_path / "pipe.kin", "is not a regular file"), (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is not a regular file"),
    ):  # fmt: skip
        with pytest.raises(kf.FileFormatError, match=f"^{path}: {said}"):
            kf.load(path)


def test_swapped_arrays_are_noticed(tmp_path: Path) -> None:
    kin.write(tmp_path / "x.kin", "t", {}, {"a": np.arange(16), "b": np.arange(16, 32)})
    data = (tmp_path / "x.kin").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    a, b = data[begin : begin + 128], data[begin + 128 : begin + 256]
    (tmp_path / "x.kin").write_bytes(data[:begin] + b + a)
    with pytest.raises(kf.FileFormatError, match="array 'a' is damaged"):
        kin.verify(tmp_path / "x.kin")
    # Mapped, the arrays are not read; the check is there for whoever asks.
    assert kin.read(tmp_path / "x.kin", mmap=True)[2]["a"][0] == 16


def test_nothing_is_allocated_that_a_file_merely_claims(tmp_path: Path) -> None:
    for i, (table, fields, _) in enumerate(HEADERS.values()):
        (tmp_path / f"{i}.kin").write_bytes(forged(table, fields, b"\0" * 4))
    for i, data in enumerate(OTHERS.values()):
        (tmp_path / f"other{i}.kin").write_bytes(data)
    code = (
        "import resource, sys, glob, kinfold as kf\n"
        "import kinfold.index.flat, kinfold.io.kin\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + 200_000_000, resource.RLIM_INFINITY))\n"
        "for path in sorted(glob.glob(sys.argv[1] + '/*.kin')):\n"
        "    for mmap in (False, True):\n"
        "        try: kf.load(path, mmap=mmap)\n"
        "        except kf.FileFormatError: pass\n"
        "        else: raise SystemExit(path)\n"
        "print('all refused')\n"
    )
    if not Path("/proc/self/statm").exists() or not hasattr(resource, "RLIMIT_AS"):
        pytest.skip("the limit on memory is set as Linux does")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "all refused", done.stdout + done.stderr
