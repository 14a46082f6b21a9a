"""Query expansion with the verified region: features of verified photos, brought back into the query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kinfold.base.local_features import LocalFeatures
from kinfold.local.verify import Verification, project


def expand_features(
    query: LocalFeatures,
    photos: Sequence[LocalFeatures],
    verified: Sequence[Verification],
    *,
    region: tuple[float, float, float, float] | None = None,
    whole: bool = False,
) -> LocalFeatures:
    """The query's features and those of verified photos that fall into its region, in the query's pixels.

    Searching with them is transformed average query expansion: an engine that aggregates descriptors averages them.

    photos, verified : photos with maps from the query to them; those without inliers are left out
    region : x0, y0, x1, y1 in the query; the bounding box of its features if not given
    whole : all of the photos' features, wherever they fall: average query expansion
    Chum, Philbin, Sivic, Isard and Zisserman, ICCV 2007, section 4.3.
    """
    if len(photos) != len(verified):
        raise ValueError(
            f"verified: expected one for each of {len(photos)} photos, got {len(verified)}"
        )
    if not len(query):
        return query
    if region is None:
        low, high = query.positions.min(axis=0), query.positions.max(axis=0)
    else:
        low, high = np.array(region[:2]), np.array(region[2:])
    parts = [query]
    for photo, found in zip(photos, verified):
        if not found.inliers:
            continue
        back = np.linalg.inv(found.matrix)
        back /= back[2, 2]
        positions = project(photo.positions, back)
        inside = ((positions >= low) & (positions <= high)).all(axis=1)
        rows = np.flatnonzero(inside | (whole & np.isfinite(positions).all(axis=1)))
        # Length and direction change as the map does at its middle; a search by words asks for neither.
        scale = np.sqrt(np.abs(np.linalg.det(back[:2, :2])))
        turn = np.arctan2(back[1, 0] - back[0, 1], back[0, 0] + back[1, 1])
        chosen = photo.select(rows)
        parts.append(
            replace(
                chosen,
                positions=positions[rows].astype(np.float32),
                scales=(chosen.scales * scale).astype(np.float32),
                angles=(chosen.angles + turn).astype(np.float32),
                shapes=None,
            )
        )
    return LocalFeatures.joined(parts)
