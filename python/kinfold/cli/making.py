"""What a gallery is made with, for the commands that make one."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kinfold.base.text import shown
from kinfold.cli.options import count, engine, shares
from kinfold.cli.output import say
from kinfold.features.preprocess import NAMED, OWN, as_preprocessing
from kinfold.gallery import METHODS
from kinfold.gallery.settings import FAST, POOLINGS, Settings
from kinfold.gallery.vector_search import AUTO_LEAST
from kinfold.local.extractors import METHODS as EXTRACTORS

_NUMBERS = {
    "max_side": "longer side that photos are reduced to",
    "max_features": "local features of a photo",
    "visual_words": "words of asmk",
    "codewords": "size of the codebook of vlad; fisher has half as many Gaussians",
    "colour_codewords": "size of the codebook of colours",
    "centroids": "of tembedding",
    "dim": "length of the vectors of vlad, fisher, tembedding and colour",
    "network_side": "longer side that photos are reduced to for a network",
    "network_dim": "length of a network's vectors",
    "square_side": "of the squares that photos become where a layer gives codes, or --pooling is flatten",
}
# Files that are skipped for one reason and named one by one.
_MANY_ALIKE = 5
# Options that go to Settings by their own names.
_OPTIONS = (*_NUMBERS, "features", "shares", "layer", "pooling", "regions", "search")


def add_making(parser: argparse._ActionsContainer) -> None:
    """--engine, --weights and what else says how photos are described."""
    parser.add_argument(
        "--engine",
        type=engine,
        metavar="NAME[+NAME...]",
        help=f"what of a photo is compared: {', '.join(METHODS)}, or several joined by + "
        f"(default: {Settings.engine}; cnn with --weights)",
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        default=None,
        help="one vector of each photo, of fewer features in a smaller picture: a fraction of the time and disk, "
        "and finds less; "
        + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in FAST.items()),
    )
    parser.add_argument(
        "--shares",
        type=shares,
        metavar="S,S,...",
        help="of the similarity, one for each engine named (default: what suits photos)",
    )
    parser.add_argument(
        "--weights",
        metavar="MODEL",
        action="append",
        default=[],
        help="a network, for the engine cnn: a file of weights, efficientnet-lite2 and other names of packages, "
        "MODEL.onnx, MODEL.pt2, timm:NAME, open_clip:NAME/TAG, or a folder of the last two; more than once for several "
        "networks together",
    )
    parser.add_argument(
        "--preprocess",
        metavar="FILE",
        action="append",
        default=[],
        help="what images a network expects, where its model does not say it: preprocessor_config.json, or one of "
        f"{', '.join(NAMED)}; more than once for each of several networks ({OWN}: what it says itself)",
    )
    parser.add_argument(
        "--features",
        choices=EXTRACTORS,
        help=f"what finds local features: SIFT, or a network (default: {Settings.features})",
    )
    parser.add_argument(
        "--local-weights",
        metavar="FILE",
        action="append",
        default=[],
        help="weights of the network that finds local features; more than once where it needs several",
    )
    parser.add_argument(
        "--layer",
        metavar="NAME[+NAME...]",
        help="where a network is cut, or which output of a model: fc6, fc7, pool5, conv5, a module such as features.7; "
        "joined by + one for each network; a wrong name lists those there are (default: the maps that retrieval uses)",
    )
    parser.add_argument(
        "--pooling",
        metavar="NAME[+NAME...]",
        help=f"how a network's maps become a vector: {', '.join(POOLINGS)}; joined by + one for each network; "
        f"layers of codes have none "
        f"(default: {Settings.pooling})",
    )
    parser.add_argument(
        "--regions",
        action="store_true",
        default=None,
        help="keep the regions of the first network's maps too, for --rerank regions and regional-diffusion",
    )
    parser.add_argument(
        "--model",
        metavar="GALLERY",
        help="take codebook and whitening from another gallery instead of learning them",
    )
    parser.add_argument(
        "--search",
        metavar="INDEX",
        help="the index under the vectors: IVF1024,LOPQ16, SQ8 or another, Flat for the exhaustive scan, or auto, "
        f"which is that for fewer than {AUTO_LEAST:,} photos; may be changed later (default: {Settings.search})",
    )
    for name, what in _NUMBERS.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=count,
            metavar="N",
            help=f"{what} (default: {getattr(Settings, name)})",
        )


def given(options: argparse.Namespace) -> list[str]:
    """The options of add_making that were given."""
    names = ("engine", "fast", "weights", "preprocess", "local_weights", "model", *_OPTIONS)
    return [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]


def is_made(target: Path) -> bool:
    """Whether there is a gallery, finished or not."""
    return (target / "MANIFEST.json").is_file()


def make(target: Path, options: argparse.Namespace, *, remake: bool = False) -> Any:
    """A new gallery, without photos."""
    from kinfold.gallery import Gallery

    return Gallery.create(
        target, weights=options.weights, local_weights=options.local_weights, model=options.model,
        remake=remake, preprocess=options.preprocess, **_settings(options),
    )  # fmt: skip


def reopen(target: Path, options: argparse.Namespace, *, changed: Collection[str] = ()) -> Any:
    """A gallery that is there, to be brought up to date. Raises ValueError where it was made otherwise.

    changed : names of Settings that the update changes
    """
    from kinfold.gallery import Gallery

    opened = Gallery.open(target, repair=True)
    for name, value in _settings(options).items():
        made_with = getattr(opened.settings, name)
        if made_with != value and name not in changed:
            raise ValueError(
                f"{target}: was made with {name} {made_with}, not {value}; choose another gallery"
            )
    if options.model:
        raise ValueError(f"{target}: has a model already; --model is for a new gallery")
    _check_images(target, options.preprocess, opened.settings.preprocess)
    if options.weights or options.local_weights:
        opened.restore_weights([*options.weights, *options.local_weights])
    return opened


def _check_images(target: Path, given: list[str], made: Any) -> None:
    """ValueError where networks were given other images than is said now."""
    said = given * len(made) if len(given) == 1 else given
    for one, seen in zip(said, made):
        if one != OWN and (seen is None or not as_preprocessing(one).is_of(as_preprocessing(seen))):
            raise ValueError(
                f"{target}: was made with other images than --preprocess {one} says; choose another gallery"
            )


def tell_skipped(changes: Any) -> None:
    """Photos that could not be read, those alike in one line where they are many, and remarks of an update."""
    alike: dict[str, list[str]] = {}
    for path, reason in changes.failed:
        alike.setdefault(reason, []).append(path)
    for reason, paths in alike.items():
        if len(paths) > _MANY_ALIKE:
            say(f"skipped {len(paths)} files, {shown(paths[0])} and others: {shown(reason)}")
            continue
        for path in paths:
            say(f"skipped {shown(path)}: {shown(reason)}")
    for note in changes.notes:
        say(shown(note))


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What was chosen of Settings."""
    chosen = {
        name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None
    }
    engine_of = options.engine or ("cnn" if options.weights else None)
    preset = FAST if options.fast else {}
    return {**preset, **chosen, **({"engine": engine_of} if engine_of else {})}
