"""Pictures of objects from known sides, in known light."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids


class Views(NamedTuple):
    """Grey pictures, and how each was taken.

    images : uint8 (n, height, width)
    objects : int64 (n,)       which object
    azimuths : int64 (n,)      degrees in [0, 360) that the object was turned by
    elevations : int64 (n,)    degrees of the camera above the horizon
    lightings : int64 (n,)     which of some lightings
    """

    images: NDArray[np.uint8]
    objects: Ids
    azimuths: Ids
    elevations: Ids
    lightings: Ids

    def chosen(self, rows: Any) -> Views:
        """Those of some rows: their numbers, a mask or a slice."""
        return Views(*(part[rows] for part in self))
