from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.learn.losses import ContrastiveLoss, TripletLoss
from kinfold.learn.tuples import Tuples, finetune_tuples
from kinfold.learn.validation import describe_pooled


def photos_of_many_sizes() -> list[np.ndarray]:
    photos, _ = stripes([4, 4])
    cuts = [(40, 40), (38, 40), (40, 34), (40, 40), (36, 36), (40, 40), (33, 40), (40, 38)]
    return [np.ascontiguousarray(photo[:h, :w]) for photo, (h, w) in zip(photos, cuts)]


TUPLES = Tuples(
    np.array([0, 2, 5]), np.array([1, 3, 4]), np.array([[4, 5], [6, -1], [-1, -1]]),
    np.array([1.0, 0.5, 2.0], np.float32),
)  # fmt: skip


def fixed(describe, epoch) -> Tuples:
    return TUPLES


def by_hand(photo: np.ndarray, network) -> torch.Tensor:
    """GeM with exponent 3, of one photo."""
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    maps = network.features((x - 0.5) / 0.25).clamp(min=1e-6)
    pooled = maps.pow(3).mean((2, 3)).pow(1 / 3)[0]
    return pooled / pooled.norm()


@pytest.mark.parametrize("kind", ["contrastive", "triplet"])
def test_a_step_is_that_of_the_formulas(kind) -> None:
    """One epoch of one batch, plain gradient descent: the change of the weights is minus rate times the gradient."""
    photos, theirs, ours = photos_of_many_sizes(), small(), small()
    total = 0
    for q, p, ns, weight in zip(*TUPLES):
        at = {row: by_hand(photos[row], theirs) for row in [q, p, *ns] if row >= 0}
        near, far = (at[q] - at[p]).norm(), [(at[q] - at[n]).norm() for n in ns if n >= 0]
        if kind == "contrastive":
            costs = [near**2, *(torch.relu(0.9 - x) ** 2 for x in far)]
        else:
            costs = [torch.relu(0.4 + near**2 - x**2) for x in far] or [0 * near]
        total = total + weight * sum(costs) / len(costs) / 3
    total.backward()
    loss = ContrastiveLoss(0.9) if kind == "contrastive" else TripletLoss(0.4)
    finetune_tuples(
        ours, photos, fixed, loss=loss, batch=3, epochs=1, rate=0.1, momentum=0.0, weight_decay=0.0,
        verbose=False,
    )  # fmt: skip
    for name, before in theirs.named_parameters():
        after = ours.get_parameter(name)
        if name.startswith("classifier"):
            assert before.grad is None and torch.equal(before, after)
        else:
            moved = -0.1 * before.grad
            assert torch.allclose(after - before, moved, atol=1e-3 * float(moved.abs().max()))
            assert float(moved.abs().max()) > 0


def test_killed_within_an_epoch_it_goes_on_to_the_same_bits(tmp_path) -> None:
    photos, calls = photos_of_many_sizes(), []

    def mine(describe, epoch) -> Tuples:
        vectors = describe(np.arange(8))
        calls.append(epoch)
        order = np.argsort(vectors[0] @ vectors.T, kind="stable")
        random = np.random.default_rng(epoch)
        queries = random.permutation(8)
        return Tuples(queries, (queries + 1) % 8, (queries[:, None] + [2, 3 + order[0] % 2]) % 8)

    class Stopped(list):
        left = 10**9

        def __getitem__(self, row):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().__getitem__(row)

    options = {
        "loss": ContrastiveLoss(), "batch": 2, "optimiser": "adam", "rate": 1e-3, "seed": 5,
        "verbose": False, "save_every": 0.0,
    }  # fmt: skip
    whole, parts = small(), small()
    expected = finetune_tuples(whole, photos, mine, epochs=2, **options)
    mined_once = len(calls)
    interrupted = Stopped(photos)
    interrupted.left = 8 + 8 * 4 + 8 + 13  # in the fourth tuple of the second epoch
    with pytest.raises(KeyboardInterrupt):
        finetune_tuples(small(), interrupted, mine, epochs=2, folder=tmp_path, **options)
    before = len(calls)
    history = finetune_tuples(parts, photos, mine, epochs=2, folder=tmp_path, **options)
    assert history == expected and mined_once == 2
    assert len(calls) == before  # what was mined was in the checkpoint
    assert torch.equal(whole.features[0].weight, parts.features[0].weight)
    assert not torch.equal(whole.features[0].weight, small().features[0].weight)


def test_miners_see_the_network_as_it_is() -> None:
    photos, seen = photos_of_many_sizes(), []

    def mine(describe, epoch) -> Tuples:
        seen.append(describe([3, 1]))
        return TUPLES

    network = small()
    finetune_tuples(network, photos, mine, loss=ContrastiveLoss(), epochs=2, rate=0.1, verbose=False)  # fmt: skip
    assert np.array_equal(seen[0], describe_pooled([photos[3], photos[1]])(small()))
    assert not np.array_equal(seen[0], seen[1])


def test_large_photos_are_reduced_and_small_ones_large_enough() -> None:
    random = np.random.default_rng(0)
    sides = [(90, 70), (5, 60), (9, 9)]
    photos = [random.integers(0, 256, (*side, 3), dtype=np.uint8) for side in sides]
    shapes = []
    network = small()
    network.features[0].register_forward_pre_hook(lambda _, x: shapes.append(tuple(x[0].shape)))
    finetune_tuples(
        network, photos, lambda describe, epoch: Tuples([0], [1], [[2]]), loss=TripletLoss(5.0),
        max_side=45, epochs=1, verbose=False,
    )  # fmt: skip
    assert sorted(shapes) == [(1, 3, 32, 32), (1, 3, 32, 45), (1, 3, 45, 35)]


@pytest.mark.parametrize(
    ("found", "match"),
    [
        (Tuples([], [], np.empty((0, 1))), "at least one tuple"),
        (Tuples([0], [1, 2], [[3]]), "1 positives"),
        (Tuples([0], [1], [3]), r"negatives \(1, k\)"),
        (Tuples([0], [8], [[3]]), "photos below 8, got 8"),
        (Tuples([0], [1], [[-2]]), "mine: expected ids"),
        (Tuples([0], [0], [[3]]), "different photos"),
        (Tuples([0], [1], [[3, 1]]), "different photos"),
        (Tuples([0], [1], [[3]], np.array([np.nan])), "1 finite weights"),
        (Tuples([0], [1], [[3]], np.array([1.0, 1.0])), "1 finite weights"),
    ],
)
def test_tuples_that_are_none(found, match) -> None:
    with pytest.raises(ValueError, match=match):
        finetune_tuples(
            small(), photos_of_many_sizes(), lambda *_: found, loss=ContrastiveLoss(), epochs=1, verbose=False
        )  # fmt: skip
