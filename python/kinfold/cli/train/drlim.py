"""Learn a map of small pictures to a few dimensions: pictures that are alike lie together, also those not learnt.

Pictures are an array (n, height, width), with channels last if there are several, of an idx file as MNIST's (compressed
or not), .npy or .npz; or a folder of photos, which become small squares. The map is a file that kinfold.load reads:
transform(pictures) says where they belong.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.base.text import shown
from kinfold.cli.options import count
from kinfold.cli.output import check_writable
from kinfold.cli.train.shared import Training, add_training, training

SUMMARY = "a map of small pictures to a few dimensions"
# Pictures larger than this are too much for the convolutional network, which sees all of them at once.
_CONVOLVED = 48


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train drlim``."""
    parser.add_argument("pictures", metavar="PICTURES", help="idx, .npy or .npz file, or folder")
    parser.add_argument(
        "--array", metavar="NAME", help="of pictures in an .npz file (default: its only one)"
    )
    parser.add_argument("--first", type=count, metavar="N", help="learn the first N (default: all)")
    parser.add_argument(
        "--side", type=count, default=32, metavar="N", help="of photos, in pixels (default: 32)"
    )
    parser.add_argument("--colour", action="store_true", help="photos in colour, not in grey")
    parser.add_argument("--dim", type=count, default=2, metavar="N", help="of the map (default: 2)")
    parser.add_argument(
        "--neighbours", type=count, default=5, metavar="N",
        help="so many nearest others are similar to a picture (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--pairs", metavar="FILE",
        help="similar instead: rows of two numbers of pictures, counted from 0, in an .npy file",
    )  # fmt: skip
    parser.add_argument(
        "--network", choices=("convolutional", "connected"),
        help=f"(default: convolutional for pictures up to {_CONVOLVED} pixels)",
    )  # fmt: skip
    parser.add_argument(
        "--picture", metavar="FILE", help="draw the map, of 2 or 3 dimensions, as PNG"
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="colours of the picture's points, a number for each: idx, .npy"
    )  # fmt: skip
    add_training(parser, epochs=16, batch=32, rate=None, output="map.kin", what="the map")


def run(options: argparse.Namespace) -> int:
    """Read the pictures, learn, write the map."""
    if options.picture:
        check_writable(options.picture)
        require("matplotlib")
        if options.dim not in (2, 3):
            raise ValueError(f"picture: expected a map of 2 or 3 dimensions, got {options.dim}")
    with training(options) as run:
        from kinfold.io.kin import save
        from kinfold.io.npy import read_npy
        from kinfold.learn.drlim import DrLIM

        pictures = _pictures(options, run)
        labels = None if options.labels is None else _array(Path(options.labels))[: options.first]
        if labels is not None and labels.shape != pictures.shape[:1]:
            raise ValueError(
                f"labels: expected one for each of {len(pictures)} pictures, got {labels.shape}"
            )
        loop = run.loop()
        chosen = {name: loop.pop(name) for name in ("epochs", "rate", "seed", "verbose")}
        model = DrLIM(
            options.dim, n_neighbors=options.neighbours, network=options.network or _network(pictures),
            batch=options.batch, device=options.device, **chosen,
        )  # fmt: skip
        pairs = None if options.pairs is None else read_npy(options.pairs)
        model.fit(pictures, pairs=pairs, **loop)
        save(model, run.output)
        run.measured["pictures"] = len(pictures)
        if options.picture:
            from kinfold.report.embedding import write_embeddings

            write_embeddings(options.picture, {"": model.transform(pictures)}, labels)
        name = shown(str(run.output))
        use = f"kinfold.load({name!r}).transform(pictures)"
        run.tell(model.history_, "drlim", wrote="map", use=use)
        return 0


def _network(pictures: NDArray[Any]) -> str:
    small = pictures.ndim > 2 and 8 <= min(pictures.shape[1:3]) <= max(pictures.shape[1:3]) <= _CONVOLVED  # fmt: skip
    return "convolutional" if small else "connected"


def _pictures(options: argparse.Namespace, run: Training) -> NDArray[Any]:
    """What is learnt from, at most the first that were asked for."""
    place = Path(options.pictures)
    found = _photos(place, options, run) if place.is_dir() else _array(place, options.array)
    return found[: options.first]


def _array(path: Path, name: str | None = None) -> NDArray[Any]:
    """An array of a file, by its ending; idx files have many."""
    from kinfold.io.idx import read_idx
    from kinfold.io.npy import read_npy
    from kinfold.io.npz import read_npz

    if path.suffix == ".npz":
        return read_npz(path, name)
    return read_npy(path) if path.suffix == ".npy" else read_idx(path)


def _photos(folder: Path, options: argparse.Namespace, run: Training) -> NDArray[Any]:
    """The photos of a folder as squares, grey or in colour."""
    from kinfold.base.errors import ImageError
    from kinfold.base.progress import progress
    from kinfold.images.decode import decode
    from kinfold.images.luma import luma
    from kinfold.images.resize import resize
    from kinfold.images.walk import walk

    def skip(path: str, reason: object) -> None:
        run.remark(f"skipped {shown(path)}: {shown(str(reason))}")

    squares, side = [], options.side
    listed = walk(folder, on_error=skip)
    for photo in progress(listed[: options.first], "photos", verbose=not options.quiet):
        try:
            pixels = decode(folder / photo.path, max_side=8 * side).pixels
        except ImageError as error:
            skip(photo.path, error)
            continue
        squares.append(resize(pixels, side, side))
    if not squares:
        raise ValueError(f"pictures: there is no photo in {shown(str(folder))}")
    colours = np.stack(squares)
    return colours if options.colour else luma(colours)
