"""A street as it stands, and photos of it: a building, its neighbours, what stands and passes before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_count
from kinfold.base.extras import require
from kinfold.datasets.building import Building, make_building
from kinfold.datasets.camera import Camera, Light
from kinfold.datasets.facade import Image, Random, Style, wall
from kinfold.datasets.figures import FIGURES, statue


@dataclass(frozen=True)
class View:
    """How a kind of view is taken: ranges of azimuth in degrees, of distance, of how much stands in the way."""

    azimuth: tuple[float, float]
    distance: tuple[float, float]
    light: tuple[str, ...] = ("sun", "sun", "cloud")
    trees: int = 0
    crowd: tuple[int, int] = (0, 4)
    detail: bool = False


@dataclass(frozen=True)
class Street:
    """What stays in its place between views of one scene."""

    main: Building
    neighbours: tuple[tuple[Building, tuple[float, float, float]], ...]
    statue: tuple[Image, tuple[float, float], float] | None
    furniture: tuple[tuple[str, tuple[float, float], float], ...]
    pavement: Image


@dataclass(frozen=True)
class Stock:
    """What streets share, so that no two photos differ in everything."""

    neighbours: tuple[Building, ...]
    pavements: tuple[Image, ...]


def as_size(size: Any) -> tuple[int, int]:
    """Width and height of a photo in pixels, from 64 to 4,096 each."""
    if not isinstance(size, Sequence) or len(size) != 2:
        raise ValueError(f"size: expected width and height, got {size!r}")
    width, height = (as_count(side, "size", least=64, most=4096) for side in size)
    return width, height


def make_stock(rng: Random) -> Stock:
    """Six buildings and four pavements."""
    pavements = (
        wall(rng, 288, 288, "stone", (150, 146, 140)),
        wall(rng, 288, 288, "plaster", (108, 110, 114)),
        wall(rng, 288, 288, "brick", (158, 128, 112)),
        wall(rng, 288, 288, "plaster", (112, 134, 80)),
    )
    return Stock(tuple(make_building(rng) for _ in range(6)), pavements)


def make_street(rng: Random, stock: Stock, style: Style | None) -> Street:
    """A building in a style, or in any; what stands beside and before it."""
    main = make_building(rng, style)
    neighbours = []
    for side in (-1, 1):
        if rng.random() < 0.7:
            other = stock.neighbours[int(rng.integers(len(stock.neighbours)))]
            x = side * (main.width / 2 + other.width / 2 + float(rng.uniform(0.6, 3.5)))
            neighbours.append((other, (x, 0.0, float(rng.uniform(-2.5, -0.3)))))
    bronze = None
    if rng.random() < 0.6:
        spot = float(rng.uniform(-0.4, 0.4)) * main.width, float(rng.uniform(2.5, 5))
        bronze = statue(rng), spot, float(rng.uniform(2.6, 4.2))
    furniture = []
    for kind in ("tree", "lamp"):
        if rng.random() < 0.6:
            spot = (
                float(rng.choice([-1, 1]) * rng.uniform(0.4, 0.75)) * main.width,
                float(rng.uniform(1.5, 4)),
            )
            furniture.append((kind, spot, float(rng.uniform(*FIGURES[kind][1:]))))
    pavement = stock.pavements[int(rng.integers(len(stock.pavements)))]
    return Street(main, tuple(neighbours), bronze, tuple(furniture), pavement)


def _make_light(rng: Random, kind: str) -> Light:
    """Sun, sky and what they leave in shadow, as shares of RGB."""
    azimuth = float(rng.uniform(-1.25, 1.25))
    height = {"sun": (0.5, 1.0), "cloud": (0.8, 1.2), "dusk": (0.12, 0.3), "night": (0.8, 0.9)}[
        kind
    ]
    rise = float(rng.uniform(*height))
    sun = np.array([np.sin(azimuth) * np.cos(rise), np.sin(rise), np.cos(azimuth) * np.cos(rise)])
    strength, ambient, sky = {
        "sun": ((0.86, 0.80, 0.68), (0.44, 0.48, 0.56), ((96, 148, 208), (196, 216, 232))),
        "cloud": ((0.20, 0.20, 0.20), (0.74, 0.76, 0.80), ((176, 184, 192), (216, 218, 220))),
        "dusk": ((0.80, 0.48, 0.26), (0.36, 0.34, 0.42), ((92, 104, 150), (240, 176, 120))),
        "night": ((0.03, 0.03, 0.05), (0.10, 0.11, 0.17), ((10, 13, 28), (34, 34, 54))),
    }[kind]
    vary = np.float32(rng.uniform(0.85, 1.12))
    return Light(
        sun,
        np.array(strength, np.float32) * vary,
        np.array(ambient, np.float32) * vary,
        1.0 if kind == "night" else 0.0,
        sky,
    )


def _shadow(main: Building, light: Light) -> NDArray[np.float64] | None:
    """Where a building's box shades the ground."""
    if light.strength.max() < 0.3:
        return None
    x = main.width / 2
    base = np.array([(-x, 0, 0), (x, 0, 0), (x, 0, -main.depth), (-x, 0, -main.depth)])
    return np.vstack([base, base - light.sun * [1, 0, 1] * (main.height * 0.8 / light.sun[1])])


def photograph(
    rng: Random, street: Street, view: View, size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], float]:
    """One exposure: float32 (h, w, 3), where the main building's front is seen, and how many pixels its front spans."""
    main = street.main
    focal = size[0] * float(rng.uniform(0.8, 1.05))
    fit = focal * max(main.width / size[0], main.height / size[1]) * 1.08
    azimuth = np.deg2rad(float(rng.uniform(*view.azimuth)))
    away = fit * float(rng.uniform(*view.distance))
    aim = np.array([float(rng.uniform(-0.1, 0.1)) * main.width, main.height * 0.46, 0.0])
    if view.detail:
        aim = np.array(
            [rng.uniform(-0.34, 0.34) * main.width, rng.uniform(0.2, 0.7) * main.height, 0.0]
        )
    elif view.distance[1] < 1:
        aim[1] *= 1.15
    eye = float(rng.uniform(1.5, 2.4)) + (float(rng.uniform(1, 6)) if rng.random() < 0.3 else 0)
    away = max(away, 3.2)
    position = np.array([aim[0] + np.sin(azimuth) * away, eye, max(np.cos(azimuth) * away, 2.6)])
    camera = Camera(size, position, aim, focal, float(np.deg2rad(rng.normal(0, 1.6))))
    light = _make_light(rng, str(rng.choice(view.light)))
    camera.paint_sky(rng, light)
    camera.paint_ground(street.pavement, light, _shadow(main, light))
    lamps = float(rng.uniform(0.25, 0.5))
    for building, offset in street.neighbours:
        for face in building.faces:
            camera.paint(replace(face.moved(offset), front=False), light, lamps * 0.7)
    for face in main.faces:
        camera.paint(face, light, lamps)
    standing = _figures(rng, street, view, position, aim)
    standing.sort(key=lambda item: -float((item[1] - position) @ camera.axes[2]))
    for figure, foot, tall in standing:
        camera.paste(figure, foot, tall, light)
    x = main.width / 2
    corners = np.array([(-x, main.height, 0), (x, main.height, 0), (x, 0, 0), (-x, 0, 0)])
    outline = camera.project(corners)[0].astype(np.float32)
    return camera.picture, camera.front, float(require("cv2").contourArea(outline))


def _figures(
    rng: Random,
    street: Street,
    view: View,
    position: NDArray[np.float64],
    aim: NDArray[np.float64],
) -> list[tuple[Image, NDArray[np.float64], float]]:
    """What stands before the building, and who happens to pass between it and the camera.

    All but the statue are made anew for each photo: leaves and strangers are not to be recognised.
    """
    standing = [
        (FIGURES[kind][0](rng), np.array([x, 0.0, z]), tall)
        for kind, (x, z), tall in street.furniture
    ]
    if street.statue is not None:
        bronze, (x, z), tall = street.statue
        standing.append((bronze, np.array([x, 0.0, z]), tall))
    kinds = ["tree"] * view.trees
    count = int(rng.integers(view.crowd[0], view.crowd[1] + 1))
    kinds += [
        str(kind) for kind in rng.choice(["person", "person", "person", "car", "lamp"], count)
    ]
    for kind in kinds:
        # A crown right before the lens would hide everything.
        share = float(rng.uniform(0.5, 0.85) if kind == "tree" else rng.uniform(0.35, 0.92))
        aside = float(rng.normal(0, 0.36)) * street.main.width * share
        x = position[0] + share * (aim[0] - position[0]) + aside
        z = max(position[2] * (1 - share), 1.2)
        make, least, most = FIGURES[kind]
        standing.append((make(rng), np.array([x, 0.0, z]), float(rng.uniform(least, most))))
    return standing


def developed(rng: Random, picture: NDArray[np.float32]) -> bytes:
    """A JPEG file through a cheap lens: exposure, white balance, vignette, blur, noise, compression."""
    cv2 = require("cv2")
    height, width = picture.shape[:2]
    balance = np.clip(rng.normal(1, 0.05, 3), 0.86, 1.14).astype(np.float32)
    shot = picture * balance * np.float32(rng.uniform(0.82, 1.2))
    x, y = (np.linspace(-1, 1, n, dtype=np.float32) for n in (width, height))
    shot *= (1 - np.float32(rng.uniform(0, 0.18)) * (x * x + (y * y)[:, None]))[..., None]
    # Highlights roll off towards 1: a hyperbola that leaves the diagonal at 0.8.
    shot = np.minimum(shot, 1 - 0.04 / (np.maximum(shot, 0.8) - np.float32(0.6)))
    sigma = float(rng.choice([0.45, 0.6, 0.8, 1.3]))
    shot = cv2.GaussianBlur(shot, (0, 0), sigma)
    grain = rng.standard_normal((height, width, 1), dtype=np.float32)
    shot += grain * np.float32(rng.uniform(0.008, 0.035))
    pixels = (np.clip(shot, 0, 1) * 255).round().astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(68, 93))]
    done, file = cv2.imencode(".jpg", pixels[..., ::-1], quality)
    if not done:
        raise OSError("OpenCV cannot write JPEG files")
    return bytes(file.tobytes())
