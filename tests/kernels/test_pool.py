"""The thread pool and the scans that grow while they are searched, in C++, as they are and under sanitizers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
POOL = ["cpp/core/threads.cpp"]
# The lowest level alone: what it shares between threads is the same at all.
SCANS = [
    *POOL,
    *(
        f"cpp/scan/{name}.cpp"
        for name in (
            "byte_filter",
            "distance",
            "exact",
            "float_filter",
            "growing",
            "regions",
            "search",
            "shadow",
        )
    ),
    "cpp/simd/dispatch.cpp",
    *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "cpp/kernels").glob("*.cpp")),
]
LEVELS = re.findall(r"^KF_LEVEL_ENTRY\((\w+)", (ROOT / "cpp/simd/levels.def").read_text(), re.M)
BUILT = [f"-DKF_BUILT_{name}={int(name == 'baseline')}" for name in LEVELS]


def run(driver: str, sources: list[str], sanitizer: str, folder: Path) -> None:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        pytest.skip("no C++ compiler")
    flags = ["-fsanitize=" + sanitizer, "-fno-sanitize-recover=all"] if sanitizer else []
    options = ["-std=c++20", "-O1", "-g", "-pthread", f"-I{ROOT / 'cpp'}", *flags]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [compiler, *options, *arguments],
            capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip

    def compiled(source: str) -> str:
        made = folder / (source.replace("/", "_") + ".o")
        # Kernels and the dispatcher are told the level; whoever includes the table must not be.
        level = ["-DKF_LEVEL=baseline"] if "kernels" in source else BUILT
        done = call(*level, "-c", str(ROOT / source), "-o", str(made))
        assert done.returncode == 0, done.stderr
        return str(made)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, [f"tests/native/{driver}.cpp", *sources]))
    program = folder / driver
    linked = call(*objects, "-o", str(program))
    if sanitizer and ("cannot find" in linked.stderr or "unsupported option" in linked.stderr):
        pytest.skip(f"the compiler has no runtime for -fsanitize={sanitizer}")
    assert linked.returncode == 0, linked.stderr
    done = subprocess.run(
        [program, "nofork"] if sanitizer == "thread" else [program],
        env={**os.environ, "KINFOLD_THREADS": "3"},
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == "ok\n"


@pytest.mark.parametrize("sanitizer", ["", "thread", "address,undefined"])
def test_pool(sanitizer, tmp_path) -> None:
    run("pool", POOL, sanitizer, tmp_path)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "sanitizer",
    [pytest.param(s, marks=pytest.mark.slow) for s in ("", "thread", "address,undefined")],
)
def test_scans(sanitizer, tmp_path) -> None:
    run("scans", SCANS, sanitizer, tmp_path)
