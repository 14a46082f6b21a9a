"""What a wheel carries besides code, and what its extras install."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from kinfold.base.extras import _EXTRA_OF

ROOT = Path(__file__).resolve().parents[1]
# What is not for users of the library.
FOR_DEVELOPERS = {"test", "docs", "bench", "dev", "all"}


def project() -> dict[str, object]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        tomllib = pytest.importorskip("tomli")
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_wheel_carries_the_notices_of_what_is_compiled_in(tmp_path: Path) -> None:
    pytest.importorskip("scikit_build_core")
    code = (
        "import sys; from scikit_build_core.build import prepare_metadata_for_build_wheel as made\n"
        "print(made(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [folder] = tmp_path.glob("*.dist-info")
    metadata = (folder / "METADATA").read_text()
    assert re.findall("^License-File: (.*)$", metadata, re.M) == ["LICENSE", "THIRD_PARTY_NOTICES"]
    notices = (folder / "licenses" / "THIRD_PARTY_NOTICES").read_text()
    for words in (
        "Copyright (c) 2016 Wenzel Jakob", "Redistributions in binary form must reproduce", "Eigen",
        "https://mozilla.org/MPL/2.0/", "https://gitlab.com/libeigen/eigen",
    ):  # fmt: skip
        assert words in notices
    # Nothing else is compiled in.
    found = re.findall(r"find_package\((\w+)", (ROOT / "CMakeLists.txt").read_text())
    assert set(found) <= {"Python", "pybind11", "Eigen3", "Threads"}


def test_every_extra_is_used_and_every_optional_package_has_one() -> None:
    extras = project()["optional-dependencies"]
    assert isinstance(extras, dict)
    files = [path for path in (ROOT / "python").rglob("*.py") if path.name != "extras.py"]
    code = "\n".join(path.read_text() for path in files)
    for extra in extras.keys() - FOR_DEVELOPERS:
        modules = [module for module, of in _EXTRA_OF.items() if of == extra]
        assert modules, extra
        used = "|".join(modules)
        assert re.search(rf"""["'](?:{used})["'.]|(?:import|from) (?:{used})\b""", code), extra
    assert set(_EXTRA_OF.values()) == extras.keys() - FOR_DEVELOPERS
    [everything] = extras["all"]
    assert set(re.findall(r"[\w-]+", everything.removeprefix("kinfold"))) <= extras.keys()
