"""A file of clusters as published, and what is none."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from kinfold.base.errors import FileFormatError
from kinfold.io.foreign.clusters_pickle import read

LISTS = {"cids": ["a", "b", "c"], "cluster": [7, 7, 2], "qidxs": [0, 1], "pidxs": [1, 0]}


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("nested", [False, True])
def test_lists_and_arrays(tmp_path, protocol, nested) -> None:
    arrays = {key: np.array(part) if key != "cids" else part for key, part in LISTS.items()}
    for held in (LISTS, arrays):
        path = tmp_path / "clusters.pkl"
        value = {"train": held, "val": {**held, "cids": ["x"]}} if nested else held
        path.write_bytes(pickle.dumps(value, protocol))
        names, clusters, queries, positives = read(path)
        assert names == ["a", "b", "c"] and clusters.tolist() == [7, 7, 2]
        assert queries.tolist() == [0, 1] and positives.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"cids": ["a", "b"]}, "a cluster for each of 2 photos"),
        ({"cids": ["a", 1, "c"]}, "cids: expected a list of names"),
        ({"cluster": [7, 7, 2.5]}, "cluster: expected whole numbers"),
        ({"cluster": [7, 7, -1]}, "cluster: expected whole numbers"),
        ({"qidxs": [0]}, "a positive for each query"),
        ({"qidxs": [0, 3]}, "below 3"),
        ({"pidxs": [1, 2]}, "other photos of the queries' clusters"),
        ({"pidxs": [0, 1]}, "other photos of the queries' clusters"),
        ({"pidxs": 5}, "pidxs: expected whole numbers"),
        ({"pidxs": ["0", "1"]}, "pidxs: expected whole numbers"),
    ],
)
def test_what_cannot_be(tmp_path, changes, match) -> None:
    path = tmp_path / "clusters.pkl"
    path.write_bytes(pickle.dumps({**LISTS, **changes}))
    with pytest.raises(FileFormatError, match=match):
        read(path)


def test_nothing_is_run(tmp_path) -> None:
    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    path = tmp_path / "clusters.pkl"
    for value in ({**LISTS, "cids": Harm()}, {"train": Harm()}, [1]):
        path.write_bytes(pickle.dumps(value))
        with pytest.raises(FileFormatError):
            read(path)
    path.write_bytes(pickle.dumps({"train": {"cids": []}}))
    with pytest.raises(FileFormatError, match="expected cids, cluster"):
        read(path)
    assert not (tmp_path / "harm").exists()
