from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.features.backbones.cut import cut
from kinfold.learn.descriptor import Descriptor
from kinfold.learn.validation import describe_pooled


@pytest.mark.parametrize("pooling", ["gem", "mac", "spoc"])
def test_unit_vectors_as_the_extractor_gives(pooling) -> None:
    network = small()
    photos, _ = stripes([3])
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (network.mean, network.std))
    images = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 255
    vectors = Descriptor(network, pooling=pooling)((images - mean) / std)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    theirs = describe_pooled(photos, pooling=pooling)(network)
    assert np.allclose(vectors.detach(), theirs, atol=1e-4)


def test_what_changes_is_the_backbone() -> None:
    network = small()
    descriptor = Descriptor(network)
    descriptor(torch.rand(2, 3, 32, 32))[0, 0].backward()
    assert network.features[0].weight.grad is not None
    assert network.classifier[1].weight.grad is None
    assert cut(descriptor.backbone, descriptor.layer)[0] is network.features[0]


def test_names_are_checked() -> None:
    with pytest.raises(ValueError, match="layer"):
        Descriptor(small(), layer="conv9")
    with pytest.raises(ValueError, match="pooling"):
        Descriptor(small(), pooling="median")
