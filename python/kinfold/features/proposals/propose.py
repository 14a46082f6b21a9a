"""Where the regions of a photo are that a learnt R-MAC sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.extras import require
from kinfold.features.extract import Extractor
from kinfold.features.forward import inference
from kinfold.features.pool.learnt_rmac import LearntRMAC
from kinfold.images.decode import decode
from kinfold.images.resize import as_pixels

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")


def proposed_regions(
    extractor: Extractor, photo: Any, *, scale: float = 1.0
) -> NDArray[np.float64]:
    """The regions of a photo, best first, or those of the grid: x0, y0, x1, y1 in its pixels, float64 (r, 4).

    extractor : one with pooling "learnt-rmac". ValueError for another
    photo : pixels uint8 (H, W, 3) or a file
    scale : at which it is seen, see Extractor
    Cells are taken for the part of the photo that is theirs if it is cut into as many.
    """
    pool = extractor._pool
    if not isinstance(pool, LearntRMAC):
        raise ValueError(
            f"extractor: expected the pooling 'learnt-rmac', got {extractor.pooling!r}"
        )
    pixels = as_pixels(photo) if isinstance(photo, np.ndarray) else decode(photo).pixels
    maps = torch.from_numpy(extractor.maps(pixels, scale)).to(extractor.device)
    with inference():
        boxes, there = pool.boxes(maps[None])
    height, width = pixels.shape[:2]
    cells = [width / maps.shape[2], height / maps.shape[1]] * 2
    return boxes[0][there[0]].double().cpu().numpy() * cells
