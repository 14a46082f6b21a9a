from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.learn.validation import describe_by, describe_pooled, retrieval_score


def test_map_over_all_photos_as_queries() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8], [0, -1]], np.float32)
    score = retrieval_score(lambda network: vectors, [0, 0, 1, 1, 2])
    assert score(None) == 1, "the last is alone and never asked for"
    worse = retrieval_score(lambda network: vectors, [0, 1, 0, 1, 2])
    assert worse(None) < 0.6
    with pytest.raises(ValueError, match="describe: expected 2 descriptors, got 5"):
        retrieval_score(lambda network: vectors, [0, 0])(None)


def test_codes_of_a_network_in_training() -> None:
    network = small().train()
    photos, _ = stripes([2, 1])
    codes = describe_by(photos, side=32)(network)
    assert codes.shape == (3, 12 * 6 * 6) and np.allclose(
        np.linalg.norm(codes, axis=1), 1, atol=1e-5
    )


def test_pooled_maps_of_a_network_and_of_what_trains_one() -> None:
    from kinfold.learn.descriptor import Descriptor

    network = small().train()
    photos, _ = stripes([2, 1])
    vectors = describe_pooled(photos, pooling="spoc")(network)
    assert vectors.shape == (3, 12)
    again = describe_pooled(photos, pooling="spoc")(Descriptor(network))
    assert np.array_equal(vectors, again)
