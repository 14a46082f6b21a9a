from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
from kinfold.features.proposals.boxes import clipped, iou, moved
from kinfold.features.proposals.network import RegionProposals


def made(**options) -> RegionProposals:
    torch.manual_seed(0)
    return RegionProposals(4, hidden=8, **options)


def test_boxes_are_the_best_anchors_moved_and_apart() -> None:
    net = made(keep=20, overlap=0.5)
    with torch.no_grad():
        net.move.bias.normal_(0, 0.2)
    maps = torch.rand(2, 4, 6, 8)
    boxes, there = net(maps)
    scores, moves = net.answers(maps)
    all_boxes = clipped(moved(net.anchors(6, 8), moves), 6, 8)
    for image in range(2):
        # The definition: by descending score, whatever overlaps none that was taken by more than half.
        taken: list[torch.Tensor] = []
        for row in scores[image].argsort(descending=True, stable=True):
            if len(taken) < 20 and all(iou(all_boxes[image, row], box) <= 0.5 for box in taken):
                taken.append(all_boxes[image, row])
        assert torch.equal(boxes[image][there[image]], torch.stack(taken))


def test_answers_belong_to_their_anchors() -> None:
    """One anchor's bias alone is raised: its cells' boxes come first, at its size and ratio."""
    net = made(sizes=(0.2, 0.5), ratios=(0.5, 2.0), keep=5, overlap=0.9)
    with torch.no_grad():
        for layer in (net.objectness, net.move):
            layer.weight.zero_()
        net.objectness.bias[3] = 5.0
    boxes, there = net(torch.rand(1, 4, 30, 30))
    sides = boxes[..., 2:] - boxes[..., :2]
    # Clipped at the edge, as far as they reach beyond it: at most what the anchor has.
    assert there.all()
    assert (sides <= torch.tensor([15 / 2**0.5, 15 * 2**0.5]) + 1e-3).all()
    assert (boxes[0, :, 3] - boxes[0, :, 1]).max() > 10


def test_fewer_anchors_than_are_kept() -> None:
    net = made(sizes=(0.5,), ratios=(1.0,), keep=64)
    boxes, there = net(torch.rand(1, 4, 2, 3))
    assert boxes.shape == (1, 6, 4) and there.shape == (1, 6)
    assert (boxes[..., 2:] <= torch.tensor([3.0, 2.0])).all() and (boxes >= 0).all()


def test_shapes_without_numbers_and_options() -> None:
    net = made(keep=7)
    again = RegionProposals(4, **net.options())
    assert again.options() == net.options() and again.load_state_dict(net.state_dict())
    with torch.device("meta"):
        boxes, there = RegionProposals(4, keep=7)(torch.empty(2, 4, 5, 6))
    assert boxes.shape == (2, 7, 4) and there.shape == (2, 7)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sizes": ()}, "sizes: expected 1 to 16"),
        ({"sizes": "ab"}, "sizes: expected 1 to 16"),
        ({"ratios": (0,)}, "ratios: expected"),
        ({"keep": 0}, "keep: expected"),
        ({"overlap": 2}, "overlap: expected"),
    ],
)
def test_what_is_no_option(options, words) -> None:
    with pytest.raises(ValueError, match=words):
        RegionProposals(4, **options)
