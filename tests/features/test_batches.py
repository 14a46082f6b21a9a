from __future__ import annotations

import threading

import numpy as np
import pytest

pytest.importorskip("PIL")
from kinfold.features.batches import WINDOW, by_size, fitted, windows


def test_windows_keep_the_order_and_prepare_ahead_in_a_thread() -> None:
    threads = set()

    def prepare(x: int) -> int:
        threads.add(threading.current_thread().name)
        return x * x

    found = list(windows(iter(range(2 * WINDOW + 3)), prepare))
    assert [len(w) for w in found] == [WINDOW, WINDOW, 3]
    assert [x for w in found for x in w] == [x * x for x in range(2 * WINDOW + 3)]
    assert all(name.startswith("decode") for name in threads)
    assert list(windows([], prepare)) == []


def test_an_error_of_the_thread_arrives() -> None:
    def broken():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(windows(broken(), lambda x: x))


def test_rows_of_equal_shape(rng) -> None:
    sizes = [(3, 4), (4, 3), (3, 4), (3, 4), (4, 3)]
    photos = [np.zeros((*size, 3), np.uint8) for size in sizes]
    assert list(by_size(photos, 2)) == [[0, 2], [3], [1, 4]]


def test_files_and_pixels(tmp_path, rng) -> None:
    from PIL import Image

    pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(fitted(tmp_path / "a.png", 100), pixels)
    assert np.array_equal(fitted(str(tmp_path / "a.png"), 30), fitted(pixels, 30))
    assert fitted(pixels, 30).shape == (20, 30, 3)
