"""Canonical distances: within their bound of the exact value, the same bits at every level from AVX2 on."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kinfold import _core

LANES = 32
SIZES = range(2 * LANES + 2)
LONG = [95, 96, 97, 128, 511, 512, 2048, 4096, 10007]
UNIT = 2.0**-24


def terms_squared_l2(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.float64) - b.astype(np.float64)) ** 2


def terms_inner_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.astype(np.float64) * b.astype(np.float64)


KERNELS = [
    pytest.param(_core.kernels.squared_l2, terms_squared_l2, id="squared_l2"),
    pytest.param(_core.kernels.inner_product, terms_inner_product, id="inner_product"),
]


def error_bound(terms: np.ndarray) -> float:
    """Each term is rounded at most three times, then joins d/32 additions in a lane and five in the tree."""
    roundings = 3 + math.ceil(len(terms) / LANES) + 5
    return 1.01 * roundings * UNIT * float(np.abs(terms).sum())


@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_within_the_bound_of_the_exact_sum(kernel, terms_of, level, rng) -> None:
    for d in [*SIZES, *LONG]:
        a, b = rng.standard_normal((2, d), np.float32) * np.float32(10.0 ** rng.integers(-3, 4))
        terms = terms_of(a, b)
        assert abs(kernel(a, b) - math.fsum(terms)) <= error_bound(terms), f"d = {d}"


@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_small_whole_numbers_are_exact_at_every_level(kernel, terms_of, level, rng) -> None:
    for d in [*SIZES, *LONG]:
        a, b = rng.integers(-16, 17, (2, d)).astype(np.float32)
        assert kernel(a, b) == terms_of(a, b).sum(), f"d = {d}"


@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_one_term_lands_in_every_lane(kernel, terms_of, level) -> None:
    for d in SIZES:
        for i in range(d):
            a, b = np.zeros((2, d), np.float32)
            a[i], b[i] = 3, -2
            assert kernel(a, b) == terms_of(a, b).sum(), f"d = {d}, i = {i}"


@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_the_same_bits_from_avx2_on(kernel, terms_of, rng) -> None:
    levels = _core.levels()[1:]
    if len(levels) < 2:
        pytest.skip("this machine has fewer than two levels beyond the baseline")
    pairs = [rng.standard_normal((2, d), np.float32) for d in [*SIZES, *LONG]]
    before = _core.level()
    answers = {}
    try:
        for level in levels:
            _core.set_level(level)
            answers[level] = np.array([kernel(a, b) for a, b in pairs], np.float32).view(np.uint32)
    finally:
        _core.set_level(before)
    for level in levels[1:]:
        np.testing.assert_array_equal(answers[level], answers[levels[0]], err_msg=level)


@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_no_alignment_is_assumed_and_the_answer_does_not_depend_on_it(
    kernel, terms_of, level, rng
) -> None:
    room = rng.standard_normal((2, 256), np.float32)
    for d in (1, 31, 32, 33, 100):
        values = {kernel(shifted(room[0], i, d), shifted(room[1], 15 - i, d)) for i in range(16)}
        assert len(values) == 1, f"d = {d}"


def shifted(values: np.ndarray, by: int, d: int) -> np.ndarray:
    """The first d values, beginning at 4 * by bytes past a 64-byte boundary."""
    store = np.empty(d + 32, np.float32)
    first = (-store.ctypes.data % 64) // 4 + by
    store[first : first + d] = values[:d]
    return store[first : first + d]


@pytest.mark.parametrize("at_start", [False, True])
@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_nothing_is_read_beyond_the_arrays(kernel, terms_of, at_start, level, guarded, rng) -> None:
    for d in SIZES:
        a, b = rng.integers(-4, 5, (2, d)).astype(np.float32)
        got = kernel(guarded(a, at_start=at_start), guarded(b, at_start=at_start))
        assert got == terms_of(a, b).sum()


@pytest.mark.parametrize(("kernel", "terms_of"), KERNELS)
def test_what_is_not_float32_in_one_piece_is_refused(kernel, terms_of) -> None:
    good = np.zeros(4, np.float32)
    for bad in (
        np.zeros(4),
        np.zeros(8, np.float32)[::2],
        np.zeros((2, 2), np.float32),
        [0.0] * 4,
        None,
    ):
        with pytest.raises(ValueError, match="^b: expected"):
            kernel(good, bad)
    with pytest.raises(ValueError, match="^b: expected the length of a"):
        kernel(good, np.zeros(5, np.float32))


def test_the_guard_page_does_guard() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import ctypes, numpy as np\n"
        "from conftest import place_at_guard\n"
        "x = place_at_guard(np.zeros(5, np.float32)); x.sum()\n"
        "print('inside', flush=True); ctypes.string_at(x.ctypes.data + x.nbytes, 1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "inside\n"
    stopped = done.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
    assert stopped or "AddressSanitizer: SEGV" in done.stderr
