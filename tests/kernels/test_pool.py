"""The thread pool in C++, as it is and under ThreadSanitizer."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("sanitizer", ["", "thread", "address,undefined"])
def test_pool(sanitizer, tmp_path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    program = tmp_path / "pool"
    flags = ["-fsanitize=" + sanitizer] if sanitizer else []
    sources = [ROOT / "tests/native/pool.cpp", ROOT / "cpp/core/threads.cpp"]
    options = ["-std=c++20", "-O1", "-g", "-pthread", f"-I{ROOT / 'cpp'}", *flags]
    built = subprocess.run(
        [compiler, *options, "-o", program, *sources],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if sanitizer and ("cannot find" in built.stderr or "unsupported option" in built.stderr):
        pytest.skip(f"the compiler has no runtime for -fsanitize={sanitizer}")
    assert built.returncode == 0, built.stderr
    done = subprocess.run(
        [program, "nofork"] if sanitizer == "thread" else [program],
        env={**os.environ, "KINFOLD_THREADS": "3"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "ok\n"
