"""Signs of life on stderr: bars on terminals and in notebooks, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")

# Seconds between lines; what is done sooner needs none.
EVERY = 10.0


def progress(
    items: Iterable[T], what: str, *, verbose: bool = True, total: int | None = None
) -> Any:
    """Iterate and tell on stderr how far it is. Also a context manager with update(n)."""
    options: dict[str, Any] = {"desc": what, "total": total, "leave": False, "unit": ""}
    # There is no stream at all where it was closed, as for daemons.
    if not verbose or sys.stderr is None:
        return tqdm(items, disable=True, **options)
    if _redraws(sys.stderr):
        return tqdm(items, **options)
    known = total is not None or hasattr(items, "__len__")
    told = (
        "{percentage:.0f}% ({n_fmt} of {total_fmt}), about {remaining} left" if known else "{n_fmt}"
    )
    return tqdm(
        items, file=_Lines(sys.stderr), delay=EVERY, mininterval=EVERY, maxinterval=EVERY,
        bar_format="{desc}: " + told + ", {elapsed} so far", **options,
    )  # fmt: skip


def tell(line: str, *, verbose: bool = True) -> None:
    """A line on stderr, above a bar that may be there."""
    if verbose and sys.stderr is not None:
        tqdm.write(line, file=sys.stderr)


@contextmanager
def alive(what: str, *, verbose: bool = True) -> Iterator[None]:
    """Tell on stderr how long a block has been going on whose length is not known."""
    if not verbose or sys.stderr is None:
        yield
        return
    redraws = _redraws(sys.stderr)
    bar = tqdm(
        desc=what, leave=False, delay=EVERY, bar_format="{desc}: {elapsed} so far",
        file=sys.stderr if redraws else _Lines(sys.stderr),
    )  # fmt: skip
    done = Event()

    def beat() -> None:
        while not done.wait(1.0 if redraws else EVERY):
            bar.refresh()

    beating = Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        done.set()
        beating.join()
        bar.close()


def _redraws(stream: TextIO) -> bool:
    """Whether a line can be written over: on terminals, and in notebooks, which do as they do."""
    return stream.isatty() or "ipykernel" in sys.modules


class _Lines:
    """A stream that takes what a bar draws over itself as lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if text := text.strip():
            self._stream.write(text + "\n")

    def flush(self) -> None:
        self._stream.flush()
