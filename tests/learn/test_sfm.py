from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")
from small import small, stripes

from kinfold.learn.covisible import CoVisible
from kinfold.learn.sfm import finetune_sfm, whitening_of
from kinfold.transform.learned_whitening import LearnedWhitening


def seen_of(labels: np.ndarray) -> CoVisible:
    ends = np.column_stack(np.triu_indices(len(labels), 1))
    pairs = ends[labels[ends[:, 0]] == labels[ends[:, 1]]]
    ones = np.ones(len(pairs))
    return CoVisible(labels, pairs, ones.astype(int) * 50, np.full(len(labels), 60), ones)


def test_resumed_is_the_same_and_the_loss_falls(tmp_path) -> None:
    photos, labels = stripes([5, 4, 4])
    seen = seen_of(labels)
    options = {"k": 2, "rate": 3e-3, "seed": 2, "verbose": False, "batch": 3}
    whole, parts = small(), small()
    expected = finetune_sfm(whole, photos, seen, epochs=4, **options)
    finetune_sfm(small(), photos, seen, epochs=2, folder=tmp_path, **options)
    assert finetune_sfm(parts, photos, seen, epochs=4, folder=tmp_path, **options) == expected
    assert torch.equal(whole.features[0].weight, parts.features[0].weight)
    assert expected.epochs[-1].loss < 0.8 * expected.epochs[0].loss


def test_whitening_is_of_the_pairs_alone() -> None:
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    seen = seen_of(np.repeat(np.arange(6), 5))
    found = whitening_of(x, seen, dim=2)
    expected = LearnedWhitening(2).fit(x, seen.pairs)
    assert np.allclose(found.transform(x), expected.transform(x), atol=1e-4)
    differences = np.diff(whitening_of(x, seen).transform(x)[seen.pairs], axis=1)[:, 0]
    assert np.allclose(differences.T @ differences / len(differences), np.eye(3), atol=1e-4)
    # A photo of no cluster, however far, changes nothing.
    clusters, points = np.append(seen.clusters, -1), np.append(seen.points, 0)
    more = CoVisible(clusters, seen.pairs, seen.common, points, seen.scales)
    again = whitening_of(np.vstack([x, np.full((1, 3), 99.0, np.float32)]), more, dim=2)
    assert np.array_equal(again.projection, found.projection)


def test_arguments_are_checked() -> None:
    photos, labels = stripes([2, 2])
    with pytest.raises(ValueError, match="seen: expected what 3 photos see, got 4"):
        finetune_sfm(small(), photos[:3], seen_of(labels), epochs=1)
    with pytest.raises(ValueError, match="vectors: expected 4"):
        whitening_of(np.zeros((3, 2), np.float32), seen_of(labels))
    with pytest.raises(ValueError, match="clusters: expected two"):
        finetune_sfm(small(), photos, seen_of(np.zeros(4, int)), epochs=1)


@pytest.mark.slow
def test_buildings_that_were_not_learnt_are_found_better(tmp_path) -> None:
    """Without labels: rendered photos, matched by geometry, and others to judge by."""
    pytest.importorskip("cv2")
    from kinfold.datasets.synthetic import render_collection
    from kinfold.features.weights import random_network
    from kinfold.images.decode import decode
    from kinfold.landmarks.covisible import covisible
    from kinfold.learn.validation import describe_pooled, retrieval_score
    from kinfold.local.match_graph import MatchGraph
    from kinfold.local.sift import SIFT

    photos, labels = [], []
    for seed in (0, 1000):
        place = tmp_path / str(seed)
        render_collection(
            place, scenes=8, views=5, distractors=0, size=(240, 180), seed=seed, verbose=False
        )
        files = sorted(place.glob("jpg/*.jpg"))
        photos.append([decode(file).pixels for file in files])
        labels.append(np.array([int(file.stem[5:8]) for file in files]))
    sift = SIFT(max_features=600)
    features = [sift.extract(photo) for photo in photos[0]]
    n, sizes = len(features), np.full((len(features), 2), (240.0, 180.0))
    every = np.column_stack(np.triu_indices(n, 1))
    graph = MatchGraph(np.arange(n), sizes)
    seen = covisible(graph.extended(every, features.__getitem__, sizes, verbose=False))
    assert len(np.unique(seen.clusters)) > 5
    assert (labels[0][seen.pairs[:, 0]] == labels[0][seen.pairs[:, 1]]).all()
    network, score = (
        random_network("compact", 0),
        retrieval_score(describe_pooled(photos[1]), labels[1]),
    )
    before = score(network)
    finetune_sfm(network, photos[0], seen, epochs=4, rate=1e-3, statistics=True, verbose=False)
    assert score(network) > before + 0.01
