"""Videos to frames. Whatever a file holds, the answer is frames or ImageError."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import as_count
from kinfold.base.errors import ImageError, MissingExtraError
from kinfold.base.extras import require
from kinfold.images.resize import Pixels, fit

# What a folder of videos is searched for.
EXTENSIONS = (
    ".3gp", ".avi", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm", ".wmv",
)  # fmt: skip
_opening = threading.Lock()


def frames(
    source: str | os.PathLike[str], *, every: int = 1, max_side: int | None = None
) -> Iterator[tuple[int, Pixels]]:
    """The frames of a video file, one after the other: (index, RGB pixels uint8 (H, W, 3)), upright.

    Read by OpenCV, or by PyAV where that is installed and OpenCV cannot. A file that lacks its end gives the frames
    that it has.

    every : give the first of so many frames and pass over the rest; the index counts all of them
    max_side : reduce so that the longer side is at most this; None for the original size
    Raises ImageError with a short reason, before or with the first frame: for what is no video, and where there is
    no frame at all.
    """
    step = as_count(every, "every")
    most = None if max_side is None else as_count(max_side, "max_side")
    path = Path(source)
    _check(path)
    return _frames(path, step, most)


def _frames(path: Path, step: int, most: int | None) -> Iterator[tuple[int, Pixels]]:
    found = False
    for read in (_by_opencv, _by_pyav):
        for index, pixels in read(path, step):
            found = True
            yield index, pixels if most is None else fit(pixels, most)
        if found:
            return
    raise ImageError("not a readable video: no frame of it can be decoded")


def _check(path: Path) -> None:
    """Refuse what a decoder would wait for, or follow elsewhere: pipes, and texts, which may be lists of addresses."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError("not a regular file")
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror or error}", "access") from error
    except ValueError as error:  # a NUL in the name
        raise ImageError(f"cannot be read: {error}") from error
    if not start:
        raise ImageError("empty file")
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in start):
        raise ImageError("not a video: a text")


def _by_opencv(path: Path, step: int) -> Iterator[tuple[int, Pixels]]:
    cv2 = require("cv2")
    capture = _opened(cv2, path)
    index = 0
    try:
        while capture.grab():
            if index % step == 0:
                whole, pixels = capture.retrieve()
                if not whole:
                    return
                yield index, cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
            index += 1
    finally:
        capture.release()


def _opened(cv2: Any, path: Path) -> Any:
    """OpenCV's reader of a file, without its remarks on stderr: what is wrong with a file is told by ImageError."""
    # Read once by the process, when the first video is opened.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    log = cv2.utils.logging
    with _opening:
        level = log.getLogLevel()
        log.setLogLevel(log.LOG_LEVEL_SILENT)
        try:
            return cv2.VideoCapture(os.fspath(path), cv2.CAP_FFMPEG)
        finally:
            log.setLogLevel(level)


def _by_pyav(path: Path, step: int) -> Iterator[tuple[int, Pixels]]:
    try:
        av = require("av")
    except MissingExtraError:
        return
    # Its errors are of many classes, some of the system's, and come for a file that lacks its end too.
    try:
        with av.open(os.fspath(path)) as container:
            for index, frame in enumerate(container.decode(video=0)):
                if index % step == 0:
                    turns = round(getattr(frame, "rotation", 0) / 90)
                    yield (
                        index,
                        np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns)),
                    )
    except (av.error.FFmpegError, IndexError):
        return
