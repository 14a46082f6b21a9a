from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("PIL")
import trees

from kinfold.base.errors import FileFormatError
from kinfold.base.ranking import Ranking
from kinfold.datasets.holidays import holidays


def test_groups_follow_from_the_names(tmp_path) -> None:
    trees.holidays(tmp_path)
    h = holidays(tmp_path)
    assert h.truth.qimlist == ("100000", "100100") and len(h.files) == 5
    assert [entry["ok"].tolist() for entry in h.truth.gnd] == [[1, 2], [4]]
    result = h.evaluate(Ranking.from_ids([[0, 1, 3, 2, 4], [3, 0, 4, 1, 2]]))["holidays"]
    assert np.allclose(result.average_precision, [(1 + (1 / 2 + 2 / 3) / 2) / 2, (0 + 1 / 2) / 2])


def test_the_published_list_decides_what_belongs_to_it(tmp_path) -> None:
    trees.holidays(tmp_path)
    (tmp_path / "holidays_images.dat").write_text(
        "100000.jpg\n100001.jpg\n100100.jpg\n100101.jpg\n"
    )
    assert holidays(tmp_path).truth.imlist == ("100000", "100001", "100100", "100101")
    (tmp_path / "holidays_images.dat").write_text("100000.jpg\n100099.jpg\n")
    with pytest.raises(
        FileNotFoundError, match="put the photos of jpg1.*1 photos are missing, such as 100099"
    ):
        holidays(tmp_path)
    (tmp_path / "holidays_images.dat").write_text("holiday.jpg\n")
    with pytest.raises(FileFormatError, match="six digits"):
        holidays(tmp_path)


def test_rotations(tmp_path) -> None:
    trees.holidays(tmp_path)
    list_ = tmp_path / "rotations.txt"
    list_.write_text("100001.jpg 90\n100100, 270\n\n100101 180\n")
    plain, turned = holidays(tmp_path), holidays(tmp_path, rotations=list_)
    assert (plain.name, turned.name) == ("holidays", "holidays-rotated")
    a, b = list(plain.photos()), list(turned.photos())
    assert np.array_equal(b[0], a[0])
    assert np.array_equal(b[1], np.rot90(a[1], -1)) and np.array_equal(b[3], np.rot90(a[3], 1))
    assert np.array_equal(b[4], a[4][::-1, ::-1])
    for bad in ("100001 45", "100001", "999999 90"):
        list_.write_text(bad)
        with pytest.raises(FileFormatError, match="line 1: expected a photo's name and 90"):
            holidays(tmp_path, rotations=list_)


def test_missing(tmp_path) -> None:
    with pytest.raises(
        FileNotFoundError, match="put the photos of jpg1.tar.gz and jpg2.tar.gz into"
    ):
        holidays(tmp_path)


def test_the_published_groups(shared, tmp_path) -> None:
    expected = json.loads((shared / "data" / "holidays" / "ground_truth.json").read_text())
    (tmp_path / "jpg").mkdir()
    for name in expected["imlist"]:
        (tmp_path / "jpg" / f"{name}.jpg").touch()
    truth = holidays(tmp_path).truth
    assert (len(truth.imlist), len(truth)) == (1491, 500)
    assert truth.qimlist == tuple(expected["qimlist"])
    assert [g["ok"].tolist() for g in truth.gnd] == [g["ok"] for g in expected["gnd"]]
    assert sum(len(g["ok"]) for g in truth.gnd) == 991


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "ascii"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lists_of_any_system(encoding, end, tmp_path) -> None:
    trees.holidays(tmp_path)
    (tmp_path / "holidays_images.dat").write_bytes(
        end.join(["100000.jpg", "100001.jpg", ""]).encode(encoding)
    )
    (tmp_path / "turns.txt").write_bytes(end.join(["100001 90", ""]).encode(encoding))
    found = holidays(tmp_path, rotations=tmp_path / "turns.txt")
    assert found.truth.imlist == ("100000", "100001") and found.turns == {"100001": 1}
