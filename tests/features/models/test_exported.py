from __future__ import annotations

import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.base.errors import FileFormatError
from kinfold.features.extract import Extractor
from kinfold.features.models.torched import outputs_of


def exported(module, path, *, free=(0, 2, 3), side=64):
    axes = {axis: torch.export.Dim.DYNAMIC for axis in free}
    image = torch.zeros(2 if 0 in free else 1, 3, side, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch about its own internals
        torch.export.save(torch.export.export(module, (image,), dynamic_shapes=(axes,)), path)
    return path


def scripted(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3, 64, 64)), path)
    return path


@pytest.mark.parametrize("write", [exported, scripted])
@pytest.mark.parametrize("pooling", ["gem", "rmac"])
def test_graphs_describe_photos_as_the_module_does(
    write, pooling, maps_network, pixels, tmp_path
) -> None:
    path = write(maps_network, tmp_path / ("net.pt2" if write is exported else "net.pt"))
    theirs = Extractor(path, preprocess="imagenet", pooling=pooling)
    ours = Extractor(maps_network, pooling=pooling)
    np.testing.assert_allclose(theirs.describe(pixels), ours.describe(pixels), atol=1e-5)
    assert theirs.scales == ours.scales and theirs.trunk.maker == "exported"
    with pytest.raises(ValueError, match="does not say what images it expects"):
        Extractor(path)


def test_one_size_one_image_and_several_outputs(tokens_network, pixels, tmp_path) -> None:
    path = exported(tokens_network, tmp_path / "net.pt2", free=())
    token = Extractor(path, preprocess="half", pooling="cls")
    assert token.preprocessing.size == (64, 64)
    images = token._forward.images([token._prepared(p) for p in (pixels, pixels[::-1])])
    expected = torch.cat([tokens_network(image[None])[0][:, 0] for image in images])
    found = token.describe_all([pixels, pixels[::-1]], verbose=False)
    np.testing.assert_allclose(found, torch.nn.functional.normalize(expected).numpy(), atol=1e-5)
    assert Extractor(path, preprocess="half", pooling="mac").maps(pixels).shape == (6, 8, 8)
    with pytest.raises(ValueError, match="several outputs"):
        Extractor(path, preprocess="half")


def test_files_that_are_none(tmp_path, maps_network) -> None:
    (tmp_path / "bad.pt2").write_bytes(b"no graph")
    with pytest.raises(
        FileFormatError, match=r"bad\.pt2: torch .* cannot read this file of torch\.export"
    ):
        Extractor(tmp_path / "bad.pt2", preprocess="half")
    with pytest.raises(FileNotFoundError):
        Extractor(tmp_path / "none.pt2", preprocess="half")
    scripted(maps_network, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="pooling"):
        Extractor(tmp_path / "net.pt", preprocess="half", pooling="cls")


def test_outputs_have_names() -> None:
    one = torch.zeros(1)
    assert list(outputs_of({"a": one, "text": "b"})) == ["a"]
    assert list(outputs_of((one, one))) == ["0", "1"] and list(outputs_of(one)) == ["0"]
    with pytest.raises(ValueError, match="expected a model that gives tensors"):
        outputs_of("text")
