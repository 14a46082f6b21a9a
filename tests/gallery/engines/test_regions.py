"""Galleries that match regions, and R-MAC over them: against the network's own modules and loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("torch")
from safetensors.torch import save_file

from kinfold import Gallery, GalleryError
from kinfold.features.extract import Extractor
from kinfold.features.pool.regions import Regions
from kinfold.features.pool.rmac import RMAC
from kinfold.gallery.describe import Describer
from kinfold.gallery.engines.regions import RegionsEngine
from kinfold.gallery.settings import Settings
from kinfold.images.decode import decode
from kinfold.images.resize import fit
from kinfold.index.regional import cross_match

from ..conftest import noise, small_photos, write_photo

CHEAP = {
    "max_features": 60,
    "network_side": 96,
    "network_scales": (1.0, 0.6),
    "network_dim": 8,
    "dim": 8,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from kinfold.features.weights import random_network

    file = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_file(random_network("compact", 0).state_dict(), file)
    return file


@pytest.fixture(scope="module")
def made(tmp_path_factory, weights):
    """made(engine, **settings): a gallery of ten photos, not to be changed."""
    place = tmp_path_factory.mktemp("made")
    photos = small_photos(place / "photos", 10)

    def make(engine: str, **settings) -> Path:
        path = place / "-".join(map(str, [engine, *settings.items()])).replace("/", "_")
        if not path.exists():
            with Gallery.create(path, engine=engine, weights=weights, **CHEAP, **settings) as g:
                g.update(photos, verbose=False)
        return path

    return make


def seen(gallery: Gallery, id: int) -> np.ndarray:
    """A photo as the network sees it."""
    path = gallery.root / gallery.photo(id).path
    return fit(decode(path, max_side=gallery._reader.describer_of_queries().side).pixels, 96)


def test_rmac_whitens_each_region_as_the_module_does(made, weights) -> None:
    """A gallery's vectors are those of the extractor whose pooling holds the whitening of regions."""
    with Gallery.open(made("cnn", pooling="rmac")) as gallery:
        pca = gallery.parts.model.engines["cnn"].whitening
        network = Extractor(weights, pooling=RMAC(whitening=pca), scales=(1.0, 0.6), max_side=96)
        plain = Extractor(weights, pooling="rmac", scales=(1.0, 0.6), max_side=96)
        for id in gallery.parts.ids.tolist():
            pixels = seen(gallery, id)
            held = gallery.parts.fused.index.reconstruct([id])[0]
            expected = network.describe(pixels)
            assert held @ expected > 0.99998
            # What is whitened after the sum is something else.
            whole = pca.transform(plain.describe(pixels)[None])[0]
            assert held @ whole / np.linalg.norm(whole) < 0.999
        query = gallery.describe(gallery.root / "3.jpg")
        hits = gallery.search(gallery.root / "3.jpg", top=2, rerank=())
        assert hits[0].path == "3.jpg" and hits[0].score == pytest.approx(1, abs=1e-5)
        assert query.vector.shape == (8,)


def test_the_whitening_is_of_regions_of_all_scales(made, weights) -> None:
    from kinfold.gallery.engines.base import learn_whitening

    with Gallery.open(made("cnn", pooling="rmac")) as gallery:
        network = Extractor(weights, pooling="rmac", scales=(1.0, 0.6), max_side=96)
        every = [
            regions
            for id in sorted(gallery.parts.ids.tolist())
            for regions in network.describe_with_regions(seen(gallery, id), Regions())[1]
        ]
        expected = learn_whitening(np.concatenate(every), 8, 0.25)
        pca = gallery.parts.model.engines["cnn"].whitening
        np.testing.assert_allclose(pca.affine()[0], expected.affine()[0], atol=1e-4)
        a, b = pca.affine()[1], expected.affine()[1]
        np.testing.assert_allclose(a @ a.T, b @ b.T, rtol=0.02, atol=0.02)


def by_hand(gallery: Gallery, weights: Path, source) -> dict[int, float]:
    """The similarity of a query to each photo: maps, regions, whitening, matches, written out."""
    engine = gallery.parts.model.engines["regions"]
    network = Extractor(weights, pooling="mac", scales=(1.0,), max_side=96)
    grid = Regions()

    def regions(pixels) -> np.ndarray:
        rows = network.describe_with_regions(pixels, grid)[1][0].astype(np.float16)
        moved = engine.whitening.transform(rows.astype(np.float32))
        return moved / np.linalg.norm(moved, axis=1, keepdims=True)

    query = regions(fit(source, 96))
    return {
        id: float(np.mean([max(q @ r for r in regions(seen(gallery, id))) for q in query]))
        for id in gallery.parts.ids.tolist()
    }


@pytest.mark.parametrize("search", ["Flat", "IVF4,Flat"])
def test_a_gallery_of_regions_ranks_by_matches(made, weights, search) -> None:
    source = noise(4)
    with Gallery.open(made("regions", search=search)) as gallery:
        assert ("regionsearch" in gallery.parts.fused.nearest) == (search != "Flat")
        expected = by_hand(gallery, weights, source)
        answer = gallery.rank(gallery.describe(source), rerank=())
        assert answer.ids.tolist() == sorted(expected, key=lambda i: -expected[i])
        scores = dict(zip(answer.ids.tolist(), answer.ranked.scores.tolist()))
        assert scores == pytest.approx(expected, abs=2e-4)
        told = gallery.info(verify=True)
        assert told.get("search_of_regions", {}).get("index") == (
            None if search == "Flat" else search
        )


def test_second_looks_at_regions_beside_another_engine(made, weights) -> None:
    with Gallery.open(made("cnn", regions=True)) as gallery:
        assert gallery.parts.model.shares["regions"] == 0 and not gallery.parts.fused.lists
        source = noise(7)
        expected = by_hand(gallery, weights, source)
        query = gallery.describe(source)
        plain = gallery.rank(query, rerank=())
        similar = dict(zip(plain.ids.tolist(), plain.ranked.scores.tolist()))
        summed = {id: expected[id] + similar[id] for id in expected}
        answer = gallery.rank(query, rerank=("regions",))
        assert answer.ids.tolist() == sorted(summed, key=lambda i: -summed[i])
        few = gallery.rank(query, rerank=("regions",), verify_top=4)
        assert sorted(few.ids[:4]) == sorted(plain.ids[:4])
        assert few.ids[4:].tolist() == plain.ids[4:].tolist()
        for stages in (("regional-diffusion",), ("spatial", "regions"), ("regions", "diffusion")):
            hits = gallery.search(source, rerank=stages, top=3)
            assert hits[0].path == "7.jpg", stages


def test_the_sum_of_engines_is_weighed(made, weights) -> None:
    with Gallery.open(made("regions+cnn", shares=(0.25, 0.75))) as gallery:
        source = noise(2)
        expected = by_hand(gallery, weights, source)
        query = gallery.describe(source)
        vectors = gallery.parts.fused.index
        found = gallery.rank(query, rerank=())
        for id, score in zip(found.ids.tolist(), found.ranked.scores.tolist()):
            whole = float(vectors.reconstruct([id])[0] @ query.vector)
            assert score == pytest.approx(0.25 * expected[id] + whole, abs=2e-4)


@pytest.mark.parametrize("search", ["Flat", "IVF2,SQ8"])
def test_regions_come_and_go_with_photos(tmp_path, weights, search) -> None:
    photos = small_photos(tmp_path / "photos", 9)
    settings = {
        "engine": "regions+tembedding",
        "weights": weights,
        "search": search,
        "centroids": 2,
    }
    with Gallery.create(tmp_path / "g.kin", **settings, **CHEAP) as gallery:
        gallery.update(photos, verbose=False)
        for number in (0, 3):
            (photos / f"{number}.jpg").unlink()
        write_photo(photos / "1.jpg", noise(31))
        write_photo(photos / "new.jpg", noise(30))
        gallery.update(verbose=False, prune=True)
        regional = gallery.parts.fused.lists["regions"]
        assert len(gallery) == len(regional) == 8
        for name, seed in (("new.jpg", 30), ("1.jpg", 31), ("5.jpg", 5)):
            assert gallery.search(noise(seed), top=1, rerank=())[0].path == name
        if search != "Flat":
            held = gallery.parts.fused.nearest["regionsearch"].index
            np.testing.assert_array_equal(np.sort(held.ids), regional.rows)
            np.testing.assert_allclose(
                held.reconstruct(regional.rows), regional.vectors[regional.rows], atol=0.05
            )
        # More than a quarter gone: rows are numbered anew, and the index with them.
        for number in (4, 5, 6):
            (photos / f"{number}.jpg").unlink()
        gallery.update(verbose=False, prune=True)
        regional = gallery.parts.fused.lists["regions"]
        assert regional.stats()["removed"] == 0 and len(gallery) == 5
        assert gallery.search(noise(8), top=1, rerank=())[0].path == "8.jpg"
        gallery.info(verify=True)


def test_neighbours_are_the_best_matches_of_each(made) -> None:
    with Gallery.open(made("regions")) as gallery:
        lists = gallery.parts.fused.lists["regions"]
        engine = gallery.parts.model.engines["regions"]
        found = engine.neighbours(lists, 3)
        items = lists.items(lists.ids)
        starts = np.concatenate([[0], np.cumsum([len(item) for item in items])])
        for row, item in enumerate(items):
            scores = cross_match(item, np.concatenate(items), starts)
            scores[row] = -np.inf
            assert found.ids[row].tolist() == np.argsort(-scores, kind="stable")[:3].tolist()
            np.testing.assert_allclose(found.distances[row], np.sort(scores)[::-1][:3], atol=1e-6)
        wide = engine.neighbours(lists, 15)
        assert (wide.ids[:, 9:] == -1).all() and np.isneginf(wide.distances[:, 9:]).all()


def test_a_box_is_matched_alone(made) -> None:
    with Gallery.open(made("regions")) as gallery:
        other = np.random.default_rng(0).integers(0, 256, (96, 120, 3), np.uint8)
        other[20:80, 30:100] = noise(6)[20:80, 30:100]
        box = (30, 20, 100, 80)
        one, two = (gallery.describe(photo, box=box) for photo in (noise(6), other))
        np.testing.assert_array_equal(one.regions[0].vectors, two.regions[0].vectors)


def test_what_lacks_regions_is_told(made, weights, tmp_path) -> None:
    with Gallery.open(made("cnn")) as gallery:
        for stage in ("regions", "regional-diffusion"):
            with pytest.raises(GalleryError, match=f"{stage} needs the regions .* --regions"):
                gallery.search(noise(0), rerank=("spatial", stage))
        segment = gallery._reader.segments.get(gallery.photo(int(gallery.parts.ids[0])).segment)
    with pytest.raises(GalleryError, match="without regions"):
        RegionsEngine.learn([segment], Settings(engine="regions"))
    with pytest.raises(ValueError, match="^weights: "):
        Gallery.create(tmp_path / "g.kin", engine="regions")
    for bad in ({"regions": 3}, {"regions": True, "layer": "flatten"}):
        with pytest.raises(ValueError, match="^regions: "):
            Gallery.create(tmp_path / "g.kin", weights=weights, engine="cnn", **bad)
    plain, kept = (
        Describer(Settings(engine="cnn", regions=regions), [weights]).fingerprint
        for regions in (False, True)
    )
    assert plain != kept
