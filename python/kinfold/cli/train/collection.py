"""Photos without labels that a recipe learns from: a gallery of theirs, which is given or made."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kinfold.base.text import shown
from kinfold.cli.opened import is_gallery, opened
from kinfold.cli.train.shared import Training

if TYPE_CHECKING:
    from kinfold.gallery.gallery import Gallery


def add_collection(parser: argparse.ArgumentParser) -> None:
    """A folder or a gallery, and the weights to begin with."""
    parser.add_argument("photos", metavar="PHOTOS", help="a folder of photos, or a gallery of them")
    parser.add_argument(
        "--weights", required=True, metavar="FILE", help="of a trained network, to begin with"
    )
    parser.add_argument(
        "--architecture", metavar="NAME", help="of the weights (default: told from them)"
    )


@contextmanager
def collection(run: Training, *, engine: str = "cnn") -> Iterator[tuple[Gallery, Path]]:
    """The gallery, and the weights to begin with.

    Of a folder one is made, or brought up to date, beside the training's checkpoints: local features and descriptors
    are then kept, whatever stops the rest.

    engine : of the gallery that is made; "cnn" describes photos by the weights
    """
    options, place = run.options, Path(run.options.photos)
    if is_gallery(place):
        with opened(str(place)) as gallery:
            yield gallery, Path(options.weights)
        return
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: there is no such folder or gallery")
    from kinfold.gallery import Gallery

    path = run.folder / "photos.kin"
    weights = [options.weights] if engine == "cnn" else []
    if is_gallery(path):
        made = Gallery.open(path)
        made.restore_weights(weights)
    else:
        made = Gallery.create(path, engine=engine, weights=weights)
    with made as gallery:
        changes = gallery.update(place, verbose=not options.quiet)
        for name, reason in changes.failed:
            run.remark(f"skipped {shown(name)}: {shown(reason)}")
        yield gallery, Path(options.weights)
