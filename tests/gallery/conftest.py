"""Small collections: textured planes seen from several sides, and photos that are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")

SCENES, VIEWS = 5, 4


def texture(seed: int, side: int = 300) -> np.ndarray:
    """Blobs and edges at several scales: much for SIFT to find."""
    random = np.random.default_rng(seed)
    canvas = np.full((side, side, 3), 128, np.uint8)
    for _ in range(160):
        x, y = (int(v) for v in random.integers(0, side, 2))
        size = int(random.integers(4, 36))
        colour = tuple(int(v) for v in random.integers(0, 256, 3))
        if random.random() < 0.5:
            cv2.rectangle(canvas, (x, y), (x + size, y + size // 2 + 2), colour, -1)
        else:
            cv2.circle(canvas, (x, y), size // 2, colour, -1)
    return canvas


def view(scene: int, number: int) -> np.ndarray:
    """One photo of a scene; number 0 is seen from the front."""
    image = texture(scene)
    if number == 0:
        return image
    random = np.random.default_rng([scene, number])
    side = len(image)
    corners = np.float32([[0, 0], [side, 0], [side, side], [0, side]])
    moved = corners + random.uniform(-35, 35, (4, 2)).astype(np.float32)
    return cv2.warpPerspective(
        image, cv2.getPerspectiveTransform(corners, moved), (side, side), borderValue=(90, 90, 90)
    )


def write_photo(path: Path, pixels: np.ndarray) -> None:
    """As a JPEG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photos, made once. Not to be changed: see ``photos``."""
    folder = tmp_path_factory.mktemp("rendered") / "photos"
    for scene in range(SCENES):
        for number in range(VIEWS):
            write_photo(folder / f"scene{scene}" / f"view{number}.jpg", view(scene, number))
    return folder


@pytest.fixture(scope="session")
def indexed(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of all photos, made once. Not to be changed: see ``gallery_path``."""
    from kinfold import Gallery

    path = tmp_path_factory.mktemp("indexed") / "city.kin"
    with Gallery.create(path, codewords=16) as gallery:
        gallery.update(rendered, verbose=False)
    return path


@pytest.fixture
def photos(rendered: Path, tmp_path: Path) -> Path:
    """A copy of the photos to change; file times are kept."""
    return Path(shutil.copytree(rendered, tmp_path / "photos"))


@pytest.fixture
def gallery_path(indexed: Path, tmp_path: Path) -> Path:
    """A copy of the gallery to change; it still believes in the folder of the original photos."""
    return Path(shutil.copytree(indexed, tmp_path / "city.kin"))


# --- small and quick: for what does not depend on what the photos show ------------------------------

SMALL = {"engine": "tembedding", "max_features": 60, "centroids": 2, "dim": 8}


def noise(seed: int) -> np.ndarray:
    """A photo with corners enough."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (12, 15, 3), dtype=np.uint8)
    return cv2.resize(blocks, (120, 96), interpolation=cv2.INTER_CUBIC)


def small_photos(folder: Path, count: int, first: int = 0) -> Path:
    """0.jpg, 1.jpg, ..., each of its own."""
    for number in range(first, first + count):
        write_photo(folder / f"{number}.jpg", noise(number))
    return folder


def small_gallery(path: Path, folder: Path, **settings: object) -> Path:
    """A gallery of a folder."""
    from kinfold import Gallery

    with Gallery.create(path, **{**SMALL, **settings}) as gallery:
        gallery.update(folder, verbose=False)
    return path


@pytest.fixture(scope="session")
def small_indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``photos`` (six) and their gallery ``g.kin``. Not to be changed: see ``small``."""
    place = tmp_path_factory.mktemp("small")
    small_gallery(place / "g.kin", small_photos(place / "photos", 6))
    return place


@pytest.fixture
def small(small_indexed: Path, tmp_path: Path) -> Path:
    """A copy of both to change; the gallery still believes in the folder of the original photos."""
    return Path(shutil.copytree(small_indexed, tmp_path / "small"))
