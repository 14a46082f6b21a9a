from __future__ import annotations

import numpy as np
import pytest

from kinfold.features.models.outputs import Output, as_features, chosen, grid_of


@pytest.mark.parametrize(
    ("tokens", "image", "expected"),
    [
        (197, (224, 224), (14, 14, 1)),
        (196, (224, 224), (14, 14, 0)),
        (198, (224, 224), (14, 14, 2)),
        (261, (224, 224), (16, 16, 5)),
        (1370, (518, 518), (37, 37, 1)),
        (49, (224, 224), (7, 7, 0)),
        (241, (256, 240), (16, 15, 1)),
    ],
)
def test_grids_of_patches(tokens, image, expected) -> None:
    assert grid_of(tokens, image) == expected
    assert grid_of(tokens, image, expected[2]) == expected


@pytest.mark.parametrize(("tokens", "prefix"), [(90, None), (230, None), (197, 0)])
def test_tokens_of_no_grid(tokens, prefix) -> None:
    with pytest.raises(ValueError, match=f"weights: {tokens} tokens of an image of 224 x 224"):
        grid_of(tokens, (224, 224), prefix)


def test_features_of_every_kind(rng) -> None:
    vectors = rng.random((2, 5))
    assert as_features(vectors, (8, 8), Output(2)) is vectors
    maps = rng.random((2, 5, 3, 4))
    last = np.moveaxis(maps, 1, 3)
    np.testing.assert_array_equal(as_features(last, (8, 8), Output(4, last=True)), maps)
    single = rng.random((2, 5, 1, 1))
    assert as_features(single, (8, 8), Output(4, flat=True)).shape == (2, 5)
    tokens = np.concatenate([rng.random((2, 1, 5)), maps.reshape(2, 5, 12).swapaxes(1, 2)], axis=1)
    image = (3 * 16, 4 * 16)
    np.testing.assert_array_equal(as_features(tokens, image, Output(3)), maps)
    np.testing.assert_array_equal(as_features(tokens, image, Output(3, token=True)), tokens[:, 0])
    with pytest.raises(ValueError, match="no class token"):
        as_features(tokens[:, 1:], image, Output(3, token=True))
    with pytest.raises(ValueError, match="4 axes, not 3"):
        as_features(maps, image, Output(3))


def test_which_output() -> None:
    assert chosen({"a": None}, None, "gem") == "a"
    several = {"logits": 2, "last": 3, "pooled": 2, "maps": 4}
    assert chosen(several, "pooled", None) == "pooled"
    assert chosen(several, None, "gem") == "maps" and chosen(several, None, "cls") == "last"
    del several["maps"]
    assert chosen(several, None, "rmac") == "last"
    for pooling in ("flatten", None):
        with pytest.raises(ValueError, match=r"name one of: logits \(vectors\), last \(tokens\)"):
            chosen(several, None, pooling)
