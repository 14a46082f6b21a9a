"""What an installation says of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import kinfold
from kinfold import _core
from kinfold.base.config import config


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_config_is_plain_and_complete() -> None:
    facts = json.loads(json.dumps(config()))
    assert facts["kinfold"] == kinfold.__version__
    assert facts["levels"] == _core.levels()
    assert facts["level"] in facts["levels"]
    assert facts["levels"][0] == "baseline"
    assert facts["threads"] >= 1
    assert facts["compiler"].split()[0] in ("GCC", "Clang")


def test_show_config_prints_what_config_holds(capsys) -> None:
    kinfold.show_config()
    shown = capsys.readouterr().out
    facts = config()
    for word in (facts["kinfold"], facts["compiler"], facts["level"], *facts["cpu_features"]):
        assert word in shown


def test_asking_imports_no_optional_package() -> None:
    done = run(
        "import sys, kinfold; kinfold.show_config(); assert not {'torch', 'cv2', 'PIL'} & set(sys.modules)"
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("level", _core.levels())
def test_the_environment_forces_a_level(level) -> None:
    done = run("import kinfold; kinfold.show_config()", KINFOLD_SIMD=level, KINFOLD_THREADS="3")
    assert done.returncode == 0, done.stderr
    assert f"{level} (forced by KINFOLD_SIMD)" in done.stdout
    assert "3 (from KINFOLD_THREADS)" in done.stdout


def test_an_empty_environment_variable_is_none() -> None:
    done = run(
        "from kinfold import _core; print(_core.level())", KINFOLD_SIMD="", KINFOLD_THREADS=""
    )
    assert done.stdout.strip() == _core.levels()[-1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("KINFOLD_SIMD", "avx3"), ("KINFOLD_SIMD", "AVX2")]
    + [("KINFOLD_THREADS", bad) for bad in ("0", "-1", "two", "1.5", "2 ", "1025", "9" * 30)],
)
def test_a_wrong_environment_is_one_clear_error_at_import(name, value) -> None:
    done = run("from kinfold import _core", **{name: value})
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: {name}: expected ")
    assert f"got '{value}'" in done.stderr


def test_a_level_set_by_a_call() -> None:
    before = _core.level()
    try:
        _core.set_level("baseline")
        assert config()["level"] == "baseline"
    finally:
        _core.set_level(before)
    with pytest.raises(
        ValueError, match="level: expected one that this machine has .*, got 'neon9'"
    ):
        _core.set_level("neon9")
