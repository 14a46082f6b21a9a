"""What every test may ask for: optional data, instruction-set levels, thread counts, a seeded generator."""

from __future__ import annotations

import platform
import zlib
from collections.abc import Iterator
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
