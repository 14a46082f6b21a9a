from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from small import small, stripes

from kinfold.features.pool.rmac import RMAC
from kinfold.learn.descriptor import Descriptor
from kinfold.learn.proposals import maps_of
from kinfold.learn.regions import finetune_regions, whitened_regions
from kinfold.learn.validation import describe_pooled, retrieval_score
from kinfold.transform.pca import PCA


def test_it_begins_as_rmac_with_whitened_regions() -> None:
    """Regions of every photo by hand, PCA of these, R-MAC with it."""
    network, (photos, _) = small(), stripes([6, 6])
    pool = whitened_regions(network, photos, dim=5)
    seen = maps_of(network, layer=None, max_side=448)
    regions = []
    grid = RMAC().regions
    for photo in photos:
        regions.append(torch.nn.functional.normalize(grid(seen(photo, False))[0], dim=-1))
    whitening = PCA(5, whiten=True).fit(torch.cat(regions).numpy())
    maps = seen(photos[3], False)
    assert torch.allclose(pool(maps), RMAC(whitening=whitening)(maps), atol=2e-4)


def test_few_photos_keep_few_dimensions() -> None:
    network, (photos, _) = small(), stripes([2])
    assert whitened_regions(network, photos, levels=1).layer.out_features == 1
    assert whitened_regions(network, photos * 4).layer.out_features == 12
    with pytest.raises(ValueError, match="photos: expected two at least, got 1"):
        whitened_regions(network, photos[:1])


def test_photos_of_one_class_come_together() -> None:
    torch.set_num_threads(1)
    network, (photos, labels) = small(), stripes([10, 10, 10])
    unseen, theirs = stripes([8, 8, 8], seed=1)
    pool = whitened_regions(network, photos)
    first = {key: t.clone() for key, t in pool.state_dict().items()}
    score = retrieval_score(describe_pooled(unseen, pooling=pool), theirs)
    history = finetune_regions(
        network, pool, photos, labels, margin=0.5, triplets=24, negatives=2, batch=4, epochs=4,
        rate=0.01, optimiser="adam", validate=score, verbose=False,
    )  # fmt: skip
    after = history.epochs[history.best].score
    assert after > history.before + 0.1 and score(network) == pytest.approx(after)
    # Both were learnt: the layer too.
    assert any(not torch.equal(first[key], t) for key, t in pool.state_dict().items())


def test_killed_it_goes_on_to_the_same(tmp_path) -> None:
    torch.set_num_threads(1)
    photos, labels = stripes([4, 4])

    def trained(epochs: int, **options) -> dict:
        network = small()
        pool = whitened_regions(network, photos)
        finetune_regions(network, pool, photos, labels, epochs=epochs, triplets=4, batch=2, rate=0.02,
                         schedule="constant", verbose=False, **options)  # fmt: skip
        return Descriptor(network, pooling=pool).state_dict()

    whole = trained(2)
    trained(1, folder=tmp_path)
    again = trained(2, folder=tmp_path)
    assert all(torch.equal(whole[key], again[key]) for key in whole)


def test_negatives_are_the_nearest_of_other_classes() -> None:
    from kinfold.learn.regions import _triplets

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((30, 4)).astype(np.float32)
    labels = np.repeat(np.arange(10), 3)
    labels[-1] = 77  # alone: never asked for
    found = _triplets(labels, 12, 2, 30, 0)(lambda rows: vectors[rows], 0)
    assert len(found.queries) == 12 and 29 not in found.queries and 29 not in found.positives
    assert (labels[found.queries] == labels[found.positives]).all()
    for query, negatives in zip(found.queries, found.negatives):
        distance = ((vectors - vectors[query]) ** 2).sum(1)
        best: dict[int, int] = {}
        for row in np.argsort(distance):
            if labels[row] != labels[query]:
                best.setdefault(int(labels[row]), int(row))
        assert negatives.tolist() == list(best.values())[:2]
    # Of those described alone, where not all are.
    few = _triplets(labels, 12, 2, 8, 0)
    rows: list[int] = []
    part = few(lambda r: rows.extend(r.tolist()) or vectors[r], 0)
    assert set(part.queries) <= set(rows) and set(part.negatives.ravel()) <= {-1, *rows}


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_classes_that_teach_nothing(labels) -> None:
    network, (photos, _) = small(), stripes([3])
    pool = whitened_regions(network, photos)
    with pytest.raises(ValueError, match="labels: expected two classes at least"):
        finetune_regions(network, pool, photos, labels, epochs=1)
