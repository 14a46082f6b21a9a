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
