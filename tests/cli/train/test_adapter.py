from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")
import kinfold as kf
from kinfold.cli import main
from kinfold.learn.adapter import Adapter


@pytest.fixture
def gallery(classes, weights, tmp_path):
    path = tmp_path / "city.kin"
    made = kf.Gallery.create(path, engine="cnn", weights=weights, network_side=64, network_dim=4)
    with made as gallery:
        gallery.update(classes, verbose=False)
    return path


def learnt(after: float):
    """In the place of learning: an adapter of the gallery's descriptors, and how good it is."""

    def learn(self, **options):
        dim = self.descriptors()[1].shape[1]
        adapter = Adapter(2, verbose=False)
        adapter.mean, adapter.n_features_in_ = np.zeros(dim, np.float32), dim
        adapter.projection, adapter._rest = np.eye(dim, 2, dtype=np.float32), None
        adapter.pairs_, adapter.before_, adapter.after_ = 30.0, 0.5, after
        return [adapter if after > 0.5 else None]

    return learn


def test_a_gallery_is_adapted_and_taken_back(gallery, capsys, monkeypatch, tmp_path) -> None:
    given = {}
    learn = learnt(0.75)

    def noted(self, **options):
        given.update(options)
        return learn(self)

    monkeypatch.setattr(kf.Gallery, "learn_adapters", noted)
    command = ["train", "adapter", str(gallery), "--json", str(tmp_path / "told.json")]
    assert main([*command, "--seed", "3", "--strength", "2", "--runs", "1"]) == 0
    assert (given["seed"], given["strength"], given["runs"], given["least_inliers"]) == (3, 2.0, 1, 12)  # fmt: skip
    out = capsys.readouterr().out
    assert "mAP of pairs held out 0.500 -> 0.750, learnt from 30 pairs" in out and "--remove" in out
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["networks"] == [{"pairs": 30, "before": 0.5, "after": 0.75}]
    with kf.Gallery.open(gallery) as opened:
        assert opened.parts.fused.index.dim == 2
    assert main(["info", str(gallery)]) == 0
    assert "network 1: learnt from 30 pairs" in capsys.readouterr().out
    assert main(["train", "adapter", str(gallery), "--remove"]) == 0
    assert "whitened, without adapters" in capsys.readouterr().out
    with kf.Gallery.open(gallery) as opened:
        assert opened.parts.fused.index.dim == 4 and "adapters" not in opened.info()


def test_without_a_gain_nothing_changes(gallery, capsys, monkeypatch) -> None:
    monkeypatch.setattr(kf.Gallery, "learn_adapters", learnt(0.5))
    before = (gallery / "MANIFEST.json").read_bytes()
    assert main(["train", "adapter", str(gallery)]) == 1
    assert "stays as it is" in capsys.readouterr().out
    assert (gallery / "MANIFEST.json").read_bytes() == before


def test_what_cannot_be_adapted(gallery, classes, tmp_path, capsys) -> None:
    assert main(["train", "adapter", str(tmp_path / "none.kin")]) == 2
    assert "there is no such gallery" in capsys.readouterr().err
    with kf.Gallery.create(tmp_path / "v.kin", engine="vlad", codewords=2) as plain:
        plain.update(classes, verbose=False)
    assert main(["train", "adapter", str(tmp_path / "v.kin"), "--quiet"]) == 2
    assert "index the photos with --weights FILE" in capsys.readouterr().err
    assert main(["train", "adapter", str(gallery), "--quiet", "--least-inliers", "1000"]) == 2
    assert "geometry confirms of no two photos" in capsys.readouterr().err
