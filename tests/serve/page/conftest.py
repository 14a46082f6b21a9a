"""A small gallery, served, and a real browser before it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
Image = pytest.importorskip("PIL.Image")

# Names that markup, quotes and marks of writing would make something else of.
HOSTILE = ["<img src=x onerror=document.title='owned'>.jpg", "\"quoted' & <script>.jpg"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCENES, VIEWS = 4, 3


def _texture(seed: int, side: int = 300) -> np.ndarray:
    random = np.random.default_rng([7, seed])
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


def _view(scene: int, number: int) -> np.ndarray:
    """A plane from the front, or from another side."""
    image = _texture(scene)
    side = len(image)
    corners = np.float32([[0, 0], [side, 0], [side, side], [0, side]])
    random = np.random.default_rng([scene, number])
    moved = corners + (number > 0) * random.uniform(-30, 30, (4, 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    return cv2.warpPerspective(image, matrix, (side, side), borderValue=(90, 90, 90))


def _write(file: Path, pixels: np.ndarray, year: int, place: tuple[float, float] | None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif.get_ifd(0x8769)[0x9003] = f"{year}:06:01 12:00:00"
    if place:
        position = exif.get_ifd(0x8825)
        for tag, value, letter in ((1, place[0], "N"), (3, place[1], "E")):
            degrees, rest = divmod(value, 1)
            position[tag] = letter
            position[tag + 1] = (degrees, 60.0 * rest, 0.0)
    image.save(file, quality=92, exif=exif)


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four things, three photos of each, a smaller copy of the first, and names that are none. Not to be changed."""
    folder = tmp_path_factory.mktemp("page") / "album"
    for scene in range(SCENES):
        year = 2019 + scene % 2
        for number in range(VIEWS):
            name = HOSTILE[number - 1] if scene == 3 and number else f"thing{scene}_{number}.jpg"
            place = (48.2 + scene / 100, 16.37 + number / 1000) if number < 2 else None
            _write(folder / str(year) / name, _view(scene, number), year, place)
    small = cv2.resize(_view(0, 0), (225, 225), interpolation=cv2.INTER_AREA)
    _write(folder / "2019" / "thing0_small.jpg", small, 2019, None)
    return folder


@pytest.fixture(scope="session")
def query(album: Path) -> Path:
    """A photo that is not in the gallery, of the first thing."""
    file = album.parent / "query.jpg"
    _write(file, _view(0, 5), 2021, None)
    return file


@pytest.fixture(scope="session")
def address(album: Path, start: Callable[..., Any]) -> Iterator[str]:
    """Where the gallery is served, without a slash at the end."""
    from kinfold import Gallery

    path = album.parent / "album.kin"
    with Gallery.create(path, codewords=16) as gallery:
        gallery.update(album, verbose=False)
    with start(path) as server:
        yield server.url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser that is installed; none is fetched. Its driver keeps an event loop in this thread: not for longer."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    # Chromium's sandbox refuses to run as root.
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Opens tabs: ``tab("/?view=map", color_scheme="dark")``. Afterwards: nothing was asked of others, nothing failed.

    Attributes of a tab: ``asked``, the addresses of its requests; ``wrong``, what its console told as errors.
    """
    tabs: list[Any] = []
    allowed: list[str] = []

    def open_tab(path: str | None = "/", failing: str = "", **options: Any) -> Any:
        options.setdefault("viewport", {"width": 1200, "height": 800})
        page = chromium.new_context(base_url=address, **options).new_page()
        page.set_default_timeout(30_000)
        page.asked, page.wrong = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("console", lambda told: told.type == "error" and page.wrong.append(told.text))
        page.on("dialog", lambda dialog: (page.wrong.append("a dialog"), dialog.dismiss()))
        allowed.append(failing)
        tabs.append(page)
        if path is not None:
            page.goto(path)
        return page

    yield open_tab
    for page, failing in zip(tabs, allowed):
        own = (address, f"blob:{address}", "data:")
        assert [asked for asked in page.asked if not asked.startswith(own)] == []
        assert [wrong for wrong in page.wrong if not failing or failing not in wrong] == []
        page.context.close()
