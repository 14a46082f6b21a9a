"""Photos described elsewhere: in processes, killed or not, and in other people's pipelines."""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sqlite3
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kinfold
from kinfold import Gallery
from kinfold.workers.process import Process


def contents(path: Path) -> dict[str, Any]:
    """All that a gallery's folder holds: bytes of files, rows of the table."""
    held: dict[str, Any] = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.suffix == ".kin":
            held[name] = file.read_bytes()
        elif file.suffix in (".sqlite", ".db") or name.startswith("photos"):
            with sqlite3.connect(file) as table:
                held[name] = [*table.iterdump()]
    return held


def made(path: Path, photos: Path, **how: Any) -> dict[str, Any]:
    with Gallery.create(path, codewords=16) as gallery:
        gallery.update(photos, verbose=False, **how)
    return contents(path)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of few photos, so that there are several."""
    monkeypatch.setattr("kinfold.gallery.write.update.SEGMENT", 3)


@pytest.mark.usefixtures("few")
def test_a_gallery_by_workers_is_the_same_byte_for_byte(photos: Path, tmp_path: Path) -> None:
    (photos / "scene1" / "torn.jpg").write_bytes(b"\xff\xd8\xff not a photo")
    alone = made(tmp_path / "alone.kin", photos)
    assert len(alone) > 10
    assert made(tmp_path / "two.kin", photos, workers=2) == alone


@pytest.mark.usefixtures("few")
def test_killed_workers_lose_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is killed while it describes; the batch is described anew by another."""
    alone = made(tmp_path / "alone.kin", photos)
    plain, killed = Process.ask, []

    def ask(self: Process, method: str, *arguments: Any) -> None:
        plain(self, method, *arguments)
        if len(killed) < 4 and self.pid is not None:
            killed.append(self.pid)
            threading.Timer(0.01 * len(killed), os.kill, (self.pid, signal.SIGKILL)).start()
            time.sleep(0.05)

    monkeypatch.setattr(Process, "ask", ask)
    assert made(tmp_path / "two.kin", photos, workers=2) == alone
    assert len(killed) == 4


DEADLY = """
import os, signal
from kinfold.gallery.batches import BatchDescriber

class Deadly(BatchDescriber):
    def files(self, root, files):
        if any(file.path == "scene2/view1.jpg" for file in files):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().files(root, files)
"""


@pytest.mark.usefixtures("few")
def test_a_photo_that_kills_whoever_describes_it_is_told_and_tried_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly.py").write_text(DEADLY)
    with (
        monkeypatch.context() as patched,
        Gallery.create(tmp_path / "g.kin", codewords=16) as gallery,
    ):
        patched.syspath_prepend(str(tmp_path))
        patched.setattr(
            "kinfold.gallery.reader.BatchDescriber", importlib.import_module("deadly").Deadly
        )
        changes = gallery.update(photos, verbose=False, workers=2)
        assert changes.added == 19
        ((path, reason),) = changes.failed
        assert path == "scene2/view1.jpg" and "ended by SIGKILL" in reason
    with Gallery.open(tmp_path / "g.kin") as gallery:
        assert gallery.update(photos, verbose=False).failed == [] and len(gallery) == 20


def test_columns_of_batches(photos: Path, tmp_path: Path, indexed: Path) -> None:
    with Gallery.open(indexed) as gallery:
        describe = pickle.loads(pickle.dumps(gallery.batches()))
        names = [photo.path for photo in gallery.photos][:5]
        paths = np.array([str(photos / name) for name in names])
        (photos / names[1]).write_bytes(b"no photo")
        found = describe({"path": paths, "more": paths})
        assert all(len(column) == 5 for column in found.values())
        assert found["path"].tolist() == paths.tolist()
        assert [bool(reason) for reason in found["reason"]] == [False, True, False, False, False]
        assert found["frame"].tolist() == [[0] * 4 if n == 1 else [300] * 4 for n in range(5)]
        for number in (0, 2):
            (id,) = [photo.id for photo in gallery.photos if photo.path == names[number]]
            features = gallery.features(id)
            assert found["features"][number] == len(features) > 0
            np.testing.assert_array_equal(found["descriptors"][number], features.descriptors)
            np.testing.assert_array_equal(found["positions"][number], features.positions)
    # In a plain pool of processes, each with a copy of its own.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        (other,) = pool.map(describe, [{"path": paths}])
    for name, column in found.items():
        for mine, theirs in zip(column, other[name]):
            np.testing.assert_array_equal(mine, theirs)


def test_workers_are_a_number_or_ray(photos: Path, tmp_path: Path) -> None:
    with Gallery.create(tmp_path / "g.kin", codewords=16) as gallery:
        for given, words in (("spark", 'a number or "ray"'), (-1, "expected"), (1.5, "expected")):
            with pytest.raises(ValueError, match=f"^workers: .*{words}"):
                gallery.update(photos, workers=given, verbose=False)


@pytest.mark.slow
@pytest.mark.usefixtures("few")
def test_networks_by_workers_are_the_same_byte_for_byte(photos: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights

    save_weights(tmp_path / "w.safetensors", random_network("compact", 3), "compact")
    how: dict[str, Any] = {
        "weights": tmp_path / "w.safetensors", "engine": "cnn", "network_side": 96, "network_scales": (1.0,),
    }  # fmt: skip
    found = []
    for name, workers in (("alone.kin", 0), ("two.kin", 2)):
        with Gallery.create(tmp_path / name, **how) as gallery:
            gallery.update(photos, verbose=False, workers=workers)
        found.append(contents(tmp_path / name))
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_actors_of_ray(photos: Path, tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="needs the extra: kinfold[ray]")
    source = str(Path(kinfold.__file__).parents[1])
    ray.init(
        num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False,
        runtime_env={"env_vars": {"PYTHONPATH": source}},
    )  # fmt: skip
    try:
        assert made(tmp_path / "ray.kin", photos, workers="ray") == made(
            tmp_path / "alone.kin", photos
        )
        with Gallery.open(tmp_path / "alone.kin") as gallery:
            describe, names = gallery.batches(), [photo.path for photo in gallery.photos]
        rows = ray.data.from_items([{"path": str(photos / name)} for name in names])
        found = rows.map_batches(describe, batch_size=8).take_all()
        assert sorted(row["path"] for row in found) == sorted(str(photos / name) for name in names)
        alone = describe({"path": [found[0]["path"]]})
        np.testing.assert_array_equal(found[0]["descriptors"], alone["descriptors"][0])
    finally:
        ray.shutdown()
