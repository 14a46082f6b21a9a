"""LighterGlue equals kornia's LightGlue at its size."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).parent / "extractors"))
from networks import saved

from kinfold.base.errors import FileFormatError
from kinfold.base.local_features import LocalFeatures
from kinfold.features.safetensors import read_safetensors, write_safetensors
from kinfold.local.descriptors import compared, signed
from kinfold.local.lighterglue import LighterGlue, _Network


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = saved(_Network(64, 96, 2), tmp_path / "net.safetensors")
    tensors = read_safetensors(path)[0]
    # Files hold an assignment for each layer.
    renamed = {
        name.replace("assignment.", "log_assignment.1."): array for name, array in tensors.items()
    }
    # Random networks are sure of nothing: with smaller steps, and sharpened, some matches pass.
    for name in [name for name in renamed if "ffn.3" in name]:
        renamed[name] = renamed[name] * 0.02
    renamed["log_assignment.1.final_proj.weight"] = (
        renamed["log_assignment.1.final_proj.weight"] * 8
    )
    renamed["log_assignment.1.matchability.bias"] = np.full(1, 8, np.float32)
    write_safetensors(path, {f"matcher.{name}": array for name, array in renamed.items()})
    return path


def photo(rng: np.random.Generator, n: int) -> LocalFeatures:
    places = rng.uniform(0, [99, 79], (n, 2)).astype(np.float32)
    ones = np.ones(n, np.float32)
    return LocalFeatures(places, ones, 0 * ones, signed(rng.standard_normal((n, 64))))


def pair(rng: np.random.Generator) -> tuple[LocalFeatures, LocalFeatures]:
    first = photo(rng, 30)
    return first, first.select(rng.permutation(30)[:24])


@pytest.mark.filterwarnings("ignore")
def test_equals_kornia(weights: Path, rng: np.random.Generator) -> None:
    lightglue = pytest.importorskip(
        "kornia.feature.lightglue", reason="needs kornia to compare with"
    )
    settings = {
        "input_dim": 64, "descriptor_dim": 96, "n_layers": 2, "num_heads": 1, "flash": False,
        "depth_confidence": -1, "width_confidence": -1, "filter_threshold": 0.02,
    }  # fmt: skip
    theirs = lightglue.LightGlue(None, **settings).eval()
    state = {
        name.removeprefix("matcher."): torch.from_numpy(array)
        for name, array in read_safetensors(weights)[0].items()
    }
    assert theirs.load_state_dict(state, strict=False).unexpected_keys == []
    first, second = pair(rng)
    pairs, chances = LighterGlue(weights, threshold=0.02).match(first, second, (100, 80), (100, 80))

    def told(features: LocalFeatures) -> dict[str, torch.Tensor]:
        return {
            "keypoints": torch.from_numpy(features.positions)[None],
            "descriptors": torch.from_numpy(compared(features.descriptors))[None],
            "image_size": torch.tensor([[100, 80]]),
        }

    with torch.inference_mode():
        wanted = theirs({"image0": told(first), "image1": told(second)})
    assert len(pairs) > 3
    np.testing.assert_array_equal(pairs, wanted["matches"][0].numpy())
    np.testing.assert_allclose(chances, wanted["scores"][0].numpy(), atol=1e-4)


def test_each_feature_is_matched_once_above_the_threshold(
    weights: Path, rng: np.random.Generator
) -> None:
    first, second = pair(rng)
    pairs, chances = LighterGlue(weights, threshold=0.0).match(first, second, (100, 80), (100, 80))
    assert len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1])) == len(pairs)
    assert (np.diff(pairs[:, 0]) > 0).all() and (chances <= 1).all()
    some, more = LighterGlue(weights, threshold=0.5).match(first, second, (100, 80), (100, 80))
    np.testing.assert_array_equal(some, pairs[chances > 0.5])
    assert (more > 0.5).all()


def test_the_other_way_round_finds_the_same(weights: Path, rng: np.random.Generator) -> None:
    first, second = pair(rng)
    glue = LighterGlue(weights)
    there, _ = glue.match(first, second, (100, 80), (90, 80))
    back, _ = glue.match(second, first, (90, 80), (100, 80))
    np.testing.assert_array_equal(there, back[np.argsort(back[:, 1]), ::-1])


def test_the_first_features_alone_are_looked_at(weights: Path, rng: np.random.Generator) -> None:
    first, second = pair(rng)
    pairs, _ = LighterGlue(weights, max_features=8, threshold=0.0).match(
        first, second, (100, 80), (100, 80)
    )
    assert len(pairs) and pairs.max() < 8


def test_nothing_to_match_is_no_match_and_other_features_are_refused(
    weights: Path, rng: np.random.Generator
) -> None:
    glue, one = LighterGlue(weights), photo(rng, 5)
    pairs, chances = glue.match(one, one.select(slice(0, 0)), (9, 9), (9, 9))
    assert pairs.shape == (0, 2) and len(chances) == 0
    other = LocalFeatures(one.positions, one.scales, one.angles, np.zeros((5, 128), np.uint8))
    with pytest.raises(ValueError, match="photo: expected descriptors"):
        glue.match(one, other, (9, 9), (9, 9))


def test_other_weights_are_refused(tmp_path: Path) -> None:
    other = saved(torch.nn.Linear(3, 2), tmp_path / "other.safetensors")
    with pytest.raises(FileFormatError, match="no LighterGlue"):
        LighterGlue(other)
