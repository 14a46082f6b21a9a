"""The library's own exceptions. Bad arguments raise plain ``ValueError`` or ``TypeError``."""

from __future__ import annotations

import sys
from typing import Any


class KinfoldError(Exception):
    """Base of the exceptions that are Kinfold's own."""


class FileFormatError(KinfoldError, ValueError):
    """A file is truncated, corrupt, foreign, or written by a newer version."""


class ImageError(KinfoldError, ValueError):
    """A photo cannot be decoded; the message is a short reason without the photo's name.

    cause : "file" where the reason is in the file itself; "access", "decoder" (one is not installed) or "memory" where
        it lies outside, so that the same file may be read another time
    """

    def __init__(self, message: str, cause: str = "file") -> None:
        super().__init__(message, cause)
        self.cause = cause

    def __str__(self) -> str:
        return str(self.args[0])


class NotTrainedError(KinfoldError, RuntimeError, AttributeError):
    """A part must be fitted before it can be used. What is not learnt yet is not there: ``hasattr`` says so too."""


def not_trained(message: str) -> Exception:
    """NotTrainedError, which is scikit-learn's NotFittedError as well where that is in use."""
    theirs = sys.modules.get("sklearn.exceptions")
    if theirs is None:
        return NotTrainedError(message)
    error: Exception = type("NotTrainedError", (NotTrainedError, theirs.NotFittedError), {})(
        message
    )
    return error


class MissingExtraError(KinfoldError, ImportError):
    """An optional package is not installed; the message names the extra to install."""


class GalleryError(KinfoldError):
    """A gallery cannot do what was asked: locked by another writer, empty, or incomplete."""


class ServerError(KinfoldError):
    """A server of ``kinfold serve`` did not answer, or not what was asked.

    status, code : as it said, if it said anything
    """

    def __init__(self, message: str, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class WorkerError(KinfoldError, RuntimeError):
    """A process that works for this one ended, and ended again when it was started anew; nothing is lost."""


class Remark(UserWarning):
    """What a person should know of an answer that is right all the same; commands show it."""


class RecallError(KinfoldError, ValueError):
    """No setting of an index reaches the recall that was asked for; ``best`` is what comes nearest."""

    def __init__(self, message: str, best: Any = None) -> None:
        super().__init__(message, best)
        self.best = best

    def __str__(self) -> str:
        return str(self.args[0])
