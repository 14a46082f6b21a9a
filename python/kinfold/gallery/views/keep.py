"""Which of several copies to keep, by stated rules, and what is said of the others."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from kinfold.base.errors import GalleryError
from kinfold.gallery.photo import Photo
from kinfold.gallery.verdict import Verdict

# Formats by what is lost in them, the best first; others come last.
_FORMATS = (
    ("dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"), ("tif", "tiff"), ("png", "bmp", "ppm", "pgm"),
    ("jpg", "jpeg", "heic", "heif", "avif", "webp"),
)  # fmt: skip
_SAME_PIXELS = ("recompression",)
RULES = (
    "in a folder to keep", "nothing around it or over it", "more pixels", "a format that loses less",
    "a larger file", "the earlier date", "the shorter path",
)  # fmt: skip


@dataclass(frozen=True)
class Copy:
    """A photo that another one stands for.

    verdict : SAME_FILE or EDITED_COPY
    edits : what was done to one of the two, in words; empty for the same file
    correlation : of their pixels, laid over each other; 1 for the same file
    kept : whether it lies in a folder to keep, so that nothing is to be done with it
    """

    photo: Photo
    verdict: Verdict
    edits: tuple[str, ...]
    correlation: float
    kept: bool

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "path": self.photo.path,
            "verdict": str(self.verdict),
            "edits": list(self.edits),
            "correlation": round(self.correlation, 4),
            "keep": self.kept,
            **_facts(self.photo),
        }


@dataclass(frozen=True)
class CopySet:
    """Photos that are one picture.

    keep : the one to keep; why : the first of ``RULES`` by which it is before the others
    copies : the others
    """

    keep: Photo
    why: str
    copies: tuple[Copy, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {
            "keep": {"path": self.keep.path, "why": self.why, **_facts(self.keep)},
            "copies": [copy.to_dict() for copy in self.copies],
        }


@dataclass(frozen=True)
class Found:
    """What was found of a pair: places in the index; ``framed`` is that which has something plain around the other."""

    first: int
    second: int
    edits: tuple[str, ...]
    correlation: float
    inliers: int
    copy: bool
    framed: int | None = None


@dataclass(frozen=True)
class Member:
    """A photo of a set, with the place of its first copy, and whether something is around its picture or over it."""

    photo: Photo
    place: int
    worse: bool


def written_on(copies: Sequence[Found]) -> set[int]:
    """The photos that differ in places from most of their copies; of two that differ nobody knows which."""
    differ: defaultdict[int, list[bool]] = defaultdict(list)
    for one in copies:
        for place in (one.first, one.second):
            differ[place].append("overlay" in one.edits)
    return {place for place, each in differ.items() if len(each) > 1 and 2 * sum(each) > len(each)}


def set_of(
    members: Sequence[Member], pairs: Mapping[frozenset[int], Found], keep: tuple[str, ...]
) -> CopySet:
    """The set of some photos; ``pairs`` are the copies that were found, by their places."""
    kept, *others = sorted(members, key=lambda member: _rank(member, keep))
    ranks = _rank(kept, keep), _rank(others[0], keep)
    why = next(rule for rule, a, b in zip(RULES, *ranks) if a != b)
    copies = []
    for one in others:
        photo, correlation = one.photo, 1.0
        edits: tuple[str, ...] = ()
        verdict = Verdict.SAME_FILE
        if photo.digest is None or photo.digest != kept.photo.digest:
            verdict, edits = Verdict.EDITED_COPY, _SAME_PIXELS
            # What was done to it, against what is kept; where that was not found, against any other.
            beside = [pairs.get(frozenset((one.place, other.place))) for other in (kept, *others)]
            known = next((pair for pair in beside if pair is not None), None)
            if one.place != kept.place and known is not None:
                edits, correlation = known.edits, known.correlation
        copies.append(Copy(photo, verdict, edits, correlation, _inside(photo.path, keep)))
    return CopySet(kept.photo, why, tuple(copies))


def _rank(member: Member, keep: tuple[str, ...]) -> tuple[Any, ...]:
    """By ``RULES``, the best first."""
    photo = member.photo
    ending = PurePosixPath(photo.path).suffix[1:].lower()
    form = next((n for n, known in enumerate(_FORMATS) if ending in known), len(_FORMATS))
    pixels = (photo.width or 0) * (photo.height or 0)
    date = photo.taken or _day(photo)
    kept = not _inside(photo.path, keep)
    return kept, member.worse, -pixels, form, -photo.size, date, (len(photo.path), photo.path)


def _day(photo: Photo) -> str:
    """When the file was written, as ``taken`` is spelt."""
    moment = datetime.fromtimestamp(photo.mtime_ns / 1e9, timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(
        path.startswith(f"{folder}/") or (folder == "." and not path.startswith("/"))
        for folder in folders
    )


def folders_inside(roots: Sequence[Path], keep: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Folders to keep, as the paths in them begin. Raises GalleryError for one that lies in no folder of photos.

    roots : the folders of photos; paths are in the first, or whole
    """
    root, found = roots[0], []
    for folder in keep:
        given = Path(folder)
        inside = [root / given, given] if not given.is_absolute() else [given]
        real = next((path.resolve() for path in inside if path.is_dir()), None)
        holder = next((one for one in roots if real and real.is_relative_to(one.resolve())), None)
        if real is None or holder is None:
            raise GalleryError(f"keep: {folder} is no folder in {root}, whose photos these are")
        if len(roots) == 1 and real == root.resolve():
            raise GalleryError(f"keep: {folder} holds all of the photos: none could be proposed")
        inner = real.relative_to(holder.resolve()).as_posix()
        found.append(inner if holder == root else str(real))
    return found


def _facts(photo: Photo) -> dict[str, Any]:
    return {
        "width": photo.width,
        "height": photo.height,
        "bytes": photo.size,
        "date": photo.taken or _day(photo),
    }
