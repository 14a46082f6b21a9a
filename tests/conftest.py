"""What every test may ask for: optional data, instruction-set levels, thread counts, a seeded generator."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import kinfold
from kinfold import _core

try:
    from hypothesis import settings
except ImportError:
    pass
else:
    # The same examples in every run, and no example may fail for being slow.
    settings.register_profile("kinfold", derandomize=True, deadline=None, print_blob=True)
    settings.load_profile("kinfold")


def pytest_report_header() -> str:
    return (
        f"kinfold {kinfold.__version__} from {Path(kinfold.__file__).parent}, numpy {np.__version__}, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"level {_core.level()} of {', '.join(_core.levels())}, threads {_core.threads()}"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of optional real data beside the checkout."""
    folder = Path(__file__).resolve().parents[1].parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("optional data: no folder ../shared/data beside the checkout")
    return folder


def _bound_by_rights() -> None:
    """Root passes by permissions through two capabilities; without them it is bound as everybody is."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture(scope="session")
def as_nobody() -> Callable[..., str]:
    """Runs code in a process that permissions bind, also where the tests run as root; what it printed."""
    if platform.system() != "Linux" and os.geteuid() == 0:
        pytest.skip("root is bound by no permission here")

    def run(code: str, *arguments: object) -> str:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300, preexec_fn=_bound_by_rights
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(params=_core.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction-set level of this machine in turn."""
    before = _core.level()
    _core.set_level(request.param)
    yield request.param
    _core.set_level(before)


@pytest.fixture(params=[1, 2, 7])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """One thread, as many as are common, and more than there is work for."""
    _core.set_threads(request.param)
    yield request.param
    _core.set_threads(0)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers from the test's name: running the one test again repeats them."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))
