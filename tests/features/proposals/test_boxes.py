from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.proposals.boxes import as_moves, clipped, iou, moved


def boxes(n: int, seed: int = 0, side: float = 20.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(n, 2, generator=random) * side
    return torch.cat([low, low + 0.5 + torch.rand(n, 2, generator=random) * side], 1)


def by_counting(a: torch.Tensor, b: torch.Tensor) -> float:
    """Of boxes of whole numbers: cells in both by cells in either."""

    def cells(box: torch.Tensor) -> set[tuple[int, int]]:
        x0, y0, x1, y1 = (int(v) for v in box)
        return {(x, y) for x in range(x0, x1) for y in range(y0, y1)}

    one, other = cells(a), cells(b)
    return len(one & other) / len(one | other) if one | other else 0.0


def test_overlap_is_that_of_cells() -> None:
    a, b = boxes(40).round(), boxes(40, 1).round()
    found = iou(a[:, None], b)
    assert torch.allclose(found, torch.tensor([[by_counting(x, y) for y in b] for x in a]))
    assert torch.allclose(iou(boxes(40), boxes(40)), torch.ones(40))


def test_empty_boxes_overlap_nothing() -> None:
    empty = torch.tensor([[3.0, 3, 3, 9], [5, 5, 2, 2]])
    assert (iou(empty, empty) == 0).all()
    assert (iou(empty, torch.tensor([0.0, 0, 10, 10])) == 0).all()


def test_moves_bring_anchors_to_boxes() -> None:
    start, end = boxes(50), boxes(50, 1)
    moves = as_moves(end, start)
    assert torch.allclose(moved(start, moves), end, atol=1e-4)
    assert torch.equal(as_moves(start, start), torch.zeros(50, 4))
    # By hand: twice as wide, and its centre a width to the right.
    told = as_moves(torch.tensor([[2.0, 0, 6, 1]]), torch.tensor([[1.0, 0, 3, 1]]))
    assert torch.allclose(told, torch.tensor([[1, 0, torch.tensor(2.0).log(), 0]]))


def test_a_wild_answer_is_a_box_nevertheless() -> None:
    found = moved(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[0.0, 0, 1e4, -1e4]]))
    assert torch.isfinite(found).all() and found[0, 2] - found[0, 0] == 125


def test_clipped_to_the_map() -> None:
    inside = clipped(torch.tensor([[-3.0, 2, 30, 50], [40, 40, 60, 60]]), 10, 20)
    assert inside.tolist() == [[0, 2, 20, 10], [20, 10, 20, 10]]
