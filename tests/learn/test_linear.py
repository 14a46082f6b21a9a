"""A step against the formula in a slow loop, and what is held out."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kinfold.evaluate import average_precision
from kinfold.learn.linear import (
    LinearMap,
    learn_map,
    pair_score,
    pair_softmax,
    split_pairs,
    things_of,
)

RANDOM = np.random.default_rng(0)


def test_the_loss_is_that_of_a_slow_loop() -> None:
    x = RANDOM.normal(size=(7, 4))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    partners, things = {0: [1, 2], 5: [6]}, np.array([0, 0, 0, 0, 4, 5, 5])  # 3 is left out
    total = 0.0
    for row, near in partners.items():
        others = [i for i in range(7) if things[i] != things[row]]
        far = sum(np.exp(x[row] @ x[i] / 0.2) for i in others)
        costs = [-np.log(np.exp(x[row] @ x[p] / 0.2) / (np.exp(x[row] @ x[p] / 0.2) + far)) for p in near]  # fmt: skip
        total += np.mean(costs) / 2
    given = torch.from_numpy(x), np.array([0, 5]), np.array([1, 2, 6]), np.array([2, 1]), things
    assert float(pair_softmax(*given, 0.2)) == pytest.approx(total, rel=1e-9)


def test_the_score_is_average_precision() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(40, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    things = np.arange(40) // 4
    partners = {0: [1, 2], 5: [4, 6, 7], 11: [8]}
    found = []
    for row, near in partners.items():
        junk = [i for i in range(40) if things[i] == things[row] and i not in near]
        found.append(average_precision(np.argsort(-(x @ x[row])), near, junk, convention="finite_sum"))  # fmt: skip
    given = np.array([0, 5, 11]), np.array([1, 2, 4, 6, 7, 8]), np.array([2, 3, 1]), things
    assert pair_score(torch.from_numpy(x), *given) == pytest.approx(np.mean(found), rel=1e-12)


def test_gradients_are_those_of_differences() -> None:
    network = LinearMap(3).double()
    with torch.no_grad():
        network.weight += torch.from_numpy(RANDOM.normal(size=(3, 3)) / 5)
    x = torch.from_numpy(RANDOM.normal(size=(6, 3)))
    rows, partners, counts = np.array([0, 2]), np.array([1, 3]), np.array([1, 1])
    things = np.array([0, 0, 2, 2, 4, 5])

    def value(weight: torch.Tensor) -> torch.Tensor:
        out = torch.func.functional_call(network, {"weight": weight}, x)
        far = (weight - torch.eye(3)).square().sum() / 3
        return pair_softmax(out, rows, partners, counts, things, 0.3) + 0.7 * far

    assert torch.autograd.gradcheck(value, (network.weight,))
    by_hand = ((network.weight.detach().numpy() - np.eye(3)) ** 2).sum() / 3
    assert network.departure().item() == pytest.approx(by_hand)


def test_what_is_held_out_are_other_things() -> None:
    pairs = np.array([[0, 1], [1, 2], [3, 4], [5, 6], [7, 8], [8, 9]])
    things = [{0, 1, 2}, {3, 4}, {5, 6}, {7, 8, 9}]
    of = things_of(12, pairs)
    assert all(set(np.flatnonzero(of == of[min(thing)])) == thing for thing in things)
    assert len(set(of.tolist())) == 4 + 2
    for seed in range(5):
        learnt, judged = split_pairs(of, pairs, 0.3, seed=seed)
        assert sorted(map(tuple, [*learnt, *judged])) == sorted(map(tuple, pairs))
        assert len(judged) >= 2 and len(learnt)
        for thing in things:
            sides = {side for side, part in enumerate((learnt, judged)) for a, _ in part if a in thing}  # fmt: skip
            assert len(sides) == 1
    assert len(split_pairs(of, pairs, 0.999, seed=0)[0])
    with pytest.raises(ValueError, match="at least 2 things"):
        split_pairs(of, pairs[:2], 0.3, seed=0)


def test_without_a_gain_it_is_the_identity() -> None:
    x = RANDOM.normal(size=(30, 4)).astype(np.float32)
    x[10:20] = x[:10] + 1e-3  # found first as they are
    pairs = np.stack([np.arange(10), np.arange(10, 20)], axis=1)
    options = {"temperature": 0.1, "strength": 1.0, "epochs": 3, "rate": 0.01, "held_out": 0.3}
    matrix, history = learn_map(x, pairs, **options, seed=0, verbose=False)
    assert history.before == 1 and history.best == -1
    assert np.array_equal(matrix, np.eye(4))


def test_a_strong_pull_holds_it() -> None:
    x = np.random.default_rng(4).normal(size=(60, 5)).astype(np.float32)
    x[30:, :3] = x[:30, :3]
    x[:, 3:] *= 2  # what the two of a pair do not share is stronger
    pairs = np.stack([np.arange(30), np.arange(30, 60)], axis=1)
    far = []
    for strength in (0.0, 3.0, 300.0):
        options = {"temperature": 0.1, "epochs": 40, "rate": 0.05, "held_out": 0.2, "seed": 0}
        matrix, history = learn_map(x, pairs, strength=strength, **options, verbose=False, patience=40)  # fmt: skip
        far.append(np.abs(matrix - np.eye(5)).sum())
        if strength < 1:
            assert max(line.score for line in history.epochs) > history.before + 0.1
    assert far[0] > far[1] > far[2]
