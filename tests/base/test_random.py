"""Seeds."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.base.random import generator


def test_a_seed_repeats() -> None:
    assert generator(7).integers(1 << 60) == generator(np.int64(7)).integers(1 << 60)


def test_a_generator_is_passed_on() -> None:
    given = np.random.default_rng(0)
    assert generator(given) is given


@pytest.mark.parametrize("seed", [None, -1, 1.0, "1", True, [1]])
def test_bad_seeds(seed) -> None:
    with pytest.raises(ValueError, match="^seed: expected"):
        generator(seed)
