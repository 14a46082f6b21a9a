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
