"""Networks of whatever is given as weights."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kinfold.features.models import METHODS
from kinfold.features.models.spec import Choice, maker_of, named
from kinfold.features.network import Network
from kinfold.features.preprocess import as_preprocessing


def network_of(
    weights: Any, choice: Choice, *, architecture: str | None = None, seed: int = 0
) -> Network:
    """The network of a file, a name, a folder, an ``nn.Module``, or "random" with an architecture; or one that is read.

    Raises FileNotFoundError, FileFormatError for files that are no model, MissingExtraError for a package that is
    missing, and ValueError with what else is wrong.
    """
    if hasattr(weights, "runs"):
        ready: Network = weights
        return ready
    weights = named(weights)
    if isinstance(weights, (str, os.PathLike)) and weights != "random":
        maker, source = maker_of(weights)
        if maker:
            if architecture is not None:
                raise ValueError(f"architecture: expected none, as {weights} says its own")
            network: Network = importlib.import_module(METHODS[maker]).load(source, choice)
            return network
    from kinfold.features.trunk import Trunk

    trunk = Trunk.of(weights, architecture, choice.layer, seed)
    if choice.pooling == "cls":
        raise ValueError(
            f"pooling: expected another than 'cls', as {trunk.name} has no class token"
        )
    if choice.preprocess is not None:
        trunk = replace(trunk, preprocessing=as_preprocessing(choice.preprocess))
    return trunk


@contextmanager
def in_files(weights: Sequence[Any]) -> Iterator[list[Path]]:
    """A file for each of several weights, of which copies give the same networks; some only within the block."""
    with TemporaryDirectory() as folder:
        files = []
        for number, one in enumerate(map(named, weights)):
            maker, source = maker_of(one)
            own = Path(folder) / str(number)
            own.mkdir()
            files.append(
                importlib.import_module(METHODS[maker]).in_one_file(source, own)
                if maker
                else Path(source)
            )
        yield files
