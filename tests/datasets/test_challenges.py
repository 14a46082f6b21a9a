from __future__ import annotations

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
from kinfold.datasets.challenges import CHALLENGES, render_challenges
from kinfold.evaluate import GroundTruth

SIZE = (160, 120)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("challenges")
    options = {"scenes": 2, "photos": 2, "distractors": 3, "size": SIZE, "verbose": False}
    return folder, render_challenges(folder, **options)


def test_each_has_its_own_photos_and_the_others_are_junk(made) -> None:
    folder, truths = made
    assert list(truths) == list(CHALLENGES)
    for name, truth in truths.items():
        checked = GroundTruth.from_dict(truth)
        assert len(checked.imlist) == 2 * 2 * len(CHALLENGES) + 3 and len(checked) == 2
        for n, (query, entry) in enumerate(zip(checked.qimlist, checked.gnd)):
            scene = n + 2 * (name == "texture")
            assert query == f"query{scene:03d}"
            assert [truth["imlist"][row] for row in entry["ok"]] == [
                f"{name}{scene:03d}_{i}" for i in range(2)
            ]
            junk = {truth["imlist"][row] for row in entry["junk"]}
            others = (
                [] if name == "texture" else [k for k in CHALLENGES if k not in (name, "texture")]
            )
            assert junk == {f"{k}{scene:03d}_{i}" for k in others for i in range(2)}
        for photo in (*checked.imlist, *checked.qimlist):
            assert (folder / "jpg" / f"{photo}.jpg").is_file()


def test_night_is_dark_and_the_same_arguments_give_the_same(made, tmp_path) -> None:
    folder, truths = made
    light, dark = (
        cv2.imread(str(folder / "jpg" / f"{k}000_0.jpg")).mean() for k in ("none", "lighting")
    )
    assert dark < 0.6 * light
    again = render_challenges(tmp_path, scenes=2, photos=2, distractors=3, size=SIZE, verbose=False)
    assert again == truths
    name = "jpg/clutter001_1.jpg"
    assert np.array_equal(cv2.imread(str(folder / name)), cv2.imread(str(tmp_path / name)))


def test_arguments(tmp_path) -> None:
    with pytest.raises(ValueError, match="scenes"):
        render_challenges(tmp_path, scenes=0)
    with pytest.raises(ValueError, match="size: expected width and height"):
        render_challenges(tmp_path, size=5)
