"""Spatial verification: do the matched features of two photos move together?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import as_array, as_choice, as_count, as_number
from kinfold.base.extras import require
from kinfold.base.local_features import LocalFeatures
from kinfold.base.offered import call_by_name

MODELS = ("similarity", "affine", "homography")
HYPOTHESES = ("single", "sampled")


@dataclass(frozen=True)
class Verification:
    """What two photos agree on.

    inliers : number of correspondences that one map explains, each feature counted once
    matrix : float64 (3, 3), query pixels to photo pixels; zeros where there is none
    pairs : int64 (inliers, 2), rows of the query's and of the photo's features
    rejected : int64 (m, 2), the correspondences that the map does not explain
    """

    inliers: int
    matrix: NDArray[np.float64]
    pairs: NDArray[np.int64]
    rejected: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))


def verify(
    query: LocalFeatures, photo: LocalFeatures, correspondences: Any, **options: Any
) -> Verification:
    """Verify one photo; see verify_many."""
    return verify_many(query, [photo], [correspondences], **options)[0]


def verify_many(
    query: LocalFeatures,
    photos: Sequence[LocalFeatures],
    correspondences: Sequence[Any],
    *,
    model: str = "affine",
    hypotheses: str = "single",
    coarse_tolerance: float = 20.0,
    tolerance: float = 8.0,
    scale_factor: float = 2.5,
    use_angles: bool = True,
    mirrored: bool = False,
    refined: int = 8,
    seed: int = 0,
    confidence: float = 0.99,
    samples: int = 10_000,
    qualities: Sequence[Any] | None = None,
) -> list[Verification]:
    """Find the map that explains most correspondences between a query and each photo.

    Hypotheses that explain many are fitted to their inliers by least squares with tolerances shrinking from
    ``coarse_tolerance`` to ``tolerance`` (pixels, in both images). The same input gives the same answer, in any order
    of the correspondences and with any number of threads.

    correspondences : for each photo int64 (m, 2), rows of the query's and of the photo's features
    model : the most general map that is fitted
    hypotheses : "single": each correspondence proposes a similarity from the positions, scales and angles of its two
        features (an affine map where both photos' features have shapes), all are tried and the ``refined`` best are
        fitted; nothing is random. "sampled": random samples of as many correspondences as fix the model, 2, 3 or 4,
        for features without trustworthy scales and angles
    scale_factor : a correspondence's ratio of scales may differ from the map's by this factor; 1e6 for any
    use_angles : False for upright photos: hypotheses from single correspondences then do not rotate
    mirrored : find mirror images, and nothing else; see local.match.mirrored
    seed, confidence, samples : of "sampled": it stops when a sample without outliers has been drawn with this
        probability, after so many samples at most
    qualities : of "sampled": for each photo float (m,), higher for better correspondences, which are drawn first
    Source: Philbin, Chum, Isard, Sivic & Zisserman, CVPR 2007; Fischler & Bolles 1981; local optimisation: Chum, Matas
    & Kittler 2003; qualities: Chum & Matas, CVPR 2005.
    """
    as_choice(model, "model", MODELS)
    as_choice(hypotheses, "hypotheses", HYPOTHESES)
    if len(photos) != len(correspondences):
        raise ValueError(
            f"correspondences: expected one list for each of {len(photos)} photos, got {len(correspondences)}"
        )
    lists = [_pairs(pairs) for pairs in correspondences]
    results = _core.geometry.verify_many(
        _geometry(query), [_geometry(photo) for photo in photos], lists, _qualities(qualities, lists), model,
        as_number(coarse_tolerance, "coarse_tolerance", least=0.0, most=1e6, open=True),
        as_number(tolerance, "tolerance", least=0.0, most=1e6, open=True),
        as_number(scale_factor, "scale_factor", least=1.0, most=1e6), bool(use_angles), bool(mirrored),
        as_count(refined, "refined"), hypotheses == "sampled", as_count(seed, "seed", least=0, most=(1 << 64) - 1),
        as_number(confidence, "confidence", least=0.0, most=1 - 1e-12),
        as_count(samples, "samples", most=1 << 32),
    )  # fmt: skip
    return [Verification(len(pairs), matrix, pairs, others) for matrix, pairs, others in results]


def project(points: Any, matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Points (n, 2) under a map (3, 3); infinite beyond its horizon."""
    array = np.asarray(points, np.float64).reshape(-1, 2)
    image = np.column_stack([array, np.ones(len(array))]) @ np.asarray(matrix, np.float64).T
    weight = image[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 1e-9, image[:, :2] / weight, np.inf)


def outline(
    box: tuple[float, float, float, float], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The four corners of a box (x0, y0, x1, y1) of the query, in the photo: float64 (4, 2)."""
    x0, y0, x1, y1 = box
    return project([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], matrix)


def hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The convex hull of points (m, 2), its corners float64 (h, 2); none of none."""
    if not len(points):
        return points
    corners = require("cv2").convexHull(points.astype(np.float32))
    return np.asarray(corners, np.float64).reshape(-1, 2)


def _geometry(features: LocalFeatures) -> tuple[Any, Any, Any, Any]:
    """As the engine takes them, which looks at shapes and numbers."""
    parts = (features.positions, features.scales, features.angles, features.shapes)
    return tuple(x if x is None else np.ascontiguousarray(x, np.float32) for x in parts)  # type: ignore[return-value]


def _qualities(qualities: Sequence[Any] | None, lists: Sequence[Any]) -> list[Any] | None:
    if qualities is None:
        return None
    if len(qualities) != len(lists):
        raise ValueError(
            f"qualities: expected one list for each of {len(lists)} photos, got {len(qualities)}"
        )
    found = []
    for quality, pairs in zip(qualities, lists):
        array = np.ascontiguousarray(quality, np.float32)
        if array.shape != (len(pairs),) or np.isnan(array).any():
            raise ValueError(
                f"qualities: expected a number for each of {len(pairs)} correspondences, got shape {array.shape}"
            )
        found.append(array)
    return found


def _pairs(pairs: Any) -> NDArray[np.int64]:
    array = as_array(pairs, "correspondences") if np.size(pairs) else np.empty((0, 2), np.int64)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise ValueError(f"correspondences: expected whole numbers (m, 2), got shape {array.shape}")
    return np.ascontiguousarray(array, np.int64)


call_by_name(__name__)
