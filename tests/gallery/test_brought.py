"""The engines that Kinfold brings: whole, small, used by galleries of some hundreds of photos with default settings."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from kinfold.gallery.brought import BROUGHT_FOR, FILE, brought, brought_engines
from kinfold.gallery.describe import Describer
from kinfold.gallery.settings import Settings

pytest.importorskip("cv2")
pytest.importorskip("PIL")

from kinfold import Gallery
from kinfold.gallery.write import build

WORDS = 16_384


def words_of(gallery) -> np.ndarray:
    return gallery.parts.model.engines["asmk"].learnt.words.centroids


def test_the_file_is_small_and_of_how_photos_are_described() -> None:
    assert FILE.stat().st_size <= 5_000_000
    model = brought()
    assert model.fingerprint == Describer(Settings(), []).fingerprint
    assert set(model.engines) == {"asmk", "tembedding", "colour"}
    words = model.engines["asmk"].learnt.words.centroids
    assert words.shape == (WORDS, 128) and len(np.unique(words, axis=0)) > 0.99 * WORDS


@pytest.mark.parametrize("other", [{"visual_words": 64}, {"max_features": 300}, {"seed": 1}])
def test_other_settings_are_learnt(other) -> None:
    assert brought_engines(Settings(**other)) == {}


def test_engines_that_are_not_brought_are_learnt() -> None:
    assert set(brought_engines(Settings(engine="asmk+vlad"))) == {"asmk"}
    assert brought_engines(Settings(engine="vlad")) == {}


@pytest.fixture(scope="module", autouse=True)
def taken_by_few():
    """Galleries of a few photos take what is brought, so that tests need no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "BROUGHT_FOR", range(1, 5000))
        yield


@pytest.fixture(scope="module")
def few(rendered, tmp_path_factory, taken_by_few):
    """A gallery of two scenes with the default settings, and its photos."""
    place = tmp_path_factory.mktemp("brought")
    for scene in ("scene0", "scene1"):
        shutil.copytree(rendered / scene, place / "photos" / scene)
    with Gallery.create(place / "g.kin") as gallery:
        gallery.update(place / "photos", verbose=False)
    return place


@pytest.fixture
def place(few, tmp_path):
    return shutil.copytree(few, tmp_path / "few")


def answers(gallery, query) -> list[tuple[str, float]]:
    return [(hit.path, hit.score) for hit in gallery.search(query, top=8)]


def test_a_small_gallery_learns_its_whitenings_alone(place, rendered) -> None:
    with Gallery.open(place / "g.kin") as gallery:
        np.testing.assert_array_equal(
            words_of(gallery), brought().engines["asmk"].learnt.words.centroids
        )
        engine = gallery.parts.model.engines["tembedding"]
        assert engine.whitening is not None and engine.whitening.n_features_in_ == 15 * 128
        assert "brings" in gallery.info()["brought"] and gallery.info()["model_learnt_on"] == 8
        found = {hit.path for hit in gallery.search(rendered / "scene1" / "view0.jpg").found}
        assert found == {f"scene1/view{i}.jpg" for i in range(4)}


def test_growing_whitens_anew_and_keeps_the_words_of_photos(place, rendered, tmp_path) -> None:
    shutil.copytree(rendered / "scene2", place / "photos" / "scene2")
    query = rendered / "scene2" / "view1.jpg"
    with Gallery.open(place / "g.kin") as gallery:
        assert gallery.update(place / "photos", verbose=False).relearnt
        assert gallery.info()["model_learnt_on"] == 12 and "brought" in gallery.info()
        grown = answers(gallery, query)
        gallery.info(verify=True)
    with Gallery.create(tmp_path / "fresh.kin") as gallery:
        gallery.update(place / "photos", verbose=False)
        fresh = answers(gallery, query)
    assert [path for path, _ in grown] == [path for path, _ in fresh]
    np.testing.assert_allclose([s for _, s in grown], [s for _, s in fresh], atol=1e-5)


def test_learning_anew_is_asked_for_and_stays(place, rendered) -> None:
    with Gallery.open(place / "g.kin") as gallery:
        gallery.update(place / "photos", relearn=True, verbose=False)
        assert "brought" not in gallery.info() and len(words_of(gallery)) < WORDS
        shutil.copytree(rendered / "scene2", place / "photos" / "scene2")
        assert gallery.update(place / "photos", verbose=False).relearnt
        assert "brought" not in gallery.info()


def test_a_large_gallery_learns_its_own(place, rendered, monkeypatch) -> None:
    monkeypatch.setattr(build, "BROUGHT_FOR", range(1, 12))
    shutil.copytree(rendered / "scene2", place / "photos" / "scene2")
    with Gallery.open(place / "g.kin") as gallery:
        assert gallery.update(place / "photos", verbose=False).relearnt
        assert "brought" not in gallery.info() and len(words_of(gallery)) < WORDS


def test_a_model_is_saved_with_what_was_brought(place) -> None:
    with Gallery.open(place / "g.kin") as gallery:
        model = gallery.parts.model
    again = type(model).from_state(model.params(), model.arrays())
    assert again.brought == ("asmk", "colour", "tembedding")
    with pytest.raises(ValueError, match="brought"):
        type(model).from_state({**model.params(), "brought": ["cnn"]}, model.arrays())


def test_few_photos_learn_their_own(rendered, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(build, "BROUGHT_FOR", BROUGHT_FOR)
    with Gallery.create(tmp_path / "g.kin") as gallery:
        gallery.update(rendered / "scene0", verbose=False)
        assert "brought" not in gallery.info() and len(words_of(gallery)) < WORDS
