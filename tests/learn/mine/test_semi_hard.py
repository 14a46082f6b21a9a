from __future__ import annotations

import pytest
from oracle import batch, distance, told, valid

from kinfold.learn.mine.semi_hard import SemiHard


@pytest.mark.parametrize("margin", [None, 0.3])
def test_nearest_of_those_beyond_the_positive(margin) -> None:
    x, labels = batch(4, n=40)
    want = []
    for a, p in sorted({(a, p) for a, p, _ in valid(labels)}):
        bar = distance(x, a, p) ** 2
        beyond = [(distance(x, a, q) ** 2, q) for q in range(len(x)) if labels[q] != labels[a]]
        beyond = [b for b in beyond if b[0] > bar and (margin is None or b[0] < bar + margin)]
        if beyond:
            want.append((a, p, min(beyond)[1]))
    found = told(SemiHard(margin)(x, labels))
    assert found == want
    assert len(want) < len({(a, p) for a, p, _ in valid(labels)}), "some have none"


def test_margin_is_checked() -> None:
    with pytest.raises(ValueError, match="margin"):
        SemiHard(-1)
