from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

import kinfold.learn.patches as module
from kinfold.learn.patches import OFFSETS, Grid, PatchPairs

# Column by red, row by green: every pixel tells where it is.
RAMP = np.stack(
    [*np.meshgrid(np.arange(560) / 560 * 255, np.arange(420) / 420 * 255), np.zeros((420, 560))],
    axis=-1,
).astype(np.uint8)
SMALL = Grid(patch=16, gap=8, jitter=3)


def small(photos, **options) -> PatchPairs:
    return PatchPairs(photos, grid=SMALL, pixels=(6_000, 12_000), **options)


def test_positions_are_counted_row_by_row() -> None:
    expected = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    assert OFFSETS.tolist() == [list(offset) for offset in expected]


@pytest.mark.parametrize("grid", [Grid(), SMALL, Grid(patch=20, gap=1, jitter=0)])
def test_patches_never_touch_nor_leave_the_photo(grid, rng) -> None:
    for height, width in ((grid.side, grid.side), (grid.side + 1, grid.side + 60)):
        for _ in range(300):
            corners, positions = grid.draw(height, width, 8, rng)
            assert (corners >= 0).all() and (corners + grid.patch <= [height, width]).all()
            assert sorted(positions) == list(range(8))
            first, others = corners[0], corners[1:]
            apart = np.abs(others - first).max(axis=1) - grid.patch
            assert apart.min() >= grid.gap - 2 * grid.jitter > 0
            assert apart.max() <= grid.gap + 2 * grid.jitter
            # Where the other lies, told without knowing how it was drawn.
            told = np.round((others - first) / (grid.patch + grid.gap))
            assert (told == OFFSETS[positions]).all()


def test_the_first_patch_tells_nothing_of_the_position() -> None:
    rng = np.random.default_rng(0)
    drawn = [SMALL.draw(90, 120, 1, rng) for _ in range(8000)]
    positions = np.array([positions[0] for _, positions in drawn])
    centres = np.array([corners[0] for corners, _ in drawn], float)
    counts = np.bincount(positions, minlength=8)
    assert ((counts - 1000) ** 2 / 1000).sum() < 24.3, "chi-square of 7 degrees, one in a thousand"
    for position in range(8):
        mean = centres[positions == position].mean(axis=0)
        error = centres.std(axis=0) / counts[position] ** 0.5
        assert (np.abs(mean - centres.mean(axis=0)) < 4 * error).all()
    assert (np.ptp(centres, axis=0) >= np.array([90, 120]) - SMALL.side).all(), "it lies anywhere"


def test_patches_are_of_the_places_that_were_drawn(monkeypatch) -> None:
    """On a photo whose colours tell the place, the distance of two patches is a step of the grid."""
    # Centring would hide the place.
    monkeypatch.setattr(
        module, "without_aberration", lambda patches, *_: patches.astype(np.float32)
    )
    seen = []
    pairs = PatchPairs([RAMP], coarse=0)
    for batch in pairs.batches(0, count=64, batch=16):
        assert batch.patches.shape == (16, 2, 96, 96, 3) and batch.positions.shape == (16, 1)
        middle = batch.patches[:, :, 40:56, 40:56, 1::-1].mean(axis=(2, 3)) / 255  # row, column
        slope = np.diff(batch.patches[..., 48, [10, 85], 0], axis=-1)[..., 0] / 75 / 255
        width = 1 / slope.mean(axis=1)  # pixels of the photo at this time's size
        step = (middle[:, 1] - middle[:, 0]) * np.stack([width * 420 / 560, width], axis=1)
        assert np.abs(step - OFFSETS[batch.positions[:, 0]] * 144).max() < 14 + 8
        seen.append(width)
    widths = np.concatenate(seen)
    assert 525 < widths.min() < 570 and 720 < widths.max() < 800, "398 rows to 450,000 pixels"


def test_all_depends_on_seed_and_epoch_alone(rng) -> None:
    photos = [rng.integers(0, 256, (90, 120, 3), dtype=np.uint8) for _ in range(5)]

    def drawn(pairs: PatchPairs, epoch: int) -> bytes:
        return b"".join(
            part.tobytes() for b in pairs.batches(epoch, count=12, batch=4) for part in b
        )

    used = small(photos, seed=3)
    drawn(used, 0)
    assert drawn(used, 5) == drawn(small(photos, seed=3), 5)
    assert drawn(used, 5) != drawn(used, 6)
    assert drawn(used, 5) != drawn(small(photos, seed=4), 5)
    # Photos that do not fit into memory are decoded again: others each epoch, the same each time.
    poor = small(photos, seed=3, memory=100_000)
    drawn(poor, 0)
    assert drawn(poor, 5) == drawn(small(photos, seed=3, memory=100_000), 5)
    assert len(poor._kept) == 2


def test_neighbours_share_their_first_patch(rng) -> None:
    photos = [rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)]
    batches = list(small(photos, neighbours=4).batches(0, count=40, batch=18))
    assert [b.patches.shape[:2] for b in batches] == [(4, 5), (4, 5)], "whole batches of 16 pairs"
    for batch in batches:
        assert all(len(set(row)) == 4 for row in batch.positions.tolist())


def test_some_patches_are_coarse(rng, monkeypatch) -> None:
    photo = rng.integers(0, 256, (420, 420, 3), dtype=np.uint8)
    sides: list[int | None] = []
    cropped = module._cropped

    def noted(*arguments):
        sides.append(arguments[-1])
        return cropped(*arguments)

    monkeypatch.setattr(module, "_cropped", noted)
    for _ in PatchPairs([photo], colour="keep").batches(0, count=300, batch=50):
        pass
    coarse = [side for side in sides if side is not None]
    assert len(sides) == 600 and 150 < len(coarse) < 250
    assert 10 <= min(coarse) < 20 and 80 < max(coarse) < 96
    whole = Image.fromarray(photo)
    sharp, blurred = (
        cropped(whole, 50, 60, (1.0, 1.0), 96, side).astype(float) for side in (None, 10)
    )
    assert np.array_equal(sharp, photo[60:156, 50:146])
    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.05 * np.abs(np.diff(sharp, axis=0)).mean()


def test_files_and_what_is_of_no_use(tmp_path, rng) -> None:
    photo = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff no photo")
    tiny, narrow = np.zeros((30, 30, 3), np.uint8), np.zeros((90, 900, 3), np.uint8)
    pairs = small([tmp_path / "a.png", tmp_path / "b.jpg", tiny, narrow])
    (from_file,) = pairs.batches(0, count=4, batch=4)
    assert pairs.left_out.keys() == {1, 2, 3}
    assert pairs.left_out[2] == "30 x 30 pixels: expected 35 at least along either side"
    assert "too narrow" in pairs.left_out[3]
    (alone,) = small([photo, tiny, tiny, tiny]).batches(0, count=4, batch=4)
    assert from_file.patches.shape == alone.patches.shape
    with pytest.raises(ValueError, match="photos: none of 2 can be learnt from; one: 30 x 30"):
        next(small([tiny, tiny]).batches(0, count=4, batch=4))


def test_bad_choices() -> None:
    with pytest.raises(ValueError, match="photos: expected at least one"):
        PatchPairs([])
    with pytest.raises(ValueError, match="gap: expected a whole number at least 15"):
        Grid(gap=14)
    with pytest.raises(ValueError, match="pixels"):
        PatchPairs([RAMP], pixels=(1000, 20_000))
    with pytest.raises(ValueError, match="colour"):
        PatchPairs([RAMP], colour="grey")
    with pytest.raises(ValueError, match="neighbours"):
        PatchPairs([RAMP], neighbours=9)
    with pytest.raises(ValueError, match="photos: expected RGB pixels"):
        next(PatchPairs([np.zeros((500, 500))]).batches(0, count=1, batch=1))
