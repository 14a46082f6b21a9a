"""Which files the shards are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kinfold as kf
from kinfold.shards.divide import divide
from kinfold.shards.manifest import NAME, digest_of, new_file, read_manifest, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    index = kf.FlatIndex(2)
    index.add([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    divide(index, tmp_path / "shards", 2)
    return tmp_path / "shards"


def test_it_names_files_by_content_and_removes_older_shards_alone(folder: Path) -> None:
    files = read_manifest(folder)
    assert [file.path.parent for file in files] == [folder, folder]
    assert [file.digest for file in files] == [digest_of(file.path) for file in files]
    other = new_file(folder, 7)
    other.write_bytes(b"of a save that was killed")
    (folder / "notes.txt").write_text("mine")
    (folder / "shard-mine.kin").write_bytes(b"mine")
    write_manifest(folder, files)
    assert not other.exists() and read_manifest(folder) == files
    assert (folder / "notes.txt").exists() and (folder / "shard-mine.kin").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda read: read.update(format=2), "expected shards of format 1, got shards 2"),
        (lambda read: read.update(files=[]), "files of its own folder"),
        (lambda read: read["files"][0].update(file="../shard-0000-0123456789ab.kin"), "its own folder"),
        (lambda read: read["files"][0].update(digest=7), "its own folder"),
        (lambda read: read["files"].append(read["files"][0]), "each once"),
        (lambda read: read["files"][0].pop("digest"), "not a list of shards"),
        (lambda read: read.pop("kind"), "not a list of shards"),
    ],
)  # fmt: skip
def test_what_it_must_not_say(folder: Path, change, words: str) -> None:
    read = json.loads((folder / NAME).read_text())
    change(read)
    (folder / NAME).write_text(json.dumps(read))
    with pytest.raises(kf.FileFormatError, match=words):
        kf.ShardedIndex.open(folder, workers="here")


def test_files_that_are_others_or_damaged_or_not_there(folder: Path) -> None:
    first, second = (file.path for file in read_manifest(folder))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    with pytest.raises(kf.FileFormatError, match="is another file than the shard"):
        kf.ShardedIndex.open(folder, workers="here")
    damaged = bytearray(kept)
    damaged[-1] ^= 1
    first.write_bytes(damaged)
    with pytest.raises(kf.FileFormatError, match=first.name):
        kf.ShardedIndex.open(folder, workers="here")
    first.unlink()
    with pytest.raises(FileNotFoundError):
        kf.ShardedIndex.open(folder, workers="here")
    (folder / NAME).write_text("[")
    with pytest.raises(kf.FileFormatError, match="not a list of shards"):
        read_manifest(folder)
    (folder / NAME).unlink()
    with pytest.raises(FileNotFoundError, match="kinfold shard makes one"):
        read_manifest(folder)
