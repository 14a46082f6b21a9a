"""Neural codes: what one of the last layers of a classifier says of a whole photo."""

from __future__ import annotations

from typing import Any

from kinfold.base.offered import call_by_name
from kinfold.features.extract import Extractor


def neural_codes(
    weights: Any,
    *,
    layer: str | None = "fc6",
    side: int = 224,
    crop: bool = False,
    **options: Any,
) -> Extractor:
    """An extractor of neural codes: the photo at the size that the network learnt from, one layer, L2.

    Babenko, Slesarev, Chigorin & Lempitsky, ECCV 2014. With AlexNet: ``layer="pool5"`` gives 9216 numbers, "fc6"
    and "fc7" 4096, after the rectifier. PCA-whitening follows by ``Extractor.whitened``.

    weights : as of Extractor: a file, "random" with an architecture, or an ``nn.Module``, then with layer=None
    side : of the square that the network takes; 227 for the first published AlexNet
    crop : the shorter side is brought to 8/7 of ``side`` and the centre is cut out, as classifiers are judged; else
        the whole photo is warped to the square, so that nothing at its borders is lost
    options : further ones of Extractor, such as architecture, whitening, device, precision, batch
    """
    return Extractor(
        weights, layer=layer, pooling="flatten", scales=(1.0,), side=side, crop=crop, **options
    )


call_by_name(__name__)
