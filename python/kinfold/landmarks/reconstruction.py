"""Points in three dimensions from verified matches, by COLMAP: what photos see in common, and from where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, as_count, as_ids
from kinfold.base.extras import require
from kinfold.learn.covisible import CoVisible
from kinfold.local.match_graph import MatchGraph

# A camera's focal length before it is estimated, of the longer side: COLMAP's own.
_FOCAL = 1.2
# Points that a pose needs at least: verified matches are fewer than those that COLMAP expects.
_LEAST_POSE = 12
# Two cameras see in common what their matches say.
_LEAST_CAMERAS = 3


@dataclass(frozen=True, eq=False)
class Model:
    """Cameras and points, up to a similarity of space.

    photos : int64 (r,), ascending
    centres : float64 (r, 3), of the cameras
    axes : float64 (r, 3, 3), right, down and forward of each
    focals : float64 (r,), in pixels of the upright originals
    points : float64 (p, 3)
    observed : int64 (o, 2), which of ``photos`` sees which point
    """

    photos: Ids
    centres: NDArray[np.float64]
    axes: NDArray[np.float64]
    focals: NDArray[np.float64]
    points: NDArray[np.float64]
    observed: Ids


def reconstruct(
    graph: MatchGraph, photos: Any, *, least_inliers: int = 12, seed: int = 0
) -> list[Model]:
    """The models of three photos at least, the largest first; none where their matches do not bear one.

    photos : int (r,), positions in the graph, such as a cluster
    least_inliers : of the pairs that are used
    Incremental structure from motion, Schonberger & Frahm, CVPR 2016, on the inliers of the graph's pairs; one camera
    for each photo, of unknown focal length. Raises MissingExtraError without the package pycolmap.
    """
    colmap = require("pycolmap")
    chosen = np.unique(as_ids(photos, "photos"))
    if len(chosen) and chosen[-1] >= len(graph):
        raise ValueError(f"photos: expected positions below {len(graph)}, got {chosen[-1]}")
    least = as_count(least_inliers, "least_inliers")
    rows = graph.confirmed(least)
    rows = rows[np.isin(graph.tried[rows], chosen).all(axis=1)]
    if not len(rows):
        return []
    with TemporaryDirectory(prefix="kinfold-") as folder, _silent(colmap):
        path = Path(folder) / "matches.db"
        _write(colmap, path, graph, rows)
        check = colmap.TwoViewGeometryOptions()
        check.min_num_inliers = least
        check.ransac.random_seed = as_count(seed, "seed", least=0)
        colmap.geometric_verification(path, two_view_geometry_options=check)
        (Path(folder) / "models").mkdir()
        found = colmap.incremental_mapping(
            path, folder, Path(folder) / "models", options=_options(colmap, least, seed)
        )
        models = [_model(one) for one in found.values()]
    models = [m for m in models if len(m.photos) >= _LEAST_CAMERAS and len(m.points) >= least]
    return sorted(models, key=lambda model: (-len(model.photos), -len(model.points)))


def covisible_points(seen: CoVisible, models: Sequence[Model], sizes: Any) -> CoVisible:
    """The same clusters, where models have been made with their points instead of matches.

    sizes : (n, 2), width and height of the photos. What a model's photos see in common are points of it; scales are
        those of these points, the median. Pairs with a photo that it lacks stay as they were.
    """
    longer = np.asarray(sizes, np.float64).max(axis=1)
    points, parts = seen.points.copy(), []
    kept = np.ones(len(seen.pairs), bool)
    done: set[int] = set()
    for model in models:
        # The first of two models of one photo is the larger.
        fresh = np.array([photo not in done for photo in model.photos.tolist()])
        done.update(model.photos.tolist())
        kept &= ~np.isin(seen.pairs, model.photos[fresh]).all(axis=1)
        parts.append(_pairs(model, fresh, longer, points))
    pairs = [seen.pairs[kept], *(part[0] for part in parts)]
    common = [seen.common[kept], *(part[1] for part in parts)]
    scales = [seen.scales[kept], *(part[2] for part in parts)]
    return CoVisible(
        seen.clusters, np.concatenate(pairs), np.concatenate(common), points, np.concatenate(scales),
        unsure=seen.unsure,
    )  # fmt: skip


def _pairs(
    model: Model, fresh: NDArray[np.bool_], longer: NDArray[np.float64], points: Ids
) -> tuple[Ids, Ids, NDArray[np.float64]]:
    """Pairs of a model's photos, points in common, and scales; how many each sees goes to ``points``."""
    sees = np.zeros((len(model.photos), len(model.points)), bool)
    sees[model.observed[:, 0], model.observed[:, 1]] = True
    places = np.flatnonzero(fresh)
    own = model.photos[places]
    points[own] = np.maximum(points[own], sees[places].sum(axis=1))
    away = model.points[None] - model.centres[:, None]
    depths = (away * model.axes[:, None, 2]).sum(axis=2)
    # How large a photo as a network takes it shows what lies at a point.
    size = (model.focals / longer[model.photos])[:, None] / np.maximum(depths, 1e-12)
    pairs, common, scales = [], [], []
    for at, a in enumerate(places.tolist()):
        for b in places[at + 1 :].tolist():
            both = sees[a] & sees[b]
            if both.any():
                pairs.append((model.photos[a], model.photos[b]))
                common.append(int(both.sum()))
                scales.append(float(np.median(size[b, both] / size[a, both])))
    return np.array(pairs, np.int64).reshape(-1, 2), np.array(common, np.int64), np.array(scales)


def _write(colmap: Any, path: Path, graph: MatchGraph, rows: Ids) -> None:
    """A database of the photos of some pairs, their features, and the pairs' matches."""
    tried = graph.tried[rows]
    number = {}
    with colmap.Database.open(path) as database:
        for photo in np.unique(tried).tolist():
            width, height = (round(side) for side in graph.sizes[photo])
            camera = colmap.Camera.create_from_model_name(
                0, "SIMPLE_RADIAL", _FOCAL * max(width, height), width, height
            )
            camera.camera_id = database.write_camera(camera)
            rig = colmap.Rig()
            rig.add_ref_sensor(camera.sensor_id)
            rig.rig_id = database.write_rig(rig)
            image = colmap.Image(name=str(photo), camera_id=camera.camera_id)
            image.image_id = number[photo] = database.write_image(image)
            frame = colmap.Frame()
            frame.rig_id = rig.rig_id
            frame.add_data_id(image.data_id)
            database.write_frame(frame)
        ends = [graph.points_of(row).reshape(-1, 2, 2) for row in rows.tolist()]
        own: dict[int, dict[Any, Ids]] = {}
        for photo in number:
            places = np.argwhere(tried == photo)
            parts = [ends[row][:, side] for row, side in places.tolist()]
            features, which = np.unique(np.concatenate(parts), axis=0, return_inverse=True)
            database.write_keypoints(number[photo], features.astype(np.float32))
            split = np.split(which.reshape(-1), np.cumsum([len(p) for p in parts])[:-1])
            own[photo] = dict(zip(map(tuple, places.tolist()), split))
        for row, (a, b) in enumerate(tried.tolist()):
            matches = np.column_stack([own[a][row, 0], own[b][row, 1]]).astype(np.uint32)
            database.write_matches(number[a], number[b], matches)


def _options(colmap: Any, least: int, seed: int) -> Any:
    """For few photos and few matches, on one thread: the same each time."""
    options = colmap.IncrementalPipelineOptions()
    options.min_num_matches, options.min_model_size = least, _LEAST_CAMERAS
    options.num_threads, options.random_seed, options.extract_colors = 1, seed, False
    options.mapper.init_min_num_inliers = 2 * least
    options.mapper.init_min_tri_angle = 4.0
    options.mapper.abs_pose_min_num_inliers = _LEAST_POSE
    return options


def _model(found: Any) -> Model:
    """What COLMAP gives, as arrays."""
    images = sorted((int(image.name), image) for image in found.images.values() if image.has_pose)
    known = {number: row for row, number in enumerate(sorted(found.points3D))}
    poses = [image.cam_from_world() for _, image in images]
    axes = np.stack([pose.rotation.matrix() for pose in poses])
    moved = np.stack([pose.translation for pose in poses])
    observed = [
        (row, known[point.point3D_id])
        for row, (_, image) in enumerate(images)
        for point in image.points2D
        if point.has_point3D()
    ]
    return Model(
        np.array([photo for photo, _ in images], np.int64),
        -np.einsum("rij,ri->rj", axes, moved),
        axes,
        np.array([image.camera.mean_focal_length() for _, image in images]),
        np.array([found.points3D[number].xyz for number in sorted(found.points3D)]).reshape(-1, 3),
        np.unique(np.array(observed, np.int64).reshape(-1, 2), axis=0),
    )


@contextmanager
def _silent(colmap: Any) -> Iterator[None]:
    """COLMAP without its reports of progress."""
    before = colmap.logging.minloglevel
    colmap.logging.minloglevel = int(colmap.logging.FATAL)
    try:
        yield
    finally:
        colmap.logging.minloglevel = before
