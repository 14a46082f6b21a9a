"""Galleries whose local features a network finds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("cv2")
Image = pytest.importorskip("PIL.Image")

sys.path.insert(0, str(Path(__file__).parents[1] / "local" / "extractors"))
from networks import picture, saved

from kinfold.base.errors import FileFormatError
from kinfold.gallery import Gallery
from kinfold.gallery.segments import read_segment
from kinfold.local.extractors.xfeat import Network

SMALL = {
    "features": "xfeat",
    "engine": "asmk+vlad",
    "max_features": 80,
    "visual_words": 16,
    "codewords": 4,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(Network(), tmp_path_factory.mktemp("weights") / "xfeat.safetensors")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(4):
        Image.fromarray(picture(128, 160, number)).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, photos: Path, weights: Path) -> Path:
    path = tmp_path_factory.mktemp("made") / "g.kin"
    with Gallery.create(path, local_weights=weights, **SMALL) as gallery:
        gallery.update(photos, verbose=False)
    return path


def test_a_photo_is_found_and_verified(made: Path, photos: Path) -> None:
    with Gallery.open(made) as gallery:
        assert gallery.settings.features == "xfeat"
        hits = gallery.search(photos / "2.png", top=2, rerank=("spatial",))
        assert hits[0].path == "2.png"
        segment = read_segment(next((made / "segments").iterdir()))
        assert segment.descriptors.dtype == np.int8 and segment.descriptors.shape[1] == 64


def test_weights_are_kept_in_the_gallery_and_put_back(
    made: Path, photos: Path, weights: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "g.kin"
    shutil.copytree(made, copy)
    (file,) = (copy / "parts").glob("weights-*")
    file.unlink()
    with Gallery.open(copy) as gallery, pytest.raises(FileFormatError, match="--local-weights"):
        gallery.search(photos / "1.png")
    with Gallery.open(copy) as gallery:
        gallery.restore_weights([weights])
        assert gallery.search(photos / "1.png", rerank=("spatial",))[0].path == "1.png"


def test_weights_and_names_must_fit(tmp_path: Path, weights: Path) -> None:
    for options, message in (
        ({"features": "sift", "local_weights": weights}, "local_weights: SIFT has none"),
        ({"features": "aliked"}, "local_weights: aliked needs"),
        ({"features": "xfeat", "local_weights": [weights] * 4}, "local_weights: expected at most"),
        ({"features": "surf"}, "features: expected one of"),
    ):
        with pytest.raises(ValueError, match=message):
            Gallery.create(tmp_path / "g.kin", **options)
        assert not (tmp_path / "g.kin").exists()
    with pytest.raises(FileFormatError, match="not those of ALIKED"):
        Gallery.create(tmp_path / "g.kin", features="aliked", local_weights=weights)


def test_other_features_are_another_gallery(made: Path, photos: Path, weights: Path) -> None:
    from kinfold.base.errors import GalleryError

    with pytest.raises(GalleryError, match="was learnt for other settings"):
        Gallery.create(
            made.parent / "other.kin",
            model=made,
            local_weights=weights,
            **{**SMALL, "max_features": 70},
        )
