"""Lists that photos enter and leave are those of lists made anew."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.gallery.added import Added
from kinfold.gallery.segments import Segments
from kinfold.gallery.write.build import nearest

from ..conftest import noise, small_gallery, small_photos, view, write_photo

LOCAL = {"engine": "asmk+tembedding", "visual_words": 64, "max_features": 100, "neighbours": 4}


def anew(gallery: Gallery):
    """The lists of the present photos, made at once."""
    fused = gallery.parts.fused
    photos = [gallery.photo(id) for id in fused.ids.tolist()]
    k = gallery.info()["settings"]["neighbours"]
    return nearest(None, fused, photos, Segments(gallery._reader.store), k)


def edges(graph) -> set[tuple[int, int]]:
    rows = np.repeat(np.arange(len(graph)), np.diff(graph.starts))
    return set(zip(rows.tolist(), graph.neighbours.tolist()))


def change(folder: Path, step: int) -> None:
    """One photo more, a copy of one now and then, and one less; the first of two copies goes too."""
    write_photo(folder / f"{100 + step}.jpg", noise(100 + step))
    if step % 2:
        shutil.copy(folder / f"{100 + step}.jpg", folder / f"copy{step}.jpg")
    (folder / f"{99 + step}.jpg").unlink(missing_ok=True)
    if step == 4:
        write_photo(folder / "5.jpg", noise(500))


def test_vectors_alone_are_as_if_made_anew(tmp_path) -> None:
    folder = small_photos(tmp_path / "photos", 30)
    path = small_gallery(tmp_path / "g.kin", folder, neighbours=3)
    with Gallery.open(path) as gallery:
        for step in range(5):
            change(folder, step)
            gallery.update(folder, verbose=False)
            assert gallery._reader.store.read().added
            graph, expected = gallery.parts.graph, anew(gallery).graph()
            np.testing.assert_array_equal(graph.starts, expected.starts)
            np.testing.assert_array_equal(graph.neighbours, expected.neighbours)
            np.testing.assert_array_equal(graph.weights, expected.weights)
            np.testing.assert_array_equal(graph.copies, expected.copies)
            assert (graph.copies is not None) == bool(step % 2)


def test_inverted_files_are_nearly_as_if_made_anew(tmp_path) -> None:
    """Nine edges of ten, at least; what a search finds is the same."""
    folder = tmp_path / "photos"
    for scene in range(9):
        for number in range(3):
            write_photo(folder / f"{scene}-{number}.jpg", view(scene, number))
    with Gallery.create(tmp_path / "g.kin", **LOCAL) as gallery:
        gallery.update(folder, verbose=False)
        for number in range(3):
            write_photo(folder / f"9-{number}.jpg", view(9, number))
            (folder / f"{number}-2.jpg").unlink()
            gallery.update(folder, verbose=False)
        kept = edges(gallery.parts.graph)
        expected = edges(anew(gallery).graph())
        assert len(kept & expected) >= 0.9 * len(kept | expected)
        found = gallery.search(view(9, 1), rerank=(), top=30)
        with Gallery.create(tmp_path / "h.kin", model=gallery.path, **LOCAL) as other:
            other.update(folder, verbose=False)
            again = other.search(view(9, 1), rerank=(), top=30)
        assert [hit.path for hit in found] == [hit.path for hit in again]
        # A photo pooled alone or among others is rounded otherwise.
        scores = [[hit.score for hit in hits] for hits in (found, again)]
        np.testing.assert_allclose(*scores, atol=1e-6)


@pytest.mark.parametrize("engine", ["tembedding", "bow+tembedding", "asmk"])
def test_files_of_what_was_added_are_few_and_each_is_small(tmp_path, engine) -> None:
    folder = small_photos(tmp_path / "photos", 40)
    settings = {"engine": engine, "visual_words": 64}
    path = small_gallery(tmp_path / "g.kin", folder, **settings)
    with Gallery.open(path) as gallery:
        before = dict(gallery._reader.store.read().parts)
        for number in range(100, 107):
            small_photos(folder, 1, first=number)
            gallery.update(folder, verbose=False)
            manifest = gallery._reader.store.read()
            assert len(manifest.added) <= 3
            for name in ("index", engine.split("+")[0]):
                assert manifest.parts.get(name) == before.get(name)
            assert len(gallery.parts.ids) == number - 59
            hit = gallery.search(noise(number), top=1)[0]
            assert hit.path == f"{number}.jpg"


def test_what_went_and_what_came_are_joined(tmp_path) -> None:
    folder = small_photos(tmp_path / "photos", 20)
    path = small_gallery(tmp_path / "g.kin", folder)
    with Gallery.open(path) as gallery:
        small_photos(folder, 3, first=50)
        (folder / "3.jpg").unlink()
        gallery.update(folder, verbose=False)
        (folder / "51.jpg").unlink()
        small_photos(folder, 1, first=60)
        gallery.update(folder, verbose=False)
        manifest = gallery._reader.store.read()
        [name] = manifest.added
        from kinfold.io import kin

        added = kin.load(gallery._reader.store.part(name), Added)
        assert (len(added.gone), len(added.ids)) == (1, 3)
        gallery.info(verify=True)


def test_much_at_once_is_written_whole(tmp_path) -> None:
    folder = small_photos(tmp_path / "photos", 150)
    path = small_gallery(tmp_path / "g.kin", folder, max_features=20)
    with Gallery.open(path) as gallery:
        small_photos(folder, 70, first=200)
        changes = gallery.update(folder, verbose=False)
        assert not changes.relearnt and not gallery._reader.store.read().added


def test_a_damaged_file_of_what_was_added_is_made_anew(tmp_path) -> None:
    folder = small_photos(tmp_path / "photos", 20)
    path = small_gallery(tmp_path / "g.kin", folder)
    with Gallery.open(path) as gallery:
        small_photos(folder, 1, first=50)
        gallery.update(folder, verbose=False)
        [name] = gallery._reader.store.read().added
        file = gallery._reader.store.part(name)
        file.write_bytes(file.read_bytes()[:-100])
        changes = gallery.update(folder, verbose=False)
        assert any("made anew" in note for note in changes.notes)
        assert not gallery._reader.store.read().added
        assert gallery.search(noise(50), top=1)[0].path == "50.jpg"
