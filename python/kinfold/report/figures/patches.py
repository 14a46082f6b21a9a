"""Patches of photos, and those that networks find nearest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.extras import require
from kinfold.features.weights import network, random_network, read_weights
from kinfold.io.atomic import replace_file
from kinfold.learn.patches import Grid
from kinfold.learn.statistics import calibrate
from kinfold.report.figures.photos import rendered
from kinfold.transform.normalize import l2_normalize

Path = str | os.PathLike[str]
_GRID = Grid(patch=72, gap=36, jitter=7)
# Patches of less contrast say nothing.
_LIVELY = 40
_SCENES, _QUERIES, _NEAREST, _SIDE, _GAP, _TOP = 6, 6, 4, 64, 4, 18
# Colours of a picture that is a sheet of photos.
_COLOURS = 128


def nearest_patches(path: Path, weights: Path) -> None:
    """Patches of photos, each with the nearest patches of other photos by a network of random weights and by the
    network whose weights were given.

    Without having learnt anything, a network finds the same colours and edges. What training adds is that parts come
    together: windows and windows, roofs and roofs.
    """
    random = np.random.default_rng(3)
    photos = [photo for scene in rendered(_SCENES) for photo in scene]
    patches = np.concatenate([_nine(photo, random) for photo in photos])
    of = np.repeat(np.arange(len(photos)), 9)
    learnt = network(read_weights(weights))
    blank = random_network(_name_of(learnt), 0)
    blank.requires_grad_(True)
    calibrate(blank, list(patches), squares=256, side=72)
    described = {
        name: _described(each, patches) for name, each in {"random weights": blank, "learnt": learnt}.items()
    }  # fmt: skip
    lively = np.flatnonzero(patches[:, ::4, ::4].std(axis=(1, 2, 3)) > _LIVELY)
    write_nearest(path, patches, of, random.permutation(lively)[:_QUERIES], described)


def write_nearest(
    path: Path, patches: Any, photos: Ids, queries: Ids, described: Mapping[str, Vectors]
) -> None:
    """Write a PNG of patches, a line each: the patch, and the nearest of other photos by each network.

    patches : uint8 (n, side, side, 3)
    photos : int64 (n,), the photo that each is of
    queries : rows of those that ask
    described : network -> vectors (n, d)
    """
    images, drawing = require("PIL.Image"), require("PIL.ImageDraw")
    wide = _SIDE + len(described) * (_NEAREST * _SIDE + 3 * _GAP)
    sheet = images.new("RGB", (wide, _TOP + len(queries) * (_SIDE + _GAP)), "white")
    draw = drawing.Draw(sheet)

    def tile(row: int) -> Any:
        return images.fromarray(patches[row]).resize((_SIDE, _SIDE))

    draw.text((4, 3), "patch", fill="black")
    for line, query in enumerate(queries):
        sheet.paste(tile(query), (0, _TOP + line * (_SIDE + _GAP)))
    for column, (name, vectors) in enumerate(described.items()):
        left = _SIDE + 3 * _GAP + column * (_NEAREST * _SIDE + 3 * _GAP)
        draw.text((left + 2, 3), name, fill="black")
        centred = l2_normalize(vectors - vectors.mean(axis=0))
        for line, query in enumerate(queries):
            similar = centred @ centred[query]
            similar[photos == photos[query]] = -2
            for rank, row in enumerate(np.argsort(-similar, kind="stable")[:_NEAREST]):
                sheet.paste(tile(row), (left + rank * _SIDE, _TOP + line * (_SIDE + _GAP)))
    with replace_file(path) as file:
        sheet.quantize(_COLOURS).save(file, format="PNG", optimize=True)


def _nine(photo: Any, random: np.random.Generator) -> Any:
    """The nine patches of a grid."""
    corners, _ = _GRID.draw(photo.shape[0], photo.shape[1], 8, random)
    return np.stack([photo[r : r + _GRID.patch, c : c + _GRID.patch] for r, c in corners])


def _name_of(net: Any) -> str:
    """The architecture's name in the catalogue."""
    from kinfold.base.registry import resolve
    from kinfold.features.backbones import METHODS

    return next(name for name, target in METHODS.items() if resolve(target) is type(net))


def _described(net: Any, patches: Any) -> Vectors:
    from kinfold.learn.validation import describe_pooled

    vectors: Vectors = describe_pooled(list(patches), pooling="spoc", max_side=_GRID.patch)(
        net.eval()
    )
    return vectors
