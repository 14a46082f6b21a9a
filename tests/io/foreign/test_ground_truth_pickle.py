"""Published ground truth is a pickle; nothing in it may run."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold as kf
from kinfold.evaluate import GroundTruth
from kinfold.io.foreign.ground_truth_pickle import read

GOOD: dict[str, Any] = {
    "imlist": ["a", "b", "c"],
    "qimlist": ["q"],
    "gnd": [
        {
            "bbx": [1.0, 2.0, 3.0, 4.0],
            "easy": [0],
            "hard": np.array([1]),
            "junk": np.array([], np.int64),
        }
    ],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_read(protocol: int, tmp_path: Path) -> None:
    path = tmp_path / "gnd.pkl"
    path.write_bytes(pickle.dumps({**GOOD, "n": np.int64(3), "x": np.float32(0.5)}, protocol))
    got = read(path)
    assert got["gnd"] == [{"bbx": [1.0, 2.0, 3.0, 4.0], "easy": [0], "hard": [1], "junk": []}]
    assert got["n"] == 3 and got["x"] == 0.5
    assert len(GroundTruth.from_dict({k: got[k] for k in GOOD})) == 1


def test_the_older_numpy_wrote_other_names(tmp_path: Path) -> None:
    data = pickle.dumps(GOOD, 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "gnd.pkl").write_bytes(data)
    assert read(tmp_path / "gnd.pkl")["gnd"][0]["hard"] == [1]


class Attack:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> Any:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_nothing_runs(protocol: int, tmp_path: Path) -> None:
    witness, path = tmp_path / "ran", tmp_path / "gnd.pkl"
    attacks = [
        Attack(os.system, f"touch {witness}"), Attack(eval, f"open({str(witness)!r}, 'w')"),
        Attack(exec, f"open({str(witness)!r}, 'w')"), Attack(open, str(witness), "w"),
        Attack(getattr, "x", "upper"), Attack(np.load, "x"), Attack(bytes, 10**12),
        Attack(np.ndarray, (10**12,)), OrderedDict(a=1), Path("x"), np.array([Path("x")]),
        {"a": {1, 2}}, [1, 2], 5, None,
    ]  # fmt: skip
    for attack in attacks:
        for held in (
            attack,
            {"gnd": attack} if not isinstance(attack, (list, int, type(None))) else attack,
        ):
            path.write_bytes(pickle.dumps(held, protocol))  # never loaded by pickle itself
            with pytest.raises(kf.FileFormatError):
                read(path)
    assert not witness.exists()


def test_damage_is_refused(tmp_path: Path) -> None:
    good, path = pickle.dumps(GOOD), tmp_path / "gnd.pkl"
    for length in range(len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(kf.FileFormatError):
            read(path)
    deep: Any = []
    for _ in range(50):
        deep = [deep]
    path.write_bytes(pickle.dumps({"a": deep}))
    with pytest.raises(kf.FileFormatError, match="nested too deeply"):
        read(path)


def test_arrays_of_every_make(tmp_path: Path) -> None:
    arrays = {
        "whole": np.arange(3, dtype=">i2"), "real": np.eye(2, dtype=np.float32), "bytes": np.array([b"ab", b"c"]),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)), "texts": np.array(["\u00fc", "bcd"]),
        "truth": np.array([True, False]), "none": np.empty((0, 4)), "scalar": np.array(3),
    }  # fmt: skip
    expected = {name: array.tolist() for name, array in arrays.items()} | {"bytes": ["ab", "c"]}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "gnd.pkl").write_bytes(pickle.dumps(arrays, protocol))
        assert read(tmp_path / "gnd.pkl") == expected


def reconstructed(*state: Any) -> Attack:
    """An array as numpy writes one, with a state of the attacker's."""

    class Array:
        def __reduce__(self) -> Any:
            make = np.empty(1).__reduce__()[0]
            return make, (np.ndarray, (0,), b"b"), state

    return Array()  # type: ignore[return-value]


class ForgedDtype:
    """Objects whose dtype claims that they are plain bytes: numpy would take the bytes for addresses."""

    def __reduce__(self) -> Any:
        return np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0)


def laughs() -> Any:
    shared: Any = [1] * 100
    for _ in range(4):
        shared = [shared] * 100
    return shared


F8 = np.dtype("f8")
BOMBS: dict[str, tuple[Any, str]] = {
    "an array of a claimed shape": (Attack(np.ndarray, (10**9,), F8), "unusual make"),
    "a state of a claimed shape": (
        reconstructed(1, (10**9,), F8, False, b"1234"),
        "4 bytes for an array",
    ),
    "a shape that overflows": (
        reconstructed(1, (2**62, 4), F8, False, b""),
        "an array of unusual shape",
    ),
    "a negative shape": (reconstructed(1, (-1,), F8, False, b""), "unusual shape"),
    "lists of nothing": (reconstructed(1, (10**9, 0), F8, False, b""), "more values than"),
    "texts of no length": (
        reconstructed(1, (10**9,), np.dtype("S0"), False, b""),
        "an array of 'S0'",
    ),
    "addresses": (reconstructed(1, (4,), ForgedDtype(), False, b"A" * 32), "an array of 'O8'"),
    "a record": (Attack(np.dtype, [("a", "i4")]), "refused"),
    "one list many times": (laughs(), "more values than"),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", BOMBS)
def test_small_files_stay_small(name: str, protocol: int, tmp_path: Path) -> None:
    value, reason = BOMBS[name]
    (tmp_path / "gnd.pkl").write_bytes(pickle.dumps({"gnd": value}, protocol))
    assert (tmp_path / "gnd.pkl").stat().st_size < 2000
    with pytest.raises(kf.FileFormatError, match=reason):
        read(tmp_path / "gnd.pkl")


@pytest.mark.parametrize("put", [b"r\xff\xff\xff\x3f", b"p1000000000\n"])
def test_the_memo_is_no_larger_than_the_file(put: bytes, tmp_path: Path) -> None:
    (tmp_path / "gnd.pkl").write_bytes(b"\x80\x02}" + put + b".")
    with pytest.raises(kf.FileFormatError, match="more memory than its size explains"):
        read(tmp_path / "gnd.pkl")


def test_what_a_name_stands_for_cannot_be_changed(tmp_path: Path) -> None:
    for name in (b"cnumpy\ndtype\n", b"c_codecs\nencode\n", b"cnumpy\nndarray\n"):
        for state in (b"}", b"}X\x01\x00\x00\x00aK\x01s", b"N}X\x04\x00\x00\x00makeK\x01s\x86"):
            (tmp_path / "gnd.pkl").write_bytes(b"\x80\x02" + name + state + b"b.")
            with pytest.raises(kf.FileFormatError, match="changes what it was given"):
                read(tmp_path / "gnd.pkl")
    test_read(2, tmp_path)


def test_pipes_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pkl")
    with pytest.raises(kf.FileFormatError, match="is not a regular file"):
        read(tmp_path / "pipe.pkl")
