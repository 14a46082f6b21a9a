from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.datasets.manifolds import two_moons
from kinfold.learn.manifold import ManifoldTuples, finetune_manifold
from kinfold.learn.mine.on_manifold import mine_on_manifold

RANDOM = np.random.default_rng(0)
# Vectors of which cosines and a graph tell different things.
X = RANDOM.normal(size=(60, 3)).astype(np.float32)


def sets_of(x):
    return mine_on_manifold(x, k=6, components="all", anchors=None, k_pos=4, k_neg=20)


def described(rows):
    return np.asarray(X[rows][:, ::-1] * [1, 2, 3], np.float32)


def test_tuples_are_of_the_sets_and_negatives_the_nearest_as_the_network_sees_them() -> None:
    mine = ManifoldTuples(sets_of, X, nearest=3, seed=1)
    sets, found = sets_of(X), mine(described, 0)
    rows = {int(a): row for row, a in enumerate(sets.anchors)}
    now = described(np.arange(60)).astype(np.float64)
    seen = []
    for query, positive, negatives in zip(found.queries, found.positives, found.negatives):
        row = rows[int(query)]
        assert positive in sets.positives[row]
        allowed = [int(i) for i in sets.negatives[row] if i >= 0]
        nearest = sorted(allowed, key=lambda i: np.linalg.norm(now[i] - now[query]))[:3]
        assert negatives.shape == (1,) and negatives[0] in nearest
        seen.append(sets.similarities[row, sets.positives[row].tolist().index(positive)])
    assert np.allclose(found.weights, np.array(seen) / np.mean(seen), rtol=1e-5)
    usable = [r for r in range(len(sets)) if sets.positives[r, 0] >= 0 and sets.negatives[r, 0] >= 0]  # fmt: skip
    assert sorted(found.queries.tolist()) == sorted(sets.anchors[usable].tolist())


def test_epochs_differ_and_are_the_same_again() -> None:
    one, other = (ManifoldTuples(sets_of, X, tuples=100, seed=2) for _ in range(2))
    first = one(described, 0)
    assert len(first.queries) == 100
    assert [part.tolist() for part in first] == [part.tolist() for part in other(described, 0)]
    assert first.queries.tolist() != one(described, 1).queries.tolist()
    # What an epoch gives hangs on no epoch before it.
    assert [part.tolist() for part in one(described, 3)] == [
        part.tolist() for part in other(described, 3)
    ]


def test_the_graph_is_made_anew_where_asked_for() -> None:
    asked = []

    def counted(x):
        asked.append(np.array(x))
        return sets_of(x)

    mine = ManifoldTuples(counted, X, refresh=True)
    mine(described, 0)
    assert len(asked) == 1
    mine(described, 1)
    assert np.array_equal(asked[1], described(np.arange(60)))
    fixed = ManifoldTuples(counted, X)
    fixed(described, 1)
    assert len(asked) == 3


def trained(folder=None, epochs=2, **options):
    network = small()
    photos, _ = stripes([20, 20])
    points = two_moons(40, noise=0.02).points
    history = finetune_manifold(
        network, photos, np.column_stack([points, np.full(40, 0.7)]), k=4, k_pos=3, k_neg=10,
        epochs=epochs, rate=0.02, schedule="constant", verbose=False, folder=folder, max_side=40,
        **options,
    )  # fmt: skip
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}, history


def test_interrupted_between_epochs_it_ends_with_the_same_bits(tmp_path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole, history = trained(refresh=True)
        trained(tmp_path, epochs=1, refresh=True)
        resumed, again = trained(tmp_path, refresh=True)
    finally:
        torch.set_num_threads(threads)
    assert [line.loss for line in history.epochs] == [line.loss for line in again.epochs]
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
    before = small().state_dict()
    assert any(not np.array_equal(whole[name], before[name].numpy()) for name in whole)


def test_bad_input_is_told() -> None:
    photos, _ = stripes([2, 1])
    with pytest.raises(ValueError, match="descriptors: expected 3, one a photo"):
        finetune_manifold(small(), photos, np.ones((2, 4)))
    with pytest.raises(ValueError, match="the collection is too small for k_pos=50"):
        finetune_manifold(small(), photos, np.eye(3) + 0.5)
    with pytest.raises(ValueError, match="finite"):
        finetune_manifold(small(), photos, np.full((3, 4), np.nan))
