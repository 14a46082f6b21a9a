from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("PIL")
import trees

from kinfold.base.ranking import Ranking
from kinfold.datasets.revisited import roxford5k, rparis6k
from kinfold.images.decode import decode


@pytest.mark.parametrize(("name", "load"), [("roxford5k", roxford5k), ("rparis6k", rparis6k)])
def test_three_setups(name, load, tmp_path) -> None:
    trees.revisited(tmp_path, name)
    r = load(tmp_path)
    assert (r.name, len(r.files), len(r.query_files)) == (name, 5, 1)
    (crop,) = r.queries()
    assert np.array_equal(crop, decode(r.query_files[0]).pixels[2:12, 1:21])
    results = r.evaluate(Ranking.from_ids([[3, 0, 2, 1, 4]]))
    assert list(results) == ["revisited-easy", "revisited-medium", "revisited-hard"]
    # Easy: 3 0 with 1, 2, 4 ignored. Medium: 3 0 1 4. Hard: 3 1 4.
    assert np.isclose(results["revisited-easy"].map, (0 + 1 / 2) / 2)
    medium = ((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2 + (2 / 3 + 3 / 4) / 2) / 3
    assert np.isclose(results["revisited-medium"].map, medium)
    assert np.isclose(results["revisited-hard"].map, ((0 + 1 / 2) / 2 + (1 / 2 + 2 / 3) / 2) / 2)


def test_a_million_behind(tmp_path) -> None:
    trees.revisited(tmp_path)
    with pytest.raises(FileNotFoundError, match="put the distractors into .*revisitop1m"):
        roxford5k(tmp_path, distractors=True)
    for i, name in enumerate(("00/a.jpg", "01/a.jpg")):
        trees.photo(tmp_path / "revisitop1m" / "jpg" / name, i)
    (tmp_path / "revisitop1m" / "revisitop1m.txt").write_text("00/a.jpg\n01/a.jpg\n")
    r = roxford5k(tmp_path, distractors=True)
    assert r.name == "roxford5k+1m" and len(r.files) == len(r.truth.imlist) == 7
    assert r.truth.gnd[0]["hard"].tolist() == [1, 4]
    (tmp_path / "revisitop1m" / "revisitop1m.txt").write_text("00/b.jpg\n")
    with pytest.raises(FileNotFoundError, match=r"such as .*b\.jpg"):
        roxford5k(tmp_path, distractors=True)


def test_missing(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r"put the ground truth into .*gnd_roxford5k\.pkl"):
        roxford5k(tmp_path)
    trees.revisited(tmp_path)
    (tmp_path / "roxford5k" / "jpg" / "base_3.jpg").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"put the ground truth.*1 photos are missing, such as base_3"
    ):
        roxford5k(tmp_path)


def test_the_published_lists_judge_real_vectors(shared) -> None:
    """CaffeNet's vectors of Oxford5k by the revisited lists; the figures were worked out beside this package."""
    from kinfold.evaluate import GroundTruth, evaluate
    from kinfold.io.foreign import ground_truth_pickle
    from kinfold.io.vecs import read_vecs

    data = shared / "data"
    names = json.loads((data / "oxford5k" / "ground_truth.json").read_text())["imlist"]
    vectors = np.array(read_vecs(data / "oxford5k" / "caffenet_fc7_pca128.fvecs"))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    of = dict(zip(names, vectors))
    pickle = data / "revisited" / "gnd_roxford5k.pkl"
    truth = GroundTruth.from_dict(ground_truth_pickle.read(pickle))
    base, asked = (np.stack([of[name] for name in part]) for part in (truth.imlist, truth.qimlist))
    ranking = Ranking.from_scores(asked @ base.T)
    for setup, value, queries in (
        ("easy", 0.2889, 68),
        ("medium", 0.2113, 70),
        ("hard", 0.0460, 70),
    ):
        judged = evaluate(ranking, truth, protocol=f"revisited-{setup}")
        assert abs(judged.map - value) < 5e-5
        assert len(judged.queries) - judged.skipped == queries
