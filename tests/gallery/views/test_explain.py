"""A gallery with a network says on its page what the network saw."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import save_file

from kinfold import Gallery
from kinfold.features.explain import explain_match
from kinfold.features.extract import Extractor
from kinfold.features.weights import random_network
from kinfold.images.decode import decode
from kinfold.report.answer import answer_page


@pytest.fixture(scope="module")
def network_gallery(rendered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    weights = folder / "net.safetensors"
    save_file(random_network("squeezenet1_1", 0).state_dict(), weights)
    with Gallery.create(
        folder / "g.kin", engine="cnn", weights=weights, network_side=224
    ) as gallery:
        gallery.update(rendered, verbose=False)
        yield gallery, weights


def test_components_and_attention_of_a_query(network_gallery, rendered) -> None:
    gallery, weights = network_gallery
    file = rendered / "scene1" / "view0.jpg"
    query = gallery.describe(file)
    ranked = gallery.rank(query, rerank=())
    hits = gallery.hits(query, ranked, 14)
    content = gallery.answer(query, ranked, hits)
    explained = [r.components is not None for r in content.results]
    assert explained == [True] * 12 + [False] * 2
    first = content.results[0].components
    assert first.similarity == pytest.approx(1, abs=1e-4), "the query is in the gallery"
    np.testing.assert_allclose(first.query_boxes, first.photo_boxes, atol=1e-6)
    # The same as of the function, with the gallery's whitening.
    whitening = gallery.parts.model.engines["cnn"].whitening
    extractor = Extractor(weights, scales=[1.0], max_side=224, whitening=whitening)
    second = content.results[1]
    expected = explain_match(extractor, file, rendered / second.picture.name, components=6)
    assert (second.components.channels == expected.components).all()
    np.testing.assert_allclose(second.components.contributions, expected.contributions, atol=1e-6)
    np.testing.assert_allclose(second.components.photo_boxes, expected.right)
    assert len(content.attention.boxes) == 10 and content.attention.area == (0, 0, 300, 300)
    page = answer_page(content)
    assert page.count("What the network finds alike") == 12
    assert page.count("Where the network looks in the query") == 1


def test_boxes_of_a_boxed_query_lie_inside_it(network_gallery, rendered) -> None:
    gallery, _ = network_gallery
    file = rendered / "scene2" / "view0.jpg"
    query = gallery.describe(file, box=(40.5, 60.2, 200, 230))
    ranked = gallery.rank(query, rerank=())
    content = gallery.answer(query, ranked, gallery.hits(query, ranked, 2))
    assert content.attention.area == (40, 60, 200, 230)
    for boxes in (content.results[0].components.query_boxes, *content.attention.boxes):
        assert (boxes[:, :2] >= [40, 60]).all() and (boxes[:, 2:] <= [200, 230]).all()
    crop = decode(file).pixels[60:230, 40:200]
    same = gallery.describe(np.ascontiguousarray(crop))
    ranked = gallery.rank(same, rerank=())
    of_crop = gallery.answer(same, ranked, gallery.hits(same, ranked, 1)).attention
    np.testing.assert_allclose(of_crop.weights, content.attention.weights, atol=1e-6)
    np.testing.assert_allclose(of_crop.boxes[0] + [40, 60, 40, 60], content.attention.boxes[0])


def test_galleries_without_a_network_explain_nothing(indexed, rendered) -> None:
    with Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene1" / "view0.jpg")
        ranked = gallery.rank(query, rerank=())
        content = gallery.answer(query, ranked, gallery.hits(query, ranked, 2))
    assert content.attention is None and all(r.components is None for r in content.results)


def test_photos_that_are_gone_are_not_explained(network_gallery, rendered, tmp_path) -> None:
    from kinfold.gallery.views.explain import explainer_of

    gallery, _ = network_gallery
    query = gallery.describe(rendered / "scene1" / "view0.jpg")
    explainer = explainer_of(gallery.parts.model, gallery._reader.describer_of_queries(), query)
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    found = explainer.components([tmp_path / "gone.jpg", tmp_path / "torn.jpg"])
    assert found == [None, None]
