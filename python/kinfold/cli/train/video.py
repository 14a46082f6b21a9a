"""Learn descriptors from videos, without labels: what moves is followed, and looks like itself half a second later."""

from __future__ import annotations

import argparse
from pathlib import Path

from kinfold.base.text import shown
from kinfold.cli.options import count, share
from kinfold.cli.train.shared import add_training, training

SUMMARY = "descriptors, from what moves in videos"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold train video``."""
    parser.add_argument("videos", nargs="+", metavar="VIDEO", help="files, or folders of them")
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="of a network to begin with (default: a small one, from nothing)",
    )
    parser.add_argument(
        "--every", type=count, default=5, metavar="N",
        help="a track begins each so many frames (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--length", type=count, default=30, metavar="N", help="of a track, in frames (default: 30)"
    )
    parser.add_argument(
        "--least", type=share, default=0.25, metavar="SHARE",
        help="of a frame's points that move: frames of less are passed over (default: 0.25)",
    )  # fmt: skip
    parser.add_argument(
        "--apart", type=count, metavar="N",
        help="frames after which a video shows something else (default: never, other videos do)",
    )  # fmt: skip
    parser.add_argument(
        "--grey", type=share, default=0.0, metavar="SHARE",
        help="of what is learnt from that is shown without colours (default: 0)",
    )  # fmt: skip
    add_training(parser, epochs=30, batch=50, rate=1e-3)


def run(options: argparse.Namespace) -> int:
    """Find the videos, follow what moves, learn."""
    from kinfold.features.weights import network, random_network, read_weights
    from kinfold.learn.mine.tracks import mine_tracks
    from kinfold.learn.video import train_video

    with training(options) as run:
        if options.weights is None:
            architecture: str | None = "compact"
            net = random_network("compact", options.seed)
        else:
            weights = read_weights(options.weights)
            architecture, net = weights.metadata.get("architecture"), network(weights)
        files = found(options.videos)
        pairs = mine_tracks(
            files, every=options.every, length=options.length, least=options.least, seed=options.seed,
            on_error=lambda path, reason: run.remark(f"skipped {shown(path)}: {shown(reason)}"),
            verbose=not options.quiet,
        )  # fmt: skip
        run.remark(
            f"{len(pairs)} pairs of patches from {len(set(pairs.videos))} of {len(files)} videos"
        )
        history = train_video(
            net.requires_grad_(True).to(options.device), pairs, batch=options.batch, apart=options.apart,
            grey=options.grey, architecture=architecture, statistics=options.weights is None, **run.loop(),
        )  # fmt: skip
        run.measured["pairs"] = len(pairs)
        return run.finish(history, "video")


def found(places: list[str]) -> list[Path]:
    """Files as they are, and the videos in folders, sorted. ValueError where there is none."""
    from kinfold.images.video import EXTENSIONS
    from kinfold.images.walk import walk

    files: list[Path] = []
    for place in map(Path, places):
        if place.is_dir():
            files += [place / video.path for video in walk(place, extensions=EXTENSIONS)]
        else:
            files.append(place)
    if not files:
        raise ValueError(f"videos: there is none in {', '.join(shown(place) for place in places)}")
    return files
