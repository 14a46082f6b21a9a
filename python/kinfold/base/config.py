"""What this installation is made of and what it chose: the first thing to paste into a bug report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import numpy as np

from kinfold import _core

# Optional packages by the name of their distribution; asked for without importing them.
_OPTIONAL = (
    "opencv-python-headless",
    "opencv-python",
    "Pillow",
    "torch",
    "scikit-learn",
    "h5py",
    "matplotlib",
    "huggingface_hub",
    "fastapi",
    "ray",
)


def config() -> dict[str, Any]:
    """What :func:`show_config` prints, as a dictionary of plain values.

    Returns a dict with the keys ``kinfold``, ``python``, ``numpy``, ``platform``, ``compiler``,
    ``cpu_features`` (list of str), ``levels`` (list of str, ascending), ``level``, ``level_from``,
    ``threads`` (int), ``threads_from`` and ``packages`` (name -> version, or None if not installed).
    """
    from kinfold import __version__

    levels = _core.levels()
    threads = _core.threads()
    return {
        "kinfold": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "compiler": _core.compiler,
        "cpu_features": _core.cpu_features(),
        "levels": levels,
        "level": _core.level(),
        "level_from": _level_from(_core.level(), levels),
        "threads": threads,
        "threads_from": _threads_from(threads),
        "packages": {name: _version(name) for name in _OPTIONAL},
    }


def show_config() -> None:
    """Print processor features, the instruction-set level and threads in use and why, and versions."""
    facts = config()
    packages = facts["packages"]
    lines = {
        "kinfold": f"{facts['kinfold']} (built with {facts['compiler']})",
        "python": f"{facts['python']}, numpy {facts['numpy']}, {facts['platform']}",
        "processor": " ".join(facts["cpu_features"]) or "no optional features",
        "levels": ", ".join(facts["levels"]),
        "level": f"{facts['level']} ({facts['level_from']})",
        "threads": f"{facts['threads']} ({facts['threads_from']})",
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items() if version)
        or "none",
        "not found": ", ".join(name for name, version in packages.items() if not version) or "none",
    }
    for name, text in lines.items():
        print(f"{name + ':':<11} {text}")


def _level_from(level: str, levels: list[str]) -> str:
    wish = os.environ.get("KINFOLD_SIMD")
    if wish == level:
        return "forced by KINFOLD_SIMD"
    return "the best that this machine has" if level == levels[-1] and not wish else "set by a call"


def _threads_from(threads: int) -> str:
    wish = os.environ.get("KINFOLD_THREADS")
    if wish == str(threads):
        return "from KINFOLD_THREADS"
    if not wish and threads == _processors():
        return "the processors that this process may use"
    return "set by a call"


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
