from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest

from kinfold.report.answer import Answer, Result, answer_page
from kinfold.report.seen import Attention, Components


@pytest.fixture
def components() -> Components:
    boxes = np.array([(10, 20, 110, 140), (300, 200, 420, 320), (0, 0, 640, 480)])
    return Components(0.5, [7, 300, 12], [0.25, 0.125, -0.01], boxes, boxes + 5)


@pytest.fixture
def attention() -> Attention:
    weights = np.linspace(0, 1, 12).reshape(3, 4)
    places = [np.array([(1, 2, 30, 40), (50, 60, 80, 90)]), np.array([(5, 5, 9, 9)])]
    return Attention(weights, (100, 120, 300, 400), [3, 501], [9.5, 4.25], places)


def test_boxes_of_the_components_lie_on_both_photos(components, picture, parse) -> None:
    result = Result(1, picture(), 0.9, components=components)
    page = parse(answer_page(Answer(picture("q.jpg", 800, 600), results=(result,))))
    parts = page.all("rect", class_="part")
    assert len(parts) == 6, "three on each photo"
    placed = {(float(p["x"]), float(p["y"]), float(p["width"]), float(p["height"])) for p in parts}
    for boxes in (components.query_boxes, components.photo_boxes):
        for x0, y0, x1, y1 in boxes:
            assert (x0, y0, x1 - x0, y1 - y0) in placed
    for words in ("channel 7", "channel 300", "0.250", "0.125", "−0.010", "0.500", "0.365"):
        assert words in page.text
    widths = [re.search(r"width:(\d+)%", i["style"]) for i in page.all("i")]
    assert [int(w.group(1)) for w in widths if w] == [100, 50, 0]
    assert "receptive fields" in page.text and "six strides" not in page.text
    page = parse(
        answer_page(
            Answer(
                picture("q.jpg"),
                results=(Result(1, picture(), 1, components=replace(components, effective=True)),),
            )
        )
    )
    assert "six strides" in page.text


def test_weights_are_a_picture_on_the_region_asked_for(attention, picture, parse) -> None:
    Image = pytest.importorskip("PIL.Image")
    source = answer_page(Answer(picture(), attention=attention))
    page = parse(source)
    (heat,) = [i for i in page.all("image") if i["href"].startswith("data:image/png")]
    assert [float(heat[k]) for k in ("x", "y", "width", "height")] == [100, 120, 200, 280]
    data = base64.b64decode(heat["href"].partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    assert pixels.shape == (3, 4, 4)
    assert (np.diff(pixels[..., 3].ravel().astype(int)) <= 0).all(), "clearer where more is"
    assert len(page.all("rect", class_="place")) == 3
    assert "channel 501" in page.text and "4.25" in page.text and "The 2 channels" in page.text


def test_pages_without_a_network_say_nothing_of_it(picture, parse) -> None:
    page = parse(answer_page(Answer(picture(), results=(Result(1, picture(), 1),))))
    assert "network" not in page.text


@pytest.mark.parametrize(
    "change, message",
    [
        ({"photo_boxes": np.zeros((2, 4))}, "photo_boxes: expected 3"),
        ({"contributions": [1, 2]}, "contributions: expected 3 finite numbers"),
        ({"query_boxes": [[np.nan] * 4] * 3}, "query_boxes: expected finite boxes"),
    ],
)
def test_bad_components(components, change, message) -> None:
    with pytest.raises(ValueError, match=message):
        replace(components, **change)


def test_bad_attention(attention, picture) -> None:
    for change, message in (
        ({"weights": [[-1.0]]}, "weights"),
        ({"weights": [1.0]}, "weights"),
        ({"channels": [1]}, "channels: expected 2"),
        ({"area": (1, 2, 3)}, "area"),
    ):
        with pytest.raises(ValueError, match=message):
            replace(attention, **change)
    with pytest.raises(ValueError, match="attention: expected a Attention"):
        Answer(picture(), attention="everywhere")
