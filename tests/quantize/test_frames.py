"""What is chosen by vectors held out: of axes, and of codebooks."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from kinfold.quantize.frames import Frame, choose, held_out, runs
from kinfold.quantize.product import ProductQuantizer

# One subquantizer of 16 codewords, in one dimension.
WORDS = np.linspace(-2, 2, 16, dtype=np.float32).reshape(1, 16, 1)


def quantizer(books: np.ndarray) -> ProductQuantizer:
    return ProductQuantizer(1, bits=4, verbose=False).adopt(books, 1)


def coarse(scale: np.ndarray) -> Frame:
    """A frame in which vectors lie as far from codewords as is said of each."""
    x = (np.resize(WORDS.ravel(), len(scale)) + 0.1 * scale)[:, None].astype(np.float32)
    return Frame(x, WORDS, x, WORDS)


def shared(mine: np.ndarray, base: np.ndarray) -> np.ndarray:
    return base


def test_each_eighth_of_a_group_is_held_out(rng: np.random.Generator) -> None:
    groups = rng.integers(4, size=203).astype(np.int32)
    held = held_out(groups)
    for g, rows in runs(groups):
        assert (groups[rows] == g).all() and held[rows].tolist() == [
            i % 8 == 7 for i in range(len(rows))
        ]


def test_groups_take_the_axes_in_which_they_lose_less(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(4, dtype=np.int32), 200)
    first = np.where(groups < 2, 1.0, 0.2) * rng.uniform(0.9, 1.1, 800)
    second = np.where(groups < 2, 0.2, 1.0) * rng.uniform(0.9, 1.1, 800)
    allowed = np.ones((2, 4), bool)
    allowed[1, 0] = False
    chosen = choose([coarse(first), coarse(second)], groups, allowed, shared, quantizer)
    assert chosen.frame.tolist() == [0, 1, 0, 0] and chosen.books.shape == (4, 1, 16, 1)
    allowed[1, 0] = True
    chosen = choose([coarse(first), coarse(second)], groups, allowed, shared, quantizer)
    assert chosen.frame.tolist() == [1, 1, 0, 0]


def test_differences_of_chance_are_none(rng: np.random.Generator) -> None:
    groups = np.repeat(np.arange(20, dtype=np.int32), 80)
    noise = rng.uniform(0.2, 1, (2, 1600))
    # Better in all groups, but by less than their vectors differ: some of ten held out say the opposite.
    frames = [coarse(1.1 * noise[0]), coarse(noise[1])]
    held = held_out(groups)
    gaps = np.diff(
        [(f.local[held] - np.resize(WORDS, (1600, 1))[held]) ** 2 for f in frames], axis=0
    )
    assert (np.bincount(groups[held], gaps.ravel()) > 0).sum() >= 4
    chosen = choose(frames, groups, np.ones((2, 20), bool), shared, quantizer)
    assert (chosen.frame == 0).sum() <= 1


@pytest.mark.parametrize("helps", [True, False])
def test_own_codebooks_are_judged_by_what_is_held_out(
    helps: bool, rng: np.random.Generator
) -> None:
    groups = np.repeat(np.arange(3, dtype=np.int32), 200)
    frame = coarse(rng.uniform(0.9, 1.1, 600))
    seen: list[int] = []

    def moved(mine: np.ndarray, base: np.ndarray) -> np.ndarray:
        seen.append(len(mine))
        return base + np.float32(0.1 if helps else -0.1)

    chosen = choose([frame], groups, np.ones((1, 3), bool), moved, quantizer)
    assert seen == ([175] * 3 + [200] * 3 if helps else [175] * 3)
    assert len(chosen.books) == (3 if helps else 1)
    expected = WORDS + np.float32(0.1) if helps else WORDS
    np.testing.assert_array_equal(chosen.books[-1], expected)


def test_own_codebooks_that_do_not_pay_are_tried_for_some_groups_alone(
    rng: np.random.Generator,
) -> None:
    groups = np.repeat(np.arange(200, dtype=np.int32), 16)
    frame, seen = coarse(rng.uniform(0.9, 1.1, 3200)), list[float]()

    def moved(mine: np.ndarray, base: np.ndarray, by: float) -> np.ndarray:
        seen.append(by)
        return base + np.float32(by)

    allowed = np.ones((1, 200), bool)
    for by, calls, sets in ((-0.1, 67, 1), (0.1, 400, 200)):
        seen.clear()
        own = functools.partial(moved, by=by)
        chosen = choose([frame], groups, allowed, own, quantizer)
        assert len(seen) == calls and len(chosen.books) == sets
