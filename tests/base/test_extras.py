"""Optional packages: the module, or an error that says what to install."""

from __future__ import annotations

import sys

import pytest

from kinfold.base.errors import KinfoldError, MissingExtraError
from kinfold.base.extras import require


def test_what_is_there_is_imported() -> None:
    assert require("json.decoder") is sys.modules["json.decoder"]


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("cv2", "'kinfold[photos]'"), ("PIL.Image", "'kinfold[photos]'"), ("torch", "'kinfold[torch]'"),
        ("h5py", "'kinfold[hdf5]'"), ("pandas", "pandas"),
    ],
)  # fmt: skip
def test_what_is_missing_names_what_to_install(monkeypatch, module, wanted) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as error:
        require(module)
    assert f"pip install {wanted} (" in str(error.value)
    assert isinstance(error.value, ImportError)
    assert isinstance(error.value, KinfoldError)
