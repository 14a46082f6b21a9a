"""The index under a gallery's vectors: what it proposes, what it loses, how it comes and goes with photos."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import kinfold as kf
from kinfold.base.errors import FileFormatError, GalleryError
from kinfold.gallery.vector_search import (
    AUTO_LEAST,
    SHORTLIST,
    VectorSearch,
    check_enough,
    checked_spelling,
    in_line,
    spelling,
)


def points(rng: np.random.Generator, n: int, dim: int = 16) -> np.ndarray:
    """Vectors of length one around a few directions."""
    middles = rng.standard_normal((12, dim))
    x = middles[rng.integers(12, size=n)] + 0.6 * rng.standard_normal((n, dim))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def of(x: np.ndarray, names: np.ndarray):
    """Vectors by id."""
    row = {int(name): at for at, name in enumerate(names)}
    return lambda ids: x[[row[int(id)] for id in ids]]


@pytest.mark.parametrize("spec", ["SQ8", "IVF32,PQ4x4", "IVF32,SQ8", "PQ2x4", "KDForest4,SQ8"])
def test_what_it_loses_is_what_loops_count(rng, spec) -> None:
    x, ids = points(rng, 900), rng.permutation(5000)[:900]
    made = VectorSearch.learn(spec, x, ids, seed=3).measured(x, ids)
    assert made.learnt_on == 900
    row = {int(id): at for at, id in enumerate(ids)}
    shares: dict[str, list[float]] = {"recall": [], "alone": []}
    for at in range(0, 800, 4):
        similar = x @ x[at]
        others = [i for i in np.argsort(-similar) if i != at]
        best = set(others[:10])
        near = made.search(x[at], SHORTLIST).ids
        found = [row[int(i)] for i in near if i >= 0 and row[int(i)] != at]
        ranked = sorted(found, key=lambda i: -similar[i])[:10]
        shares["recall"].append(len(best & set(ranked)) / 10)
        shares["alone"].append(len(best & set(found[:10])) / 10)
    for name, values in shares.items():
        assert getattr(made, name) == pytest.approx(np.mean(values), abs=0.002), name
    assert made.alone <= made.recall
    assert made.alone < (0.9 if "PQ" in spec else 1.001)


def test_similarities_are_those_of_the_codes(rng) -> None:
    x, ids = points(rng, 300), np.arange(300) * 7
    found = VectorSearch.learn("Flat", x, ids).search(x[:5], 4)
    exact = np.sort(x[:5] @ x.T, axis=1)[:, ::-1][:, :4]
    np.testing.assert_allclose(found.distances, exact, atol=1e-5)
    many = VectorSearch.learn("SQ8", x, ids).search(x[0], 400)
    assert (many.ids[300:] == -1).all() and np.isneginf(many.distances[300:]).all()


def test_lists_are_visited_until_the_nearest_are_found(rng) -> None:
    x, ids = rng.standard_normal((2000, 24)), np.arange(2000)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    narrow = VectorSearch.learn("IVF128,SQ8", x, ids).measured(x, ids)
    wide = in_line(None, "IVF128,SQ8", of(x, ids), ids, seed=0)
    assert narrow.index.nprobe == 16 and narrow.recall < 0.9
    assert wide.index.nprobe in (32, 64, 128) and wide.recall >= 0.99
    many = in_line(None, "IMI2x4,SQ8", of(x, ids), ids, seed=0)
    assert many.recall >= 0.99
    again = VectorSearch.from_state(wide.params(), wide.arrays())
    assert again.index.nprobe == wide.index.nprobe


def test_rows_come_and_go_and_are_learnt_anew_where_they_outgrow_it(rng) -> None:
    x, ids = points(rng, 400), np.arange(400)
    held = in_line(None, "IVF8,SQ8", of(x, ids), ids[:200], seed=0)
    assert in_line(held, "IVF8,SQ8", of(x, ids), ids[:200], seed=0) is held
    cells = held.index.coarse.centroids.copy()
    kept = ids[50:290]
    grown = in_line(held, "IVF8,SQ8", of(x, ids), kept, seed=0)
    np.testing.assert_array_equal(grown.index.ids, kept)
    np.testing.assert_array_equal(grown.index.coarse.centroids, cells)
    assert grown.learnt_on == 200
    # Each row is what an index that was made of these rows at once would have.
    near = grown.search(x[kept], 1).ids[:, 0]
    assert (near == kept).mean() > 0.95
    anew = in_line(grown, "IVF8,SQ8", of(x, ids), ids[:300], seed=0)
    assert anew.learnt_on == 300
    assert (anew.index.coarse.centroids != cells).any()
    other = in_line(anew, "SQ8", of(x, ids), ids[:300], seed=0)
    assert other.spec == "SQ8"
    assert in_line(other, "Flat", of(x, ids), ids[:300], seed=0) is None


def test_the_same_vectors_in_another_order_make_the_same_index(rng) -> None:
    x, ids = points(rng, 300), np.arange(300)
    mixed = rng.permutation(300)
    a, b = (in_line(None, "IVF8,PQ4x4", of(x, ids), order, seed=5) for order in (ids, mixed))
    assert a.params() == b.params()
    for name, array in a.arrays().items():
        np.testing.assert_array_equal(array, b.arrays()[name])


def test_auto_is_the_scan_for_few_and_lists_for_many() -> None:
    assert spelling("auto", AUTO_LEAST - 1) is None and spelling("Flat", 10**7) is None
    assert spelling("auto", AUTO_LEAST) == "IVF1024,LVQ8"
    assert spelling("auto", 1_000_000) == "IVF4096,LVQ8"
    assert spelling("IVF64,SQ8", 10) == "IVF64,SQ8"


@pytest.mark.parametrize("search", ["", "IVF", "magic", "IVF16", 3, None, "Auto", "BFlat,SQ8"])
def test_what_means_nothing_is_refused(search) -> None:
    with pytest.raises(ValueError, match="^search: "):
        checked_spelling(search)


@pytest.mark.parametrize(
    ("spec", "n", "words"),
    [
        ("IVF1024,LOPQ16", 898, ["1,024", "IVF64,LOPQ16, SQ8, Flat, or auto"]),
        ("IVF1k,PQ16x4", 898, ["1,024", "IVF64,PQ16x4, SQ8, Flat"]),
        ("IVF16,PQ8", 100, ["256", "possible: SQ8, Flat"]),
        ("IMI2x8,SQ8", 200, ["256", "possible: SQ8, Flat"]),
        ("IVF16,SQ8", 9, ["16", "IVF1,SQ8"]),
    ],
)
def test_too_few_photos_are_told_with_what_is_possible(spec, n, words) -> None:
    with pytest.raises(GalleryError, match="^search: ") as told:
        check_enough(spec, n)
    assert spec in str(told.value) and f"{n:,} photos" in str(told.value)
    assert all(word in str(told.value) for word in words), told.value
    check_enough(spec, 1024)


def test_files_hold_it(rng, tmp_path) -> None:
    x, ids = points(rng, 300), np.arange(300)
    made = in_line(None, "IVF8,PQ4x4", of(x, ids), ids, seed=0)
    kf.save(made, tmp_path / "s.kin")
    again = kf.load(tmp_path / "s.kin")
    assert again.params() == made.params()
    for got, expected in zip(again.search(x, 7), made.search(x, 7)):
        np.testing.assert_array_equal(got, expected)
    params, arrays = made.params(), made.arrays()
    for bad in (
        {"recall": 2.0},
        {"learnt_on": 0},
        {"learnt_on": "x"},
        {"index": {"kind": "gallery.Model", "params": {}}},
        {"index": {"kind": "index.Nothing", "params": {}}},
        {"index": {"kind": "index.Regional", "params": {"dim": 16}}},
        {"index": 3},
        {"more": 1},
    ):
        with pytest.raises(FileFormatError):
            VectorSearch.from_state({**params, **bad}, arrays)
    with pytest.raises(FileFormatError):
        VectorSearch.from_state(params, {**arrays, "x": x})


# --- in a gallery ------------------------------------------------------------------------------------


def answers(gallery: kf.Gallery, folder, **options) -> list:
    return [
        [(hit.path, hit.score) for hit in hits]
        for hits in gallery.search_many(sorted(folder.glob("scene*/*.jpg"))[::3], top=8, **options)
    ]


@pytest.fixture(scope="module")
def flat(rendered, tmp_path_factory):
    """A gallery of vectors alone, and one of vectors and inverted files."""
    place = tmp_path_factory.mktemp("flat")
    for engine in ("vlad", "asmk+vlad"):
        with kf.Gallery.create(place / engine, engine=engine, codewords=16) as gallery:
            gallery.update(rendered, verbose=False)
    return place


@pytest.mark.parametrize("engine", ["vlad", "asmk+vlad"])
@pytest.mark.parametrize("rerank", [(), ("spatial", "diffusion"), ("expansion",)])
def test_an_index_that_proposes_all_answers_as_the_scan_does(
    flat, rendered, tmp_path, engine, rerank
) -> None:
    shutil.copytree(flat / engine, tmp_path / "g.kin")
    with kf.Gallery.open(tmp_path / "g.kin") as gallery:
        expected = answers(gallery, rendered, rerank=rerank)
        boxed = gallery.search(rendered / "scene1" / "view0.jpg", box=(20, 20, 200, 240))
        changes = gallery.update(search="IVF2,SQ8", verbose=False)
        assert changes.added == 0 and not changes.relearnt
        assert gallery.settings.search == "IVF2,SQ8"
        assert answers(gallery, rendered, rerank=rerank) == expected
        again = gallery.search(rendered / "scene1" / "view0.jpg", box=(20, 20, 200, 240))
        assert [(h.path, h.score) for h in again] == [(h.path, h.score) for h in boxed]
        told = gallery.info(verify=True)["search"]
        assert told["index"] == "IVF2,SQ8" and told["recall_at_10"] == 1.0
        assert told["recall_at_10_of_the_index_alone"] > 0.9


def test_it_is_asked_and_what_it_leaves_out_is_not_found(flat, rendered, tmp_path) -> None:
    shutil.copytree(flat / "vlad", tmp_path / "g.kin")
    with kf.Gallery.open(tmp_path / "g.kin") as gallery:
        gallery.update(search="SQ8", verbose=False)
        gone = gallery.parts.ids[3]
        gallery.parts.fused.nearest["search"].index.remove([gone])
        query = gallery.describe(rendered / "scene0" / "view0.jpg")
        found = gallery.rank(query, rerank=()).ids
        assert gone not in found and len(found) == len(gallery) - 1


def test_it_follows_photos_and_settings(photos, tmp_path) -> None:
    path = tmp_path / "g.kin"
    left = photos / "scene4"
    shutil.move(left, tmp_path / "aside")
    settings = {"engine": "vlad", "codewords": 16, "search": "IVF2,SQ8"}
    with kf.Gallery.create(path, **settings) as gallery:
        gallery.update(photos, verbose=False)
        model = gallery.parts.manifest.parts["model"]
        shutil.move(tmp_path / "aside", left)
        gallery.update(verbose=False)
        parts = gallery.parts
        assert parts.manifest.parts["model"] == model
        assert parts.fused.nearest["search"].learnt_on == 16
        np.testing.assert_array_equal(np.sort(parts.ids), parts.fused.nearest["search"].index.ids)
        file = parts.manifest.parts["search"]
        gallery.update(verbose=False)
        assert gallery.parts.manifest.parts["search"] == file
        (left / "view1.jpg").unlink()
        gallery.update(verbose=False)
        assert len(gallery.parts.fused.nearest["search"].index) == 19
        gallery.update(relearn=True, verbose=False)
        assert gallery.parts.fused.nearest["search"].learnt_on == 19
        gallery.update(search="Flat", verbose=False)
        assert "search" not in gallery.parts.manifest.parts
        assert gallery.info()["search"] == "Flat"
        assert not list((path / "parts").glob("search-*"))
    with kf.Gallery.open(path) as gallery:
        assert gallery.settings.search == "Flat"


def test_too_few_photos_are_told_before_any_is_described(
    rendered, flat, tmp_path, monkeypatch
) -> None:
    shutil.copytree(flat / "vlad", tmp_path / "old.kin")
    with kf.Gallery.open(tmp_path / "old.kin") as gallery:
        with pytest.raises(
            GalleryError, match="search: IVF1024,LOPQ16 cannot be learnt on 20 photos"
        ):
            gallery.update(search="IVF1024,LOPQ16", verbose=False)
        assert gallery.settings.search == "auto" and len(gallery) == 20
        assert gallery.search(rendered / "scene0" / "view0.jpg", rerank=())
    with kf.Gallery.create(tmp_path / "new.kin", engine="vlad", search="IVF1024,SQ8") as gallery:
        monkeypatch.setattr("kinfold.gallery.write.update.describe", lambda *_, **__: 1 / 0)
        with pytest.raises(GalleryError, match="possible: IVF1,SQ8, SQ8, Flat, or auto"):
            gallery.update(rendered, verbose=False)


def test_engines_without_vectors(tmp_path, gallery_path) -> None:
    with pytest.raises(ValueError, match="^search: the engine 'asmk' keeps photos in inverted"):
        kf.Gallery.create(tmp_path / "g.kin", engine="asmk", search="SQ8")
    assert not (tmp_path / "g.kin").exists()
    with pytest.raises(ValueError, match="^search: "):
        kf.Gallery.create(tmp_path / "g.kin", search="magic")
    kf.Gallery.create(tmp_path / "g.kin", engine="asmk", search="auto").close()


def test_damage_is_found_and_mended(flat, rendered, tmp_path) -> None:
    path = tmp_path / "g.kin"
    shutil.copytree(flat / "vlad", path)
    with kf.Gallery.open(path) as gallery:
        gallery.update(search="SQ8", verbose=False)
    (file,) = (path / "parts").glob("search-*")
    content = bytearray(file.read_bytes())
    content[-100] ^= 1
    file.write_bytes(content)
    with kf.Gallery.open(path) as gallery:
        with pytest.raises(FileFormatError, match="search-"):
            gallery.search(rendered / "scene0" / "view0.jpg")
        notes = gallery.update(verbose=False).notes
        assert any("made anew" in note for note in notes), notes
        assert gallery.search(rendered / "scene0" / "view0.jpg")[0].path == "scene0/view0.jpg"


def test_an_index_of_other_photos_is_refused(flat, rendered, tmp_path) -> None:
    path = tmp_path / "g.kin"
    shutil.copytree(flat / "vlad", path)
    with kf.Gallery.open(path) as gallery:
        gallery.update(search="SQ8", verbose=False)
        nearest, store = gallery.parts.fused.nearest["search"], gallery._store
        nearest.index.remove(nearest.index.ids[:1])
        name = store.add("parts", ".kin", lambda to: kf.save(nearest, to), label="search-")
        store.write(store.read().with_parts(search=name))
    with kf.Gallery.open(path) as gallery, pytest.raises(FileFormatError, match="other photos"):
        gallery.search(rendered / "scene0" / "view0.jpg")


def test_galleries_of_before_scan(flat) -> None:
    from kinfold.gallery.settings import Settings

    held = kf.Gallery.open(flat / "vlad").settings.to_dict()
    assert Settings.from_dict({n: v for n, v in held.items() if n != "search"}).search == "auto"
    with pytest.raises(FileFormatError):
        Settings.from_dict({n: v for n, v in held.items() if n != "engine"})
