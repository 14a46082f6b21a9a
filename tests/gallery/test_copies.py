"""Photos that stand in a gallery many times, by all engines."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.gallery import METHODS
from kinfold.graph.communities import connected_components

from .conftest import texture, view, write_photo

cv2 = pytest.importorskip("cv2")
ENGINES = list(METHODS)
SMALL = {
    "codewords": 8, "visual_words": 64, "colour_codewords": 8, "max_features": 200, "network_side": 64,
    "network_scales": (1.0,),
}  # fmt: skip


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network that has learnt nothing: equal photos have equal descriptors all the same."""
    torch = pytest.importorskip("torch")
    from kinfold.features.weights import random_network

    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(random_network("squeezenet1_1", 0).state_dict(), path)
    return path


def made(path: Path, engine: str, request: pytest.FixtureRequest) -> Gallery:
    given = (
        {"weights": request.getfixturevalue("weights")}
        if {"cnn", "regions"} & set(engine.split("+"))
        else {}
    )
    return Gallery.create(path, engine=engine, **SMALL, **given)


def write_copies(folder: Path, copies: int, files: int) -> None:
    """A photo, copies of its file, and other files of the same pixels."""
    pixels = view(9, 1)
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / "copy0.png"
    assert cv2.imwrite(str(first), pixels)
    for number in range(1, copies):
        shutil.copy(first, folder / f"copy{number}.png")
    for number in range(files):
        # Another compression: other bytes, the same pixels.
        assert cv2.imwrite(
            str(folder / f"same{number}.png"), pixels, [cv2.IMWRITE_PNG_COMPRESSION, number % 10]
        )
    write_photo(folder / "view.jpg", view(9, 2))


@pytest.mark.parametrize("engine", [*ENGINES, "asmk+tembedding+colour", "bow+vlad"])
def test_all_copies_are_one_group(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    photos = tmp_path / "photos"
    write_copies(photos, 25, 6)
    for scene in range(4):
        write_photo(photos / f"scene{scene}.jpg", texture(scene, 200))
    with made(tmp_path / "g.kin", engine, request) as gallery:
        gallery.update(photos, verbose=False)
        [group] = gallery.groups(verbose=False)
        assert len(group.photos) == 32
        assert {photo.path[0] for photo in group.photos} == {"c", "s", "v"}
        assert all(photo.path[:5] != "scene" for photo in group.photos)
        assert len(group.links) == 31
        copies = [pair for pair in group.pairs if pair.near_duplicate]
        assert len(copies) >= 30
        for pair in group.pairs:
            assert pair.inliers == len(pair.matches) >= 12
        state = gallery.parts
        names = {photo.id: photo.path for photo in group.photos}
        labels = connected_components(state.graph)
        own = [
            label for id, label in zip(state.ids, labels) if id in names and "v" not in names[id]
        ]
        assert len(set(own)) == 1
        hits = gallery.search(photos / "copy3.png", top=40)
        assert {hit.path for hit in hits[:31]} == {
            path for path in names.values() if path != "view.jpg"
        }
        # What is learnt of copies goes with them, and comes back.
        for number in range(25):
            (photos / f"copy{number}.png").unlink()
        gallery.update(photos, prune=True, verbose=False)
        [group] = gallery.groups(verbose=False)
        assert len(group.photos) == 7


@pytest.mark.parametrize("engine", ENGINES)
def test_two_photos_of_one_thing_are_a_group(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for kind in ("copies", "views"):
        photos = tmp_path / kind / "photos"
        if kind == "copies":
            write_copies(photos, 2, 0)
            (photos / "view.jpg").unlink()
        else:
            write_photo(photos / "a.jpg", view(3, 0))
            write_photo(photos / "b.jpg", view(3, 1))
        with made(tmp_path / kind / "g.kin", engine, request) as gallery:
            gallery.update(photos, verbose=False)
            [group] = gallery.groups(verbose=False)
            assert len(group.photos) == 2
            assert group.pairs[0].near_duplicate == (kind == "copies")


def test_copies_without_features_and_unlike_photos_without(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for scene in range(3):
        write_photo(photos / f"scene{scene}.jpg", texture(scene))
    write_photo(photos / "grey.jpg", np.full((200, 200, 3), 128, np.uint8))
    write_photo(photos / "dark.jpg", np.full((200, 200, 3), 8, np.uint8))
    shutil.copy(photos / "grey.jpg", photos / "grey copy.jpg")
    with Gallery.create(tmp_path / "g.kin", codewords=4, visual_words=64) as gallery:
        gallery.update(photos, verbose=False)
        [group] = gallery.groups(verbose=False)
        assert {photo.path for photo in group.photos} == {"grey.jpg", "grey copy.jpg"}
        assert [pair.inliers for pair in group.pairs] == [0]
        assert len(gallery.groups_content([group])[1][0]) == 2
