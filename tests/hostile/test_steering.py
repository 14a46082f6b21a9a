"""Arrays that lie, under checksums that are right: refused, or harmless.

A child process loads and uses every mutant; it must neither crash nor raise anything but FileFormatError
at loading.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny import FACTORIES

CHILD = """
import sys, warnings
sys.path.insert(0, sys.argv[1])
import numpy as np, kinfold as kf
from kinfold.io import kin
from tiny import FACTORIES, use

warnings.simplefilter("ignore")
kind, folder = sys.argv[2], sys.argv[3]
good = FACTORIES[kind]()
params, arrays = good.params(), {k: np.array(v) for k, v in good.arrays().items()}
refused = used = 0

def attempt(what, params, arrays):
    global refused, used
    path = folder + "/mutant.kin"
    kin.write(path, kind, params, arrays)
    for mmap in (False, True):
        try:
            thing = kf.load(path, mmap=mmap)
        except kf.FileFormatError:
            refused += 1
            continue
        try:
            use(kind, thing)
        except (ValueError, ArithmeticError, kf.KinfoldError, np.linalg.LinAlgError):
            pass
        used += 1

for name, array in arrays.items():
    if array.dtype.kind in "iu":
        top = np.iinfo(array.dtype)
        for value in {-1, 0, 1, 7, len(array), array.size, 2**31, 2**62, top.min, top.max}:
            if not top.min <= value <= top.max:
                continue
            for where in {0, array.size // 2, array.size - 1}:
                bad = array.copy()
                if bad.size:
                    bad.flat[where] = value
                    attempt(name, params, {**arrays, name: bad})
        attempt(name, params, {**arrays, name: array[::-1].copy()})
    else:
        for value in (np.nan, np.inf, -np.inf, 3e38, 0.0):
            bad = array.copy()
            bad.flat[:1] = value
            attempt(name, params, {**arrays, name: bad})
    for other in (array[:-1], array[:0], np.concatenate([array, array]), array.reshape(-1, 1), array[None],
                  array.astype(np.float64), array.astype(np.int8)):
        attempt(name, params, {**arrays, name: other.copy()})
    attempt(name, params, {k: v for k, v in arrays.items() if k != name})
attempt("extra", params, {**arrays, "extra": np.zeros(3)})
for name in params:
    for value in (None, -1, 0, 2**40, 1e300, "x", [], {}, True):
        attempt(name, {**params, name: value}, arrays)
    attempt(name, {k: v for k, v in params.items() if k != name}, arrays)
attempt("extra", {**params, "extra": 1}, arrays)
print("refused", refused, "used", used)
"""


@pytest.mark.parametrize("kind", FACTORIES)
def test_hostile_arrays_are_refused_or_harmless(kind: str, tmp_path: Path) -> None:
    if kind.startswith(("local", "gallery")):
        pytest.importorskip("cv2")
    if kind.startswith("features"):
        pytest.importorskip("torch")
    tiny = str(Path(__file__).parents[1] / "io")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tiny, kind, str(tmp_path)],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stderr[-2000:]}"
    words = done.stdout.split()
    assert words[0] == "refused" and int(words[1]) > 20
