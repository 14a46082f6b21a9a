"""How sure answers are: learnt from pairs of which nobody says which are which."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2")

from kinfold import Gallery
from kinfold.base.errors import FileFormatError
from kinfold.gallery.confidence import _BY_CHANCE, _OF_SAME, MOST_INLIERS, Confidence


def drawn(rng, n: int, odds: tuple[float, float] = (-7.0, 1.5)):
    """Pairs whose probability to be of one thing is known: similarity, inliers, probability, truth."""
    above = rng.gamma(2.0, 2.0, n)
    prior = 1 / (1 + np.exp(-odds[0] - odds[1] * above))
    same = rng.random(n) < prior
    chance, shared = (np.array(shares) / sum(shares) for shares in (_BY_CHANCE, _OF_SAME))
    inliers = np.where(
        same, rng.choice(MOST_INLIERS + 1, n, p=shared), rng.choice(MOST_INLIERS + 1, n, p=chance)
    )
    return 0.2 + 0.05 * above, inliers, prior, same


def learnt(rng, n: int = 4000) -> Confidence:
    similarities, inliers, _, _ = drawn(rng, n)
    _, by_chance, _, same = drawn(rng, 3000)
    unlike = rng.normal(0.2, 0.05, 20_000)
    return Confidence.learn(unlike, by_chance[~same], similarities, inliers, photos=100)


def test_it_is_calibrated_without_labels(rng) -> None:
    """What was drawn with a probability is told by about that probability, whatever geometry saw."""
    found = learnt(rng)
    assert found.mean == pytest.approx(0.2, abs=0.002) and found.deviation == pytest.approx(
        0.05, abs=0.002
    )
    similarities, inliers, prior, same = drawn(rng, 40_000)
    for seen in (inliers, np.full(len(inliers), np.nan)):
        sure = found.of(similarities, seen)
        place = np.minimum((10 * sure).astype(int), 9)
        gaps = [abs(sure[place == b].mean() - same[place == b].mean()) for b in range(10)]
        assert max(gaps) < 0.12
        counts = np.bincount(place, minlength=10) / len(place)
        assert float(counts @ gaps) < 0.02
    assert np.abs(found.of(similarities, np.full(len(prior), np.nan)) - prior).max() < 0.15


def test_more_is_never_less(rng) -> None:
    for one in (Confidence(), learnt(rng)):
        by_inliers = one.of(np.full(30, 0.3), np.arange(30))
        assert (np.diff(by_inliers) >= 0).all() and by_inliers[-1] > 0.99 > 0.2 > by_inliers[1]
        by_similarity = one.of(np.linspace(-1, 1, 30), np.full(30, 3))
        assert (np.diff(by_similarity) >= 0).all()


def test_nothing_to_learn_from_changes_little(rng) -> None:
    few = Confidence.learn(rng.normal(0, 0.1, 50), [1], [0.05, 0.1], [1, 2], photos=4)
    assert np.abs(few.weights - Confidence().weights).max() < 0.5
    assert repr(Confidence()) == "Confidence(mean=0, deviation=0.1, 0 photos)"
    flat = Confidence.learn([0.5] * 9, [1] * 9, [0.5] * 9, [1] * 9, photos=4)
    assert np.isfinite(flat.of([0.5, 0.9], [1, 20])).all()


def test_galleries_learn_keep_and_mend_it(indexed: Path, rendered: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(indexed, tmp_path / "g.kin"))
    with Gallery.open(path) as gallery:
        held = gallery.parts.confidence
        assert held.photos == len(gallery) and held.mean != Confidence().mean
        name = gallery.parts.manifest.parts["confidence"]
        gallery.update(rendered, verbose=False)
        assert gallery._store.read().parts["confidence"] == name
    (path / "parts" / name).write_bytes(b"damaged")
    with pytest.raises(FileFormatError, match="confidence"):
        Gallery.open(path).search(rendered / "scene0" / "view0.jpg")
    with Gallery.open(path) as gallery:
        changes = gallery.update(rendered, verbose=False)
        assert "how sure answers are: damaged or missing: learnt anew" in " ".join(changes.notes)
        again = gallery.parts.confidence
        assert (again.weights == held.weights).all() and (again.chance == held.chance).all()


def test_photos_are_confirmed_through_others(indexed: Path, rendered: Path, monkeypatch) -> None:
    """What the query alone does not confirm, a photo that it confirms does, along the graph."""
    from dataclasses import replace

    from kinfold.gallery import search
    from kinfold.gallery.confirm import confirmed
    from kinfold.gallery.verdict import Verdict

    with Gallery.open(indexed) as gallery:
        query = gallery.describe(rendered / "scene4" / "view0.jpg")
        ranked = gallery.rank(query, rerank="spatial").ranked
        snapshot = gallery._reader.snapshot
        [two] = gallery.ids_of(["scene4/view2.jpg"])
        none = replace(ranked.verified[two], inliers=2)
        ranked = replace(ranked, verified={**ranked.verified, two: none})
        ids = ranked.ids.tolist()
        inliers, through = confirmed(snapshot, ranked, ids)[two]
        assert inliers >= 6 and through in ids and through != two
        hit = next(h for h in search.hits(snapshot, query, ranked, 20) if h.id == two)
        assert hit.through == through and hit.verdict is Verdict.SAME_THING
        assert not hit.verified and hit.found
        assert {
            h.path.split("/")[0] for h in search.hits(snapshot, query, ranked, 20) if h.found
        } == {"scene4"}
