from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")
images = pytest.importorskip("PIL.Image")
torch = pytest.importorskip("torch")

from kinfold.base.registry import resolve
from kinfold.report.figures import FIGURES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a network that has learnt nothing."""
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights

    path = tmp_path_factory.mktemp("figures") / "w.safetensors"
    save_weights(path, random_network("compact", 0), "compact")
    return path


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.slow
def test_each_is_drawn(name, weights, tmp_path) -> None:
    figure = FIGURES[name]
    if figure.target.endswith(("channels", "mac_match", "network_ranking", "context", "regions")):
        pytest.importorskip("cv2")
    resolve(figure.target)(tmp_path / "a.png", *((weights,) if figure.weights else ()))
    with images.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG" and len(picture.convert("RGB").getcolors(1 << 24)) > 20


def test_what_moves(tmp_path) -> None:
    name = next(name for name, figure in FIGURES.items() if figure.moving)
    resolve(FIGURES[name].target)(tmp_path / "a.gif")
    with images.open(tmp_path / "a.gif") as picture:
        assert picture.format == "GIF" and picture.n_frames == 11


@pytest.mark.parametrize("name", FIGURES)
def test_captions_and_classes(name) -> None:
    figure = FIGURES[name]
    assert len(inspect.getdoc(resolve(figure.target)) or "") > 60
    for each in figure.classes:
        *rooms, name = each.split(".")
        assert hasattr(importlib.import_module(".".join(["kinfold", *rooms])), name)


def test_the_page_is_as_they_are() -> None:
    spec = importlib.util.spec_from_file_location("figures_page", ROOT / "dev" / "figures.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text(encoding="utf-8") == made.page(), "run dev/figures.py"
    for name in FIGURES:
        assert (made.PICTURES / f"{name}.png").is_file(), "run dev/figures.py --draw WEIGHTS"
