from __future__ import annotations

from oracle import batch, distance, told, valid

from kinfold.learn.mine.one_per_class import OnePerClass


def test_nearest_of_each_class() -> None:
    x, labels = batch(7, n=30)
    want = []
    for a, p in sorted({(a, p) for a, p, _ in valid(labels)}):
        nearest = {}
        for q in range(len(x)):
            if labels[q] != labels[a]:
                entry = (distance(x, a, q), q)
                nearest[labels[q]] = min(nearest.get(labels[q], entry), entry)
        want += [(a, p, q) for q in sorted(q for _, q in sorted(nearest.values())[:3])]
    found = told(OnePerClass(3)(x, labels))
    assert found == want
    assert max(sum(a == b[0] and p == b[1] for b in found) for a, p, _ in found) == 3
