"""Which files the shards of an index are: a small file of JSON beside them, replaced last."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from kinfold.base.arrays import as_path
from kinfold.base.errors import FileFormatError
from kinfold.io.atomic import write_json

NAME = "SHARDS.json"
FORMAT = 1
_FILE = re.compile(r"shard-\d{4,}-[0-9a-f]{12}\.kin")


@dataclass(frozen=True)
class ShardFile:
    """A file, and the SHA-256 of its header, which holds the checksums of all that is in it."""

    path: Path
    digest: str


def digest_of(path: Path) -> str:
    """SHA-256 of a file's header. Raises FileNotFoundError."""
    with path.open("rb") as file:
        length = file.read(8)
        return hashlib.sha256(length + file.read(int.from_bytes(length, "little"))).hexdigest()


def new_file(folder: Path, number: int) -> Path:
    """Where a shard may be written that no manifest names yet."""
    return folder / f"shard-{number:04d}-{secrets.token_hex(6)}.kin"


def write_manifest(folder: Path, shards: list[ShardFile]) -> None:
    """Name the files of a folder; what shards of earlier times are left there is removed."""
    files = [{"file": shard.path.name, "digest": shard.digest} for shard in shards]
    write_json(folder / NAME, {"kind": "shards", "format": FORMAT, "files": files})
    named = {shard.path.name for shard in shards}
    for path in folder.iterdir():
        if _FILE.fullmatch(path.name) and path.name not in named:
            path.unlink(missing_ok=True)


def read_manifest(folder: str | os.PathLike[str]) -> list[ShardFile]:
    """The files that a folder's manifest names. Raises FileNotFoundError and FileFormatError."""
    path = as_path(folder, "folder") / NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; kinfold shard makes one")
    try:
        read = json.loads(path.read_text("utf-8"))
        kind, version, files = read["kind"], read["format"], read["files"]
        shards = [(entry["file"], entry["digest"]) for entry in files]
    except (ValueError, LookupError, TypeError) as error:
        raise FileFormatError(f"{path}: not a list of shards: {error}") from None
    if kind != "shards" or version != FORMAT:
        raise FileFormatError(f"{path}: expected shards of format {FORMAT}, got {kind} {version}")
    sound = all(isinstance(d, str) and isinstance(f, str) and _FILE.fullmatch(f) for f, d in shards)
    if not shards or not sound or len({file for file, _ in shards}) < len(shards):
        raise FileFormatError(f"{path}: expected files of its own folder, each once")
    return [ShardFile(path.with_name(file), digest) for file, digest in shards]
