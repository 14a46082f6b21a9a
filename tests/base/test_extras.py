"""Optional packages: the module, or an error that says what to install."""

from __future__ import annotations

import sys

import pytest

from kinfold.base.errors import KinfoldError, MissingExtraError
from kinfold.base.extras import require


def test_what_is_there_is_imported() -> None:
    assert require("json.decoder") is sys.modules["json.decoder"]


@pytest.mark.parametrize(
    ("module", "extra"),
    [("cv2", "photos"), ("PIL.Image", "photos"), ("torch", "torch"), ("h5py", "hdf5")],
)
def test_what_is_missing_names_the_extra(monkeypatch, module, extra) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as error:
        require(module)
    assert f"pip install 'kinfold[{extra}]'" in str(error.value)
    assert isinstance(error.value, ImportError)
    assert isinstance(error.value, KinfoldError)
