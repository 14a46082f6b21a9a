from __future__ import annotations

import numpy as np

from kinfold.datasets.views import Views


def test_some_of_the_views() -> None:
    n = np.arange(4)
    views = Views(np.arange(16, dtype=np.uint8).reshape(4, 2, 2), n, 20 * n, 5 * n, n % 2)
    for rows in (views.lightings == 1, [1, 3], slice(1, None, 2)):
        some = views.chosen(rows)
        assert some.azimuths.tolist() == [20, 60] and some.elevations.tolist() == [5, 15]
        assert some.images[:, 0, 0].tolist() == [4, 12] and some.objects.tolist() == [1, 3]
