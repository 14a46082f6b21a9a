"""What networks see in rendered photos."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path as Folder
from typing import Any

import numpy as np

from kinfold.base.extras import require
from kinfold.datasets.synthetic import render_collection
from kinfold.features.backbones.cut import layer_names, where
from kinfold.features.explain import explain_match, see, sparse_channels, spatial_weights
from kinfold.features.extract import Extractor
from kinfold.features.regional import square_windows
from kinfold.features.weights import network, read_weights
from kinfold.images.decode import decode
from kinfold.learn.patches import OFFSETS, Grid
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import BLUE, GREEN, RED

Path = str | os.PathLike[str]
_SIZE = (480, 360)
# A building that is seen whole, again and again.
_SEED = 9
_COLOURS = (RED, BLUE, GREEN, "#8e3b8a", "#8a7414")


def context(path: Path) -> None:
    """From two patches of a photo a network learns to tell where the second lies from the first.

    A gap between patches and a jitter of their places keep edges that go on from one to the other from giving it away.
    """
    photo, grid = rendered(1)[0][0], Grid(patch=72, gap=36, jitter=7)
    random = np.random.default_rng(5)
    corners, positions = grid.draw(photo.shape[0], photo.shape[1], len(OFFSETS), random)
    figure, axes = figure_of((6.6, 3.4), 1, 2, width_ratios=[1.55, 1])
    axes[0].imshow(photo)
    for i, (row, column) in enumerate(corners):
        draw_box(axes[0], (column, row, column + grid.patch, row + grid.patch), RED if i else BLUE)
        word = str(positions[i - 1] + 1) if i else "?"
        axes[0].text(
            column + 5, row + 17, word, color="white", fontsize=9, weight="bold",
            bbox={"facecolor": RED if i else BLUE, "pad": 1.5, "lw": 0},
        )  # fmt: skip
    first, second = (
        photo[r : r + grid.patch, c : c + grid.patch] for r, c in (corners[0], corners[1])
    )
    gap = np.full((grid.patch, 14, 3), 255, np.uint8)
    axes[1].imshow(np.concatenate([first, gap, second], axis=1))
    axes[1].set_title(f"one question: the answer is {positions[0] + 1}", fontsize=9)
    bare(axes)
    write_png(path, figure)


def regions(path: Path) -> None:
    """R-MAC pools square regions of the maps at three scales, which overlap by four tenths.

    Each is described by its maxima, whitened, and all are added up.
    """
    photo = rendered(1)[0][0]
    height, width = (side // 16 for side in photo.shape[:2])
    figure, axes = figure_of((8.4, 2.4), 1, 3)
    for level, shown in enumerate(axes, 1):
        boxes = square_windows(height, width, levels=level)
        last = boxes[len(square_windows(height, width, levels=level - 1)) if level > 1 else 0 :]
        shown.imshow(photo)
        for i, (x0, y0, x1, y1) in enumerate(np.asarray(last) * 16):
            inset = 3 * (i % 3)
            draw_box(shown, (x0 + inset, y0 + inset, x1 - inset, y1 - inset), _COLOURS[i % 5])
        shown.set_title(f"scale {level}: {level} x {level} regions", fontsize=9)
    bare(axes)
    write_png(path, figure)


def mac_match(path: Path, weights: Path) -> None:
    """The channels that contribute most to the similarity of two photos, at the places where each is strongest.

    With maximum activations the same channel often answers at the same part of a building, however it is seen.
    """
    scene = rendered(1)[0]
    extractor = Extractor(weights, pooling="mac", scales=(1.0,), max_side=_SIZE[0])
    found = explain_match(extractor, scene[0], scene[1])
    figure, axes = figure_of((7.6, 3), 1, 2)
    for shown, photo, boxes in zip(axes, scene, (found.left, found.right)):
        shown.imshow(photo)
        for box, colour in zip(boxes, _COLOURS):
            draw_box(shown, box, colour)
    names = ", ".join(
        f"{c} ({v:.3f})" for c, v in zip(found.components[:3].tolist(), found.contributions)
    )
    figure.suptitle(f"similarity {found.similarity:.2f}; channels {names}, ...", fontsize=9)
    bare(axes)
    write_png(path, figure)


def channels(path: Path, weights: Path) -> None:
    """CroW weighs a place by what all channels say of it, and a channel by how seldom it answers.

    On the left the weights of places; then the channels that weigh most, with the places where they answer.
    """
    photo = rendered(1)[0][0]
    extractor = Extractor(weights, pooling="crow", scales=(1.0,), max_side=_SIZE[0])
    seen = see(extractor, photo)
    places, found = (
        spatial_weights(extractor, seen),
        sparse_channels(extractor, seen, count=3, places=8),
    )
    figure, axes = figure_of((9.6, 2.2), 1, 4)
    axes[0].imshow(photo)
    axes[0].imshow(
        places, cmap="inferno", alpha=0.65, extent=(0, photo.shape[1], photo.shape[0], 0), interpolation="bilinear"
    )  # fmt: skip
    axes[0].set_title("weights of places", fontsize=9)
    for shown, channel, weight, boxes in zip(axes[1:], found.channels, found.weights, found.boxes):
        shown.imshow(photo)
        for box in boxes:
            draw_box(shown, box, RED)
        shown.set_title(f"channel {channel}, weight {weight:.2f}", fontsize=9)
    bare(axes)
    write_png(path, figure)


def network_ranking(path: Path, weights: Path) -> None:
    """A query and its nearest photos, by an early, a middle and the last layer of a network.

    Early layers see colours and edges, which change with light and viewpoint; the last ones see parts of things. Right
    photos have a green frame.
    """
    several = rendered(4)
    photos = [photo for scene in several for photo in scene]
    of = np.repeat(np.arange(len(several)), [len(scene) for scene in several])
    net = network(read_weights(weights))
    inner = [name for name in layer_names(net) if name not in net.layers]
    before = inner[: inner.index(where(net, None)[1].module)]
    chosen = [before[len(before) // 4], before[len(before) // 2], where(net, None)[0]]
    figure, axes = figure_of((9.6, 1.5 * len(chosen)), len(chosen), 7)
    for line, layer in zip(np.atleast_2d(axes), chosen):
        extractor = Extractor(weights, layer=layer, scales=(1.0,), max_side=_SIZE[0])
        vectors = extractor.describe_all(photos, verbose=False)
        order = np.argsort(-(vectors @ vectors[0]), kind="stable")[:7]
        for shown, row in zip(line, order):
            shown.imshow(photos[row])
            right = of[row] == of[0]
            for side in shown.spines.values():
                side.set_color(BLUE if row == 0 else GREEN if right else RED)
                side.set_linewidth(2.4)
        line[0].set_ylabel(str(layer), fontsize=8)
    bare(axes, framed=True)
    write_png(path, figure)


def rendered(scenes: int) -> list[list[Any]]:
    """Pixels of rendered photos, by scene: a query and what shows the same."""
    with tempfile.TemporaryDirectory() as folder:
        made = render_collection(
            folder, scenes=scenes, views=4, distractors=0, size=_SIZE, seed=_SEED, verbose=False
        )
        names = [
            [query, *(made["imlist"][row] for row in entry["ok"])]
            for query, entry in zip(made["qimlist"], made["gnd"])
        ]
        return [
            [decode(Folder(folder) / "jpg" / f"{name}.jpg").pixels for name in scene]
            for scene in names
        ]


def figure_of(
    size: tuple[float, float], rows: int, columns: int, **options: Any
) -> tuple[Any, Any]:
    """A figure and its axes."""
    figure = require("matplotlib.figure").Figure(figsize=size, dpi=110, layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def draw_box(axes: Any, box: Any, colour: str) -> None:
    """A box x0, y0, x1, y1."""
    rectangle = require("matplotlib.patches").Rectangle
    x0, y0, x1, y1 = (float(v) for v in box)
    axes.add_patch(
        rectangle((x0, y0), x1 - x0, y1 - y0, facecolor="none", edgecolor=colour, lw=1.5)
    )


def bare(axes: Any, *, framed: bool = False) -> None:
    """Without ticks, and without frames where they are not asked for."""
    for shown in np.ravel(axes):
        shown.set(xticks=[], yticks=[])
        for side in shown.spines.values():
            side.set_visible(framed)
