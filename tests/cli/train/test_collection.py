from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.cli.train.collection import add_collection, collection
from kinfold.cli.train.shared import Training


def run_of(photos: Path, weights: Path, folder: Path) -> Training:
    parser = argparse.ArgumentParser()
    add_collection(parser)
    options = parser.parse_args([str(photos), "--weights", str(weights)])
    options.quiet = True
    return Training(options, folder / "net", folder / "net.training")


def test_a_folder_becomes_a_gallery_once_and_a_gallery_is_taken(classes, weights, tmp_path) -> None:
    run = run_of(classes, weights, tmp_path)
    for _ in range(2):
        with collection(run) as (gallery, start):
            assert start == weights and len(gallery) == 16
            assert gallery.path == run.folder / "photos.kin"
            ids = gallery.matches([], verbose=False).ids
    with collection(run_of(gallery.path, weights, tmp_path)) as (same, _):
        assert same.path == gallery.path and np.array_equal(
            same.matches([], verbose=False).ids, ids
        )


def test_no_such_folder(weights, tmp_path) -> None:
    with (
        pytest.raises(FileNotFoundError, match="no such folder or gallery"),
        collection(run_of(tmp_path / "none", weights, tmp_path)),
    ):
        pass
