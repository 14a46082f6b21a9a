"""A gallery whose vectors an adapter makes: as by hand, kept by updates, taken back, whole whatever interrupts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
from safetensors.torch import save_file

import kinfold as kf
from kinfold import Gallery, GalleryError
from kinfold.gallery.describe import Describer
from kinfold.gallery.store import Store
from kinfold.learn.adapter import Adapter
from kinfold.transform.normalize import l2_normalize

from ..conftest import noise, small_photos, view, write_photo

CHEAP = {"max_features": 60, "network_side": 64, "network_scales": (1.0,), "network_dim": 8}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from kinfold.features.weights import random_network

    files = [tmp_path_factory.mktemp("weights") / f"{seed}.safetensors" for seed in range(2)]
    for seed, file in enumerate(files):
        save_file(random_network("compact", seed).state_dict(), file)
    return files


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, weights: list[Path]) -> Path:
    """Eight photos and their gallery, not to be changed."""
    place = tmp_path_factory.mktemp("made")
    small_photos(place / "photos", 8)
    with Gallery.create(place / "g.kin", engine="cnn", weights=weights[0], **CHEAP) as gallery:
        gallery.update(place / "photos", verbose=False)
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "here"))


def told(dim: int, seed: int = 0) -> Adapter:
    """An adapter of numbers that are told, not learnt."""
    random = np.random.default_rng(seed)
    adapter = Adapter(5, runs=1, epochs=1, verbose=False)
    adapter.mean = (random.random(dim) / 10).astype(np.float32)
    adapter.projection = random.normal(size=(dim, 5)).astype(np.float32)
    adapter._rest, adapter.n_features_in_ = None, dim
    adapter.pairs_, adapter.before_, adapter.after_ = 12.0, 0.5, 0.75
    return adapter


def names(path: Path) -> dict[str, str]:
    """The parts, whose names are digests of their contents."""
    return json.loads((path / "MANIFEST.json").read_text())["parts"]


def stays(gallery: Gallery, adapter: Adapter) -> None:
    """Vectors, graph and answers are those of the adapter."""
    ids, raw = gallery.descriptors()
    wanted = l2_normalize(adapter.transform(raw))
    parts = gallery.parts
    assert sorted(parts.ids.tolist()) == ids.tolist()
    held = parts.fused.index.reconstruct(ids)
    assert np.array_equal(held, wanted)
    graph = kf.KNNGraph(gallery.settings.neighbours).fit(parts.fused.index.reconstruct(parts.ids))
    assert np.array_equal(parts.graph.neighbours, graph.neighbours)
    assert np.allclose(parts.graph.weights, graph.weights, atol=1e-6)
    query = gallery.describe(noise(3))
    assert query.vector.shape == (5,)
    hits = gallery.search(noise(3), top=1, rerank=())
    assert hits[0].path == "3.jpg"


def test_vectors_are_the_adapter_s_and_no_photo_is_described_again(place, monkeypatch) -> None:
    before = names(place / "g.kin")
    with Gallery.open(place / "g.kin") as gallery:
        adapter = told(gallery.descriptors()[1].shape[1])
        with monkeypatch.context() as patch:
            patch.setattr(Describer, "files", None)
            assert gallery.adapt(adapter) == []
        stays(gallery, adapter)
        assert gallery.info()["adapters"] == {
            "network 1": "learnt from 12 pairs; mAP of pairs held out 0.750, whitened 0.500"
        }
        assert gallery.info(verify=True)["verified"]
    with Gallery.open(place / "g.kin") as again:
        stays(again, adapter)
        assert len(list((place / "g.kin" / "parts").iterdir())) == len(before)  # swept
        again.adapt(None)
        assert "adapters" not in again.info()
    # Taken back, every byte is what it was.
    assert names(place / "g.kin") == before


@pytest.mark.parametrize("relearn", [False, True])
def test_updates_keep_it(place, relearn) -> None:
    with Gallery.open(place / "g.kin") as gallery:
        adapter = told(gallery.descriptors()[1].shape[1])
        gallery.adapt(adapter)
        small_photos(place / "photos", 5, first=8)  # more than half as many: learnt anew by itself
        (place / "photos" / "0.jpg").unlink()
        changes = gallery.update(place / "photos", relearn=relearn, verbose=False)
        assert changes.added == 5 and changes.removed == 1
        stays(gallery, adapter)
        assert gallery.update(place / "photos", verbose=False).added == 0
        stays(gallery, adapter)


def test_another_gallery_takes_the_model_with_it(place, weights, tmp_path) -> None:
    with Gallery.open(place / "g.kin") as gallery:
        adapter = told(gallery.descriptors()[1].shape[1])
        gallery.adapt(adapter)
    given = {"engine": "cnn", "weights": weights[0], **CHEAP}
    with Gallery.create(tmp_path / "new.kin", model=place / "g.kin", **given) as new:
        new.update(place / "photos", verbose=False)
        stays(new, adapter)


def test_inverted_files_stay(made, weights, tmp_path) -> None:
    given = {"engine": "asmk+cnn", "weights": weights, "visual_words": 16, **CHEAP}
    with Gallery.create(tmp_path / "g.kin", **given) as gallery:
        gallery.update(made / "photos", verbose=False)
        before, dims = names(gallery.path), [gallery.descriptors(i)[1].shape[1] for i in (0, 1)]
        second = told(dims[1])
        gallery.adapt([None, second])
        after = names(gallery.path)
        assert before["asmk"] == after["asmk"] and before["index"] != after["index"]
        ids, raw = gallery.descriptors(1)
        share = gallery.parts.model.shares["cnn"]
        held = gallery.parts.fused.index.reconstruct(ids)[:, -5:]
        assert np.allclose(held, l2_normalize(second.transform(raw)) * (share / 2) ** 0.5, atol=1e-6)  # fmt: skip
        assert list(gallery.info()["adapters"]) == ["network 2"]


@pytest.mark.parametrize("at", range(4))
def test_interrupted_anywhere_it_is_as_before(place, monkeypatch, at) -> None:
    """Before the first part is written, and before the manifest is."""
    path, calls = place / "g.kin", []

    def stopped(method):
        def call(self, *arguments, **options):
            calls.append(method.__name__)
            if len(calls) > at:
                raise KeyboardInterrupt
            return method(self, *arguments, **options)

        return call

    with Gallery.open(path) as gallery:
        before = names(path)
        vectors = gallery.parts.fused.index.reconstruct(gallery.parts.ids)
        adapter = told(gallery.descriptors()[1].shape[1])
        with monkeypatch.context() as patch:
            patch.setattr(Store, "add", stopped(Store.add))
            patch.setattr(Store, "write", stopped(Store.write))
            with pytest.raises(KeyboardInterrupt):
                gallery.adapt(adapter)
        assert names(path) == before
        assert np.array_equal(gallery.parts.fused.index.reconstruct(gallery.parts.ids), vectors)
        gallery.adapt(adapter)
        stays(gallery, adapter)


def test_what_does_not_fit_is_told(place, tmp_path) -> None:
    with Gallery.open(place / "g.kin") as gallery:
        before, dim = names(gallery.path), gallery.descriptors()[1].shape[1]
        with pytest.raises(ValueError, match="was it learnt with other weights"):
            gallery.adapt(told(dim + 1))
        with pytest.raises(ValueError, match="one or None for each of 1 networks"):
            gallery.adapt([None, told(dim)])
        with pytest.raises(ValueError, match="adapters: expected"):
            gallery.adapt("adapter")  # type: ignore[arg-type]
        with pytest.raises(GalleryError, match="descriptors of 1 networks, not of 2"):
            gallery.descriptors(1)
        assert names(gallery.path) == before
    small_photos(tmp_path / "few", 3)
    with Gallery.create(tmp_path / "v.kin", engine="vlad", codewords=4, max_features=60) as plain:
        with pytest.raises(GalleryError, match="holds no photos yet"):
            plain.adapt(None)
        plain.update(tmp_path / "few", verbose=False)
        with pytest.raises(GalleryError, match="made without: kinfold index"):
            plain.adapt(told(3))
        with pytest.raises(GalleryError, match="index the photos with --weights FILE"):
            plain.learn_adapters(verbose=False)
        assert plain.weights == []


def test_pairs_that_geometry_confirms_are_learnt_from(tmp_path, weights) -> None:
    for scene in range(4):
        for number in range(3):
            write_photo(tmp_path / "photos" / f"{scene}-{number}.jpg", view(scene, number))
    given = {**CHEAP, "max_features": 400, "network_dim": 6}
    with Gallery.create(tmp_path / "g.kin", engine="cnn", weights=weights[0], **given) as gallery:
        gallery.update(tmp_path / "photos", verbose=False)
        kept = gallery.learn_adapters(runs=1, epochs=3, held_out=0.4, verbose=False)
        matches = gallery.matches(verbose=False)
        pairs = matches.ids[matches.tried[matches.confirmed()]]
        ids, x = gallery.descriptors()
        by_hand = Adapter(6, runs=1, epochs=3, held_out=0.4, verbose=False)
        by_hand.fit(x, np.searchsorted(ids, pairs))
        if by_hand.after_ > by_hand.before_:
            assert np.array_equal(kept[0].projection, by_hand.projection)
        else:
            assert kept == [None]
        assert len(pairs) >= 8


def test_nothing_that_matches(place) -> None:
    told = pytest.raises(GalleryError, match="geometry confirms of no two photos")
    with Gallery.open(place / "g.kin") as gallery, told:
        gallery.learn_adapters(verbose=False)
