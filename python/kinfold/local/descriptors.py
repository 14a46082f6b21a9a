"""What local descriptors are, by their dtype, and what is compared of them.

uint8 and float   histograms such as SIFT's, all numbers >= 0: RootSIFT is compared
int8              descriptors of networks, which point anywhere: round(255 x / |x|), cut to -128 to 127
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors, as_vectors
from kinfold.local.sift import root_sift
from kinfold.transform.normalize import l2_normalize

# Entries of a half or more hardly occur in 64 dimensions; what is beyond is cut off.
SIGNED_SCALE = 255


def signed(vectors: Any) -> NDArray[np.int8]:
    """Descriptors of a network, float (n, d) of any length but zero, as they are stored: int8 (n, d)."""
    unit = l2_normalize(as_vectors(vectors, "vectors", empty=True))
    return np.clip(np.rint(SIGNED_SCALE * unit), -128, 127).astype(np.int8)


def compared(descriptors: Any) -> Vectors:
    """What is compared of descriptors (n, d): float32 (n, d) of length one; zeros stay zeros.

    RootSIFT of histograms, uint8 or float; the directions that int8 stands for. Raises ValueError for others.
    """
    array = np.asarray(descriptors)
    if array.dtype != np.int8:
        return root_sift(array)
    return l2_normalize(as_vectors(array.astype(np.float32), "descriptors", empty=True))
