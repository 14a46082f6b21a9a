"""What may be chosen of how second looks go along the graph."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

import kinfold as kf
from kinfold.gallery.along import Along
from kinfold.graph.diffusion import Diffusion
from kinfold.graph.reach import suited_alpha


def test_what_may_be_chosen() -> None:
    assert Along.of(None) == Along() == Along.of({}) == Along.of({"alpha": None})
    chosen = Along.of({"alpha": 0.5, "k_query": 3, "k": "auto", "gamma": 2})
    assert (chosen.alpha, chosen.k_query, chosen.k, chosen.gamma) == (0.5, 3, "auto", 2.0)
    assert Along.of(chosen) is chosen and Along.of({"alpha": "auto"}).alpha == "auto"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"alpha": 1}, "^alpha: expected"), ({"alpha": "much"}, "^alpha: expected"), ({"k": 2.5}, "^k: expected"),
        ({"k_query": 0}, "^k_query: expected"), ({"gamma": "auto"}, "^gamma: expected"),
        ({"gamma": 0}, "^gamma: expected"),
        ({"k_q": 3}, "^along: expected one of alpha, k_query, k, gamma, got 'k_q'"),
    ],
)  # fmt: skip
def test_what_may_not(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Along.of(given)


def test_a_gallery_diffuses_as_it_is_told(gallery_path) -> None:
    gallery = kf.Gallery.open(gallery_path)
    photo = gallery.photo(int(gallery.parts.ids[0]))
    query = gallery.describe(gallery.root / photo.path)
    first = gallery.rank(query, rerank=())
    node = {int(id): at for at, id in enumerate(gallery.parts.ids)}
    near = [node[int(id)] for id in first.ids[:3]]
    for along in ({"k": 3, "gamma": 1.0}, {"k": "auto", "alpha": "auto"}):
        graph = gallery.parts.graph_along(Along.of(along))
        assert graph is gallery.parts.graph_along(Along.of(along)) is not gallery.parts.graph
        alpha = suited_alpha(graph) if "alpha" in along else 0.99
        expected = Diffusion(graph, alpha=alpha).scores(first.scores[:3], near)
        found = gallery.rank(query, rerank=("diffusion-lecture",), along={**along, "k_query": 3})
        reached = found.scores > 0
        scores = expected[[node[int(id)] for id in found.ids[reached]]] / expected.max()
        np.testing.assert_allclose(found.scores[reached], scores, rtol=1e-4)
        assert reached.sum() == (expected > 0).sum()
    assert gallery.parts.graph_along(Along()) is gallery.parts.graph
