"""Queries in which there is nothing to compare."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinfold import Gallery
from kinfold.evaluate import GroundTruth

from .conftest import view, write_photo

GREY = np.full((120, 160, 3), 128, np.uint8)


@pytest.mark.parametrize("rerank", [(), ("spatial", "diffusion"), ("expansion",)])
def test_nothing_is_found_by_nothing(indexed: Path, rerank: tuple[str, ...]) -> None:
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(GREY)
        assert query.is_empty
        assert gallery.search(GREY, rerank=rerank) == []
        page = gallery.answer(query, gallery.rank(query, rerank=rerank), [])
        assert page.results == ()
        pixels = view(0, 1)
        assert not gallery.describe(pixels).is_empty
        # A part without features of a photo that has some.
        pixels[:80, :80] = 128
        assert gallery.describe(pixels, box=(10, 10, 60, 60)).is_empty


def test_what_a_network_sees_is_something(indexed: Path) -> None:
    from dataclasses import replace

    with Gallery.open(indexed) as gallery:
        flat = replace(gallery.describe(GREY), seen=True)
        assert flat.is_empty
        slope = np.repeat(np.arange(160, dtype=np.uint8)[None, :, None], 120, axis=0).repeat(
            3, axis=2
        )
        assert not replace(flat, pixels=slope, size=(160, 120)).is_empty


def test_an_evaluation_goes_on(rendered: Path, indexed: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "grey.jpg", GREY)
    truth = GroundTruth.from_dict(
        {"imlist": ["scene0/view0", "scene0/view1"], "qimlist": ["grey"], "gnd": [{"ok": [0, 1]}]}
    )
    with Gallery.open(indexed) as gallery:
        judged = gallery.evaluate(truth, queries=tmp_path)
    assert judged.map == 0 and judged.found.tolist() == [0]
