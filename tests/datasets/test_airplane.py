from __future__ import annotations

import numpy as np
import pytest

from kinfold.datasets.airplane import LIGHTINGS, airplane


@pytest.fixture(scope="module")
def views():
    return airplane(side=32)


def test_the_grid_of_poses(views) -> None:
    assert views.images.shape == (972, 32, 32) and views.images.dtype == np.uint8
    assert np.unique(views.azimuths).tolist() == list(range(0, 360, 20))
    assert np.unique(views.elevations).tolist() == list(range(30, 75, 5))
    assert np.unique(views.lightings).tolist() == list(range(6))
    poses = {*zip(views.azimuths, views.elevations, views.lightings)}
    assert len(poses) == 972 and not views.objects.any()


def test_no_two_azimuths_look_alike(views) -> None:
    """Also not after mirroring: the wings differ."""
    for elevation in (30, 70):
        chosen = views.chosen((views.elevations == elevation) & (views.lightings == 0)).images
        x = chosen.reshape(18, -1).astype(np.float64)
        mirrored = chosen[..., ::-1].reshape(18, -1).astype(np.float64)
        apart = np.linalg.norm(x[:, None] - x, axis=2) + 1e9 * np.eye(18)
        assert apart.min() > 200
        assert np.linalg.norm(x[:, None] - mirrored, axis=2).min() > 200


def test_it_is_whole_in_every_picture_and_light_changes_it_less_than_pose(views) -> None:
    edge = np.ones((32, 32), bool)
    edge[1:-1, 1:-1] = False
    assert np.ptp(views.images[:, edge]) == 0, "the background alone"
    grid = views.images.reshape(18, 9, 6, -1).astype(np.float64)
    by_light = grid.var(axis=2).sum(axis=-1).mean()
    by_pose = grid.mean(axis=2).reshape(-1, 32 * 32).var(axis=0).sum()
    assert 0.01 * by_pose < by_light < 0.5 * by_pose
    one = grid[2, 4]
    assert len(np.unique(one, axis=0)) == len(LIGHTINGS)


def test_the_same_in_every_call_and_of_any_size(views) -> None:
    assert np.array_equal(airplane(side=32).images, views.images)
    with pytest.raises(ValueError, match="side: expected a whole number from 8 to 1024"):
        airplane(side=4)
