from __future__ import annotations

import pytest

pytest.importorskip("matplotlib")
from kinfold.report.training import write_curves


class Line:
    def __init__(self, epoch: int, loss: float, score: float | None) -> None:
        self.epoch, self.loss, self.score = epoch, loss, score


@pytest.mark.parametrize("scores", [(None, None), (0.2, 0.1)])
def test_a_picture(tmp_path, scores) -> None:
    image = pytest.importorskip("PIL.Image")
    lines = [Line(e, 1 / (e + 1), score) for e, score in enumerate(scores)]
    write_curves(tmp_path / "c.png", lines)
    with image.open(tmp_path / "c.png") as picture:
        assert picture.size == (840, 432)


def test_none() -> None:
    with pytest.raises(ValueError, match="epochs: expected at least one"):
        write_curves("x.png", [])
