from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from small import Small, small

from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.features.proposals.anchors import anchors
from kinfold.features.proposals.boxes import as_moves, iou
from kinfold.features.proposals.network import RegionProposals
from kinfold.learn.proposals import (
    maps_of,
    overlap_score,
    proposal_loss,
    train_proposals,
    with_proposals,
)


def planted(count: int, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Grey noise with one striped rectangle each, and where it is, in shares."""
    random = np.random.default_rng(seed)
    photos, boxes = [], []
    y, x = np.mgrid[:96, :120]
    for _ in range(count):
        w, h = random.integers(40, 80), random.integers(36, 64)
        x0, y0 = random.integers(0, 120 - w), random.integers(0, 96 - h)
        pixels = random.normal(128, 6, (96, 120, 3))
        stripes = 110 * np.sin((x + random.uniform(0, 6)) * 1.5)[..., None]
        inside = ((x >= x0) & (x < x0 + w) & (y >= y0) & (y < y0 + h))[..., None]
        photos.append(np.clip(pixels + inside * stripes, 0, 255).astype(np.uint8))
        boxes.append([x0 / 120, y0 / 96, (x0 + w) / 120, (y0 + h) / 96])
    return photos, np.array(boxes)


def test_the_loss_is_its_definition() -> None:
    torch.manual_seed(0)
    start = anchors(5, 6)
    scores, moves = torch.randn(2, len(start)), torch.randn(2, len(start), 4)
    # Of the second no anchor overlaps the box by so much: the best alone shows it.
    boxes = torch.tensor([[0.5, 0.5, 3.5, 4.0], [2.2, 2.1, 2.9, 2.8]])
    costs = []
    for image in range(2):
        overlap = [float(iou(a, boxes[image])) for a in start]
        shows, not_, apart = [], [], []
        for row, value in enumerate(overlap):
            p = float(torch.sigmoid(scores[image, row]))
            if value > 0.7 or value == max(overlap):
                shows.append(-np.log(p))
                d = (moves[image, row] - as_moves(boxes[image], start[row])).abs()
                apart.append(sum(0.5 * v * v if v < 1 else v - 0.5 for v in d.tolist()))
            elif value < 0.3:
                not_.append(-np.log(1 - p))
        costs.append((np.mean(shows) + np.mean(not_)) / 2 + np.mean(apart))
    assert float(proposal_loss(scores, moves, start, boxes)) == pytest.approx(
        np.mean(costs), rel=1e-4
    )


def test_its_gradient() -> None:
    torch.manual_seed(0)
    start = anchors(3, 4, [0.5], [1.0]).double()
    box = torch.tensor([[0.5, 0.5, 3.5, 2.5]], dtype=torch.float64)
    scores = torch.randn(1, len(start), dtype=torch.float64, requires_grad=True)
    moves = torch.randn(1, len(start), 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s, m: proposal_loss(s, m, start, box), (scores, moves))


class Wide(Small):
    """Whose cells see some 50 pixels around."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 12, 5, stride=4), torch.nn.ReLU(),
            torch.nn.Conv2d(12, 12, 5, stride=2, padding=2), torch.nn.ReLU(),
            torch.nn.Conv2d(12, 12, 5, padding=2),
        )  # fmt: skip


def test_planted_objects_are_found() -> None:
    """By the one best proposal, on photos that were not learnt from."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, (photos, boxes) = Wide().eval(), planted(40)
    unseen, theirs = planted(20, 1)
    proposals = RegionProposals(12, hidden=32, keep=1)
    before = network.state_dict()["features.0.weight"].clone()
    score = overlap_score(network, unseen, theirs)
    history = train_proposals(
        network, proposals, photos, boxes, epochs=8, rate=0.03, batch=4, validate=score,
        patience=8, verbose=False,
    )  # fmt: skip
    assert torch.equal(network.state_dict()["features.0.weight"], before)
    seen = maps_of(network, layer=None, max_side=448)

    def found(some: list[np.ndarray], where: np.ndarray) -> float:
        cells = torch.from_numpy(where * [15, 12, 15, 12])
        return float(
            np.mean([iou(proposals(seen(p, False))[0][0, 0], c) for p, c in zip(some, cells)])
        )

    best = max(line.score for line in history.epochs)
    assert found(unseen, theirs) == pytest.approx(score(proposals)) == pytest.approx(best)
    assert best > history.before + 0.1


def test_killed_it_goes_on_to_the_same(tmp_path) -> None:
    network, (photos, boxes) = small(), planted(6)

    def made() -> RegionProposals:
        torch.manual_seed(1)
        return RegionProposals(12, hidden=4)

    def trained(epochs: int, **options) -> dict:
        net = made()
        train_proposals(network, net, photos, boxes, epochs=epochs, schedule="constant", batch=2,
                        verbose=False, **options)  # fmt: skip
        return net.state_dict()

    whole = trained(2)
    trained(1, folder=tmp_path)
    again = trained(2, folder=tmp_path)
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_photos_without_a_box_are_left_out() -> None:
    network, (photos, boxes) = small(), planted(4)
    boxes[1:] = np.nan
    seen: list[int] = []

    class Counted(list):
        def __getitem__(self, row):
            seen.append(int(row))
            return super().__getitem__(row)

    proposals = RegionProposals(12, hidden=4)
    train_proposals(network, proposals, Counted(photos), boxes, epochs=2, verbose=False)
    assert set(seen) == {0}
    with pytest.raises(ValueError, match="boxes: expected the box of one photo at least"):
        train_proposals(network, RegionProposals(12), photos, boxes * np.nan, epochs=1)
    for wrong in (boxes[:2], boxes * 200, boxes[:, ::-1]):
        with pytest.raises(ValueError, match="boxes: expected"):
            train_proposals(network, RegionProposals(12), photos, wrong, epochs=1)


def test_the_same_over_proposals() -> None:
    grid = LearntRMAC(12, 5, levels=2)
    made = with_proposals(grid, seed=3, keep=7)
    again = with_proposals(grid, seed=3, keep=7)
    other = with_proposals(grid, seed=4, keep=7)
    assert made.proposals.keep == 7 and made.grid.levels == 2 and grid.proposals is None
    assert torch.equal(made.layer.weight, grid.layer.weight)
    weights = [one.proposals.hidden.weight for one in (made, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
