"""What a gallery keeps of pairs of photos: nothing twice, nothing stale, nothing lost, whatever happens beside it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import kinfold as kf
from kinfold import Gallery
from kinfold.base.errors import FileFormatError, Remark
from kinfold.cli.run import run
from kinfold.gallery.lock import writer_lock
from kinfold.gallery.store import MATCHES
from kinfold.local import match_graph
from kinfold.local.match_graph import MatchGraph

from .conftest import SCENES, VIEWS, view, write_photo


class Looks:
    """Counts the pairs that are looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, real = 0, match_graph.match

        def counted(*args: object) -> object:
            self.count += 1
            return real(*args)

        monkeypatch.setattr(match_graph, "match", counted)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def found(path: Path, **options: object) -> tuple[str, MatchGraph]:
    """The groups as text, and what is known then."""
    with Gallery.open(path) as gallery:
        groups = gallery.groups(verbose=False, **options)
        return json.dumps([group.to_dict() for group in groups]), gallery.matches(verbose=False)


def same(a: MatchGraph, b: MatchGraph) -> bool:
    theirs = b.arrays()
    return all(np.array_equal(array, theirs[name]) for name, array in a.arrays().items())


def test_nothing_is_looked_at_twice(gallery_path: Path, looks: Looks) -> None:
    groups, graph = found(gallery_path)
    assert looks.count == len(graph.tried) > SCENES * VIEWS
    assert same(graph, kf.load(gallery_path / MATCHES, MatchGraph))
    assert found(gallery_path)[0] == groups and looks.count == len(graph.tried)
    # Any threshold is answered from what is kept.
    for least in (1, 4, 20, 200):
        kept = found(gallery_path, least_inliers=least)[0]
        (gallery_path / MATCHES).rename(gallery_path / "away")
        assert found(gallery_path, least_inliers=least)[0] == kept
        (gallery_path / "away").rename(gallery_path / MATCHES)


def test_what_else_is_known_changes_no_group(gallery_path: Path, looks: Looks) -> None:
    groups, graph = found(gallery_path)
    (gallery_path / MATCHES).unlink()
    with Gallery.open(gallery_path) as gallery:
        ids = gallery.parts.ids
        every = ids[np.column_stack(np.triu_indices(len(ids), 1))]
        before = looks.count
        whole = gallery.matches(every[:, ::-1], verbose=False)
        assert looks.count - before == len(every) == len(whole.tried)
        rows = whole.rows_of(graph.tried)
        np.testing.assert_array_equal(whole.maps[rows], graph.maps)
        np.testing.assert_array_equal(whole.inliers[rows], graph.inliers)
        assert len(gallery.matches([], verbose=False).tried) == len(every)
        for pairs, message in [
            ([[ids[0], 10_000]], "^pairs: expected ids of photos of the gallery, got 10000"),
            ([[ids[0], ids[0]]], "^pairs: expected two different photos"),
            ([1, 2], r"^pairs: expected ids of photos \(m, 2\)"),
        ]:
            with pytest.raises(ValueError, match=message):
                gallery.matches(pairs, verbose=False)
    assert found(gallery_path)[0] == groups


def test_only_what_is_new_or_changed_is_looked_at(
    photos: Path, gallery_path: Path, looks: Looks
) -> None:
    with Gallery.open(gallery_path) as gallery:
        gallery.update(photos, verbose=False)
    first = found(gallery_path)[1]
    (photos / "scene0" / "view1.jpg").unlink()
    (photos / "scene1" / "view1.jpg").rename(photos / "moved.jpg")
    write_photo(photos / "scene2" / "view1.jpg", view(2, 7))
    write_photo(photos / "scene3" / "new.jpg", view(3, 8))
    with Gallery.open(gallery_path) as gallery:
        gallery.update(verbose=False)
    before = looks.count
    groups, graph = found(gallery_path)
    stayed = np.isin(first.ids, graph.ids)
    assert stayed.sum() == len(first) - 2 and len(graph) == len(first)
    there = stayed[first.tried].all(axis=1)
    known = {tuple(pair) for pair in first.ids[first.tried[there]].tolist()}
    wanted = {tuple(pair) for pair in graph.ids[graph.tried].tolist()}
    assert known <= wanted and looks.count - before == len(wanted - known)
    # As if all had been looked at now.
    (gallery_path / MATCHES).unlink()
    assert found(gallery_path)[0] == groups


def test_an_id_that_is_given_again_is_another_photo(small: Path, looks: Looks) -> None:
    path = small / "g.kin"
    found(path)
    # A table that lost its counter may give ids again, to whatever photo comes then.
    kept = kf.load(path / MATCHES, MatchGraph)
    digests = kept.digests.copy()
    digests[0, 0] ^= 1
    parts = {name: getattr(kept, name) for name in ("tried", "matched", "maps", "starts", "points")}
    kf.save(MatchGraph(kept.ids, kept.sizes, digests, **parts), path / MATCHES)
    before = looks.count
    graph = found(path)[1]
    assert looks.count - before == (kept.tried == 0).any(axis=1).sum() > 0
    assert same(graph, kept)


def test_a_folder_that_cannot_be_written(gallery_path: Path, as_nobody: Callable[..., str]) -> None:
    groups, _ = found(gallery_path)
    (gallery_path / MATCHES).unlink()
    for folder in (gallery_path / "parts", gallery_path / "segments", gallery_path):
        folder.chmod(0o555)
    (gallery_path / "LOCK").chmod(0o444)
    code = """
import json, sys, warnings
from kinfold import Gallery
warnings.simplefilter("error")
with Gallery.open(sys.argv[1]) as gallery:
    print(json.dumps([group.to_dict() for group in gallery.groups(verbose=False)]))
"""
    try:
        assert as_nobody(code, gallery_path).strip() == groups
        assert not (gallery_path / MATCHES).exists()
    finally:
        for folder in (gallery_path, gallery_path / "parts", gallery_path / "segments"):
            folder.chmod(0o755)


def test_beside_a_writer_the_answer_is_told_and_not_kept(gallery_path: Path) -> None:
    with writer_lock(gallery_path):
        groups, _ = found(gallery_path)
        assert not (gallery_path / MATCHES).exists()
    assert found(gallery_path)[0] == groups and (gallery_path / MATCHES).exists()


def test_what_others_kept_meanwhile_stays(
    gallery_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(gallery_path) as gallery, Gallery.open(gallery_path) as other:
        ids = gallery.parts.ids
        real = match_graph.verify_many
        theirs = [[ids[0], ids[1]]]

        def slow(*args: object) -> object:
            monkeypatch.setattr(match_graph, "verify_many", real)
            other.matches(theirs, verbose=False)
            return real(*args)

        monkeypatch.setattr(match_graph, "verify_many", slow)
        gallery.matches([[ids[0], ids[2]]], verbose=False)
    assert kf.load(gallery_path / MATCHES).tried.tolist() == [[0, 1], [0, 2]]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-70])


def _flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-500] ^= 1
    path.write_bytes(data)


def _other(path: Path) -> None:
    kf.save(kf.KMeans(2, verbose=False).fit(np.eye(4)), path)


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


@pytest.mark.parametrize("damage", [_cut, _flipped, _other, _linked])
def test_a_damaged_file_is_made_anew(
    damage: Callable[[Path], None], gallery_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    groups, graph = found(gallery_path)
    path = gallery_path / MATCHES
    damage(path)
    with Gallery.open(gallery_path) as gallery, pytest.raises(FileFormatError, match=MATCHES):
        gallery.info(verify=True)
    with pytest.warns(Remark, match=f"the matches were damaged: found anew .*{MATCHES}"):
        again = found(gallery_path)
    assert again[0] == groups and same(again[1], graph)
    assert same(kf.load(path, MatchGraph), graph) and not path.is_symlink()
    damage(path)
    assert run(["groups", str(gallery_path)]) == 0
    out, err = capfd.readouterr()
    assert err.count("\n") == 1 and err.startswith("kinfold: the matches were damaged: found anew")
    damage(path)
    assert run(["groups", str(gallery_path), "--quiet"]) == 0
    assert capfd.readouterr() == (out, "")
    # An update removes what is damaged, and says so.
    damage(path)
    with Gallery.open(gallery_path) as gallery:
        notes = gallery.update(verbose=False).notes
        assert len(notes) == 1 and notes[0].startswith("the matches were damaged: found anew when")
        assert not path.is_symlink() and not path.exists()
        assert "pairs_verified" not in gallery.info(verify=True)


def test_a_full_disk_is_told(gallery_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinfold.io import atomic

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    groups, _ = found(gallery_path)
    (gallery_path / MATCHES).unlink()
    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.warns(Remark, match="the matches are not kept: .*No space left"):
        assert found(gallery_path)[0] == groups
    assert not list(gallery_path.glob("*matches*"))


def test_a_gallery_with_matches_is_made_anew_and_removed(small: Path) -> None:
    path = small / "g.kin"
    graph = found(path)[1]
    with Gallery.open(path) as gallery:
        assert gallery.info()["pairs_verified"] == len(graph.tried) == 15
        root, settings = gallery.root, gallery.settings
    names = {
        name: getattr(settings, name) for name in ("engine", "max_features", "centroids", "dim")
    }
    with Gallery.create(path, remake=True, **names) as gallery:
        assert not (path / MATCHES).exists()
        gallery.update(root, verbose=False)
    # What an interrupted removal leaves is no reason to refuse the folder.
    found(path)
    for name in ("MANIFEST.json", "photos.sqlite"):
        (path / name).unlink()
    with Gallery.create(path, **names) as gallery:
        gallery.update(root, verbose=False)
        assert len(gallery.matches(verbose=False).tried) == 15
    with Gallery.create(small / "empty.kin", **names) as gallery:
        shutil.copy(path / MATCHES, small / "empty.kin" / MATCHES)
        gallery.discard()
    assert not (small / "empty.kin").exists()


def test_copies_are_not_looked_at(photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "scene0" / "view0.jpg", photos / "copy.jpg")
    with Gallery.create(tmp_path / "g.kin", codewords=4, visual_words=64) as gallery:
        gallery.update(photos, verbose=False)
        graph = gallery.matches(verbose=False)
        copies = [
            p.id for p in (gallery.photo(id) for id in graph.ids.tolist()) if "/" not in p.path
        ]
        original = [id for id in graph.ids.tolist() if gallery.photo(id).path == "scene0/view0.jpg"]
        tried = set(graph.ids[graph.tried].ravel().tolist())
        assert len(tried & {*copies, *original}) == 1
        # Where they are asked for, they are looked at as all others are.
        graph = gallery.matches([[*original, *copies]], verbose=False)
        row = graph.rows_of(graph.places([[*original, *copies]]))[0]
        np.testing.assert_allclose(graph.maps[row], np.eye(3), atol=1e-6)


def test_an_interrupted_command_says_what_is_kept(
    gallery_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(match_graph, "_KEPT", 1)
    real, calls = match_graph.verify_many, []

    def stopped(*args: object) -> object:
        calls.append(args)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(match_graph, "verify_many", stopped)
    assert run(["groups", str(gallery_path)]) == 130
    kept = len(kf.load(gallery_path / MATCHES).tried)
    said = f"kinfold: interrupted; {gallery_path} keeps the {kept} pairs verified so far\n"
    assert kept > 0 and capfd.readouterr() == ("", said)


KILLED = """
import sys, time
from kinfold import Gallery
from kinfold.local import match_graph
match_graph._KEPT, match_graph._EVERY, match_graph._TIMES = 1, 0.0, 0
real = match_graph.verify_many
def slow(*args):
    time.sleep(0.05)
    return real(*args)
match_graph.verify_many = slow
with Gallery.open(sys.argv[1]) as gallery:
    print("started", flush=True)
    gallery.groups(verbose=False)
"""


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_work_that_was_stopped_goes_on(gallery_path: Path, looks: Looks, stop: int) -> None:
    command = [sys.executable, "-c", KILLED, str(gallery_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None and child.stdout.readline() == b"started\n"
    until = time.monotonic() + 60
    while not (gallery_path / MATCHES).exists() and time.monotonic() < until:
        time.sleep(0.01)
    child.send_signal(stop)
    child.wait(60)
    child.stdout.close()
    kept = kf.load(gallery_path / MATCHES, MatchGraph)
    groups, graph = found(gallery_path)
    assert looks.count == len(graph.tried) - len(kept.tried) < len(graph.tried)
    (gallery_path / MATCHES).unlink()
    assert found(gallery_path)[0] == groups
