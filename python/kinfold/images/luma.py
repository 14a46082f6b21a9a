"""Photos without their colours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def luma(pixels: Any) -> NDArray[np.float32]:
    """RGB of any depth (..., 3) to its luma float32 (...): that of ITU-R BT.601, as in JPEG files."""
    weighted: NDArray[np.float32] = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return weighted
