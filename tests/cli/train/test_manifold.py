from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
import kinfold as kf
from kinfold.cli import main
from kinfold.learn import manifold


def test_things_that_geometry_finds_are_held_out(
    classes, weights, tmp_path, capsys, monkeypatch
) -> None:
    """Learning is replaced: photos and descriptors of all things but one of five get there."""
    given = {}

    def groups(self, **_):
        ids = self.descriptors()[0].tolist()
        photos = [SimpleNamespace(id=id) for id in ids]
        return [SimpleNamespace(photos=photos[i : i + 2]) for i in range(0, 10, 2)]

    def learnt(network, photos, descriptors, **options):
        given.update(options, photos=photos, descriptors=descriptors)
        given["score"] = options["validate"](network)
        raise ValueError("enough")

    monkeypatch.setattr(kf.Gallery, "groups", groups)
    monkeypatch.setattr(manifold, "finetune_manifold", learnt)
    command = ["train", "manifold", str(classes), "--weights", str(weights), "--quiet"]
    assert main([*command, "-o", str(tmp_path / "net"), "--k-pos", "7", "--side", "64"]) == 2
    assert capsys.readouterr().err == "kinfold: error: enough\n"
    assert len(given["photos"]) == 14 and given["descriptors"].shape[0] == 14
    assert np.allclose(np.linalg.norm(given["descriptors"], axis=1), 1, atol=1e-5)
    assert (given["k_pos"], given["k_neg"], given["refresh"], given["max_side"]) == (7, None, False, 64)  # fmt: skip
    assert 0 < given["score"] <= 1
    assert (tmp_path / "net.training" / "photos.kin" / "MANIFEST.json").is_file()


def test_nothing_to_judge_by(classes, weights, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(kf.Gallery, "groups", lambda self, **_: [])
    command = ["train", "manifold", str(classes), "--weights", str(weights), "--quiet"]
    assert main([*command, "-o", str(tmp_path / "net")]) == 2
    assert "geometry finds 0 things" in capsys.readouterr().err
