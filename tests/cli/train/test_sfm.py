"""Learning from a folder without labels, from its photos to weights that a gallery takes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
import kinfold as kf
from kinfold.cli import main
from kinfold.datasets.synthetic import render_collection

QUICK = ("--epochs", "2", "--side", "96", "--k", "2", "--rate", "1e-3")


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three buildings, four views of each, and two other photos. Not to be changed."""
    root = tmp_path_factory.mktemp("sfm") / "street"
    render_collection(root, scenes=3, views=4, distractors=2, size=(320, 240), verbose=False)
    return root / "jpg"


def learn(photos: Path, weights: Path, out: Path, *more: str) -> int:
    return main(["train", "sfm", str(photos), "--weights", str(weights), "-o", str(out), *QUICK, *more])  # fmt: skip


@pytest.mark.slow
def test_weights_that_a_gallery_takes(street, weights, tmp_path, capsys) -> None:
    out, told = tmp_path / "net.safetensors", tmp_path / "told.json"
    # A copy, and what is no photo.
    photos = tmp_path / "photos"
    shutil.copytree(street, photos)
    first = min(photos.glob("*.jpg"))
    shutil.copy(first, photos / "copy.jpg")
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    code = learn(photos, weights, out, "--json", str(told))
    captured = capsys.readouterr()
    assert code == 0, captured.err
    report = json.loads(told.read_text())
    assert report["recipe"] == "sfm" and len(report["epochs"]) == 2
    assert f"in {report['measured']['clusters']} clusters" in captured.err
    assert "skipped broken.jpg" in captured.err
    with kf.Gallery.open(Path(report["folder"]) / "photos.kin") as gallery:
        graph = gallery.matches(verbose=False)
        names = [gallery.photo(int(id)).path for id in graph.ids]
        pairs = [[names[at] for at in graph.tried[row]] for row in graph.confirmed()]
    # Such as place002_01.jpg and query002_00.jpg.
    assert len(pairs) > 5 and all(a[5:8] == b[5:8] for a, b in pairs if "copy.jpg" not in (a, b))
    vectors = kf.load(tmp_path / "net.kin").describe_all(
        [first, photos / "copy.jpg"], verbose=False
    )
    assert np.allclose(vectors[0], vectors[1]) and np.allclose(np.linalg.norm(vectors, axis=1), 1)
    gallery = tmp_path / "g.kin"
    assert main(["index", str(photos), "-o", str(gallery), "--weights", str(out), "--quiet"]) == 0
    # The gallery serves as well, for the same clusters and the same weights.
    again = tmp_path / "again.safetensors"
    assert learn(Path(report["folder"]) / "photos.kin", weights, again, "--quiet") == 0
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.slow
def test_interrupted_it_goes_on(street, weights, tmp_path, capsys, monkeypatch) -> None:
    """First while pairs are compared, then while the network learns."""
    out, whole = tmp_path / "net.safetensors", tmp_path / "whole.safetensors"
    assert learn(street, weights, whole, "--quiet") == 0
    from kinfold.learn.mine.sfm_tuples import SfMTuples
    from kinfold.local.match_graph import MatchGraph

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MatchGraph, "extended", stopped)
        assert learn(street, weights, out, "--quiet") == 130
    mined = SfMTuples.__call__
    with monkeypatch.context() as patch:
        patch.setattr(
            SfMTuples,
            "__call__",
            lambda self, d, epoch: stopped() if epoch else mined(self, d, epoch),
        )
        assert learn(street, weights, out, "--quiet") == 130
    assert "--resume goes on" in capsys.readouterr().err
    assert learn(street, weights, out, "--quiet") == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert learn(street, weights, out, "--quiet", "--resume") == 0
    assert out.read_bytes() == whole.read_bytes()


def test_clusters_of_a_file(street, weights, tmp_path, capsys) -> None:
    import pickle

    names = [f"place{place:03}_{view:02}" for place in range(3) for view in range(4)]
    photos = tmp_path / "ims"
    for at, name in enumerate(names):
        folder = photos / name[-2:] / name[-4:-2] / name[-6:-4] if at == 0 else photos
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(street / f"{name}.jpg", folder / (name if at % 2 == 0 else f"{name}.jpg"))
    clusters = [place for place in range(3) for _ in range(4)]
    lists = {"cids": names, "cluster": clusters, "qidxs": [0, 5, 1], "pidxs": [1, 7, 0]}
    file = tmp_path / "clusters.pkl"
    file.write_bytes(pickle.dumps({"train": lists}))
    out = tmp_path / "net.safetensors"
    assert learn(photos, weights, out, "--clusters", str(file)) == 0
    assert "12 photos in 3 clusters, 2 pairs" in capsys.readouterr().err
    assert out.is_file() and not (tmp_path / "net.safetensors.training" / "photos.kin").exists()
    (photos / f"{names[3]}.jpg").unlink()
    assert learn(photos, weights, tmp_path / "n", "--clusters", str(file), "--quiet") == 2
    assert f"{names[3]}: there is no such photo" in capsys.readouterr().err
    file.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    assert learn(photos, weights, tmp_path / "n", "--clusters", str(file), "--quiet") == 2
    assert "refused: it asks for" in capsys.readouterr().err


def test_clusters_are_held_out_to_judge_by() -> None:
    from kinfold.cli.train.sfm import _split

    clusters = np.concatenate([np.repeat(np.arange(10), 3), np.full(5, -1)])
    learnt, judged = _split(clusters, 0.3, 0)
    held = set(clusters[judged].tolist()) - {-1}
    assert len(held) == 3 and not held & set(clusters[learnt].tolist())
    assert len(learnt) == 26 and len(judged) == 14
    for share in (0.2, 0.0):
        learnt, judged = _split(clusters, share, 0)
        assert len(learnt) == 35 and not len(judged)


@pytest.mark.parametrize(
    ("chosen", "match"),
    [
        (lambda names: names[:3], "show the same thing by 200 verified matches: there is nothing"),
        (lambda names: [], "there is no photo"),
    ],
)
def test_too_few_photos_are_one_line(chosen, match, street, weights, tmp_path, capsys) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for file in chosen(sorted(street.glob("*.jpg"))):
        shutil.copy(file, photos)
    assert learn(photos, weights, tmp_path / "n", "--quiet", "--least-inliers", "200") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and (match in error or "no photo" in error)


def test_one_cluster_has_no_negatives(street, weights, tmp_path, capsys) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for file in street.glob("place000*"):
        shutil.copy(file, photos)
    code = learn(photos, weights, tmp_path / "n", "--quiet")
    assert code == 2
    assert "two at least" in capsys.readouterr().err


def test_weights_of_another_network(street, weights, tmp_path, capsys) -> None:
    out = tmp_path / "net.safetensors"
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_bytes(weights.read_bytes()[:-8])
    assert learn(street, wrong, out, "--quiet") == 2
    assert capsys.readouterr().err.count("\n") == 1
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights

    assert learn(street, weights, out, "--quiet") == 0
    other = tmp_path / "other.safetensors"
    save_weights(other, random_network("compact", 1), "compact")
    assert learn(street, other, out, "--quiet", "--resume") == 2
    assert "was made with others" in capsys.readouterr().err


def test_weights_and_whitening_have_names_of_their_own(street, weights, tmp_path, capsys) -> None:
    assert learn(street, weights, tmp_path / "net.kin") == 2
    assert "output: expected a name of weights" in capsys.readouterr().err
    (tmp_path / "net.kin").mkdir()
    assert learn(street, weights, tmp_path / "net.safetensors") == 2
    assert "net.kin" in capsys.readouterr().err


def test_without_pycolmap(street, weights, tmp_path, capsys, monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pycolmap", None)
    assert learn(street, weights, tmp_path / "n", "--points", "reconstruction") == 2
    assert "pip install 'kinfold[colmap]'" in capsys.readouterr().err
