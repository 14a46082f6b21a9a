"""Ways to join the similarities of a gallery's engines, beside the best engine alone, on real photos.

    python -m benchmarks.gallery.fusion GALLERY

GALLERY: of the 898 database photos, or some of them, by asmk, tembedding, colour and cnn. Each of the 82 queries is
compared with every photo by each engine; a way makes one similarity of the four, and no second look follows. *mAP*: by
Oxford's trapezoid rule, junk removed. *margin*: over twenty halves (ten cuts of the objects), mAP less that of the best
engine alone on the same half: the mean, and the least.

What a way learns it learns from the gallery's photos, without labels: *noise* is what unlike photos have in common, of
all pairs or of all photos with the query (median and deviation by the median of deviations); *by chance* is −log of the
share of unlike pairs that are as similar, exponential beyond .95; *by ranks* the sum of 1 / (1 + rank).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import kinfold as kf
from benchmarks import data
from benchmarks.measure import heading, row
from kinfold.base.ranking import Ranking
from kinfold.evaluate import GroundTruth, evaluate

PHOTOS = data.SHARED / "photos"
# What engines propose for themselves, and with one voice for both that look at local features.
SHARES = {"asmk": 0.85, "tembedding": 0.3, "colour": 0.15, "cnn": 0.85}
ONE_VOICE = {**SHARES, "asmk": 0.85 * 0.85 / 1.15, "tembedding": 0.3 * 0.85 / 1.15}
CUTS, ASKED = 10, 200
Scores = dict[str, NDArray[np.float64]]
Way = Callable[[Scores], NDArray[np.float64]]


class Compared:
    """Each engine's similarities: of queries with all photos, and of some of the photos with all."""

    def __init__(self, gallery: kf.Gallery) -> None:
        self.gallery, self.fused = gallery, gallery.parts.fused
        model = self.fused.model
        self.engine, self.lists = model.lists["asmk"], self.fused.lists["asmk"]
        self.half = self.engine.half
        vectors = self.fused.index.reconstruct(self.fused.ids)
        segment = gallery._reader.segments.get(gallery.photos[0].segment)
        one = segment.select(np.arange(len(segment)) < 1)
        self.places, at = {}, 0
        for name, engine in model._vectors.items():
            width = engine.vectors(one).shape[1]
            self.places[name], at = slice(at, at + width), at + width
        self.shares = {name: model.shares[name] for name in self.places}
        self.base = {name: self._part(vectors, name) for name in self.places}

    def _part(self, vectors: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        return vectors[..., self.places[name]] / np.float32(self.shares[name] ** 0.5)

    def of(self, vectors: NDArray[np.float32], features: list) -> Scores:
        """The similarities of photos by their vectors and local features, (q, n) an engine."""
        scores = {name: self._part(vectors, name) @ base.T for name, base in self.base.items()}
        asked = [self.engine.scores(self.lists, self.engine.asked(one, {})) for one in features]
        return {
            name: part.astype(np.float64)
            for name, part in (*scores.items(), ("asmk", np.stack(asked)))
        }


def above(similarities: NDArray[np.float64], noise: object, half: float) -> NDArray[np.float64]:
    """What lies above the noise, from 0 to 1."""
    rest = np.maximum(similarities - noise, 0)
    return rest / (rest + half)


def joined(
    scores: Scores, asmk: NDArray[np.float64], shares: dict[str, float] = SHARES
) -> NDArray[np.float64]:
    """By shares, with something in the place of ASMK's similarity."""
    return shares["asmk"] * asmk + sum(
        share * scores[name] for name, share in shares.items() if name != "asmk"
    )


def ways(unlike: Scores, half: float) -> dict[str, Way]:
    """What is compared. unlike : similarities of pairs of the gallery, any engine (m,)"""
    middle = float(np.median(unlike["asmk"]))
    spread = 1.4826 * float(np.median(np.abs(unlike["asmk"] - middle)))

    def own(scores: Scores, times: float) -> NDArray[np.float64]:
        typical = np.median(scores["asmk"], axis=1, keepdims=True)
        far = 1.4826 * np.median(np.abs(scores["asmk"] - typical), axis=1, keepdims=True)
        return joined(scores, above(scores["asmk"], typical + times * far, half))

    def chance(scores: Scores) -> NDArray[np.float64]:
        total = 0.0
        for name, values in scores.items():
            shares = np.linspace(0, 0.95, 96)
            steps = np.quantile(unlike[name], shares)
            fall = (np.quantile(unlike[name], 0.99) - steps[-1]) / np.log(5)
            beyond = -np.log(0.05) + (values - steps[-1]) / fall
            total = total + np.where(
                values > steps[-1], beyond, np.interp(values, steps, -np.log(1 - shares))
            )
        return total

    def ranks(scores: Scores) -> NDArray[np.float64]:
        return sum(1 / (1 + np.argsort(np.argsort(-v, axis=1), axis=1)) for v in scores.values())

    found: dict[str, Way] = {name: lambda s, name=name: s[name] for name in SHARES}
    for title, shares in (("each its own share", SHARES), ("one voice", ONE_VOICE)):
        found[f"asmk+tembedding+colour, {title}"] = lambda s, w=shares: joined(
            {**s, "cnn": 0 * s["cnn"]}, above(s["asmk"], 0, half), w
        )
        found[f"all, {title}"] = lambda s, w=shares: joined(s, above(s["asmk"], 0, half), w)
    for times in (0, 2, 3, 4):
        found[f"above the noise of all pairs + {times} deviations"] = lambda s, t=times: joined(
            s, above(s["asmk"], middle + t * spread, half)
        )
        found[f"above the query's own noise + {times}"] = lambda s, t=times: own(s, t)
        found[f"the same without cnn, + {times}"] = lambda s, t=times: own(
            {**s, "cnn": 0 * s["cnn"]}, t
        )
    found["without asmk"] = lambda s: joined(s, 0 * s["asmk"])
    found["by chance, Fisher's sum"] = chance
    found["by ranks"] = ranks
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gallery")
    options = parser.parse_args()
    truth = GroundTruth.from_json(PHOTOS / "ground_truth.json")
    objects = np.array(json.loads((PHOTOS / "ground_truth.json").read_text())["qgroup"])
    with kf.Gallery.open(options.gallery) as gallery:
        compared = Compared(gallery)
        queries = [
            gallery.describe(PHOTOS / "jpg" / f"{name}.jpg", box=known.get("bbx"))
            for name, known in zip(truth.qimlist, truth.gnd)
        ]
        ids = compared.fused.ids
        scores = compared.of(np.stack([q.vector for q in queries]), [q.features for q in queries])
        some = np.sort(
            np.random.default_rng(0).choice(len(ids), min(ASKED, len(ids)), replace=False)
        )
        vectors = compared.fused.index.reconstruct(ids[some])
        pairs = compared.of(vectors, [gallery.features(int(i)) for i in ids[some]])
        place = {id: at for at, id in enumerate(gallery.ids_of(truth.imlist)) if id is not None}
    other = ids[some][:, None] != ids[None]
    unlike = {name: values[other] for name, values in pairs.items()}
    position = np.array([place[int(id)] for id in ids])

    def aps(way: Way) -> NDArray[np.float64]:
        order = np.argsort(-way(scores), axis=1, kind="stable")
        return np.asarray(
            evaluate(Ranking.from_ids(position[order]), truth, protocol="oxford").average_precision
        )

    things = sorted(set(objects.tolist()))
    halves = []
    for cut in range(CUTS):
        first = np.random.default_rng(cut).choice(things, len(things) // 2, replace=False)
        halves += [np.isin(objects, first), ~np.isin(objects, first)]
    judged = {name: aps(way) for name, way in ways(unlike, compared.half).items()}
    best = [max(judged[name][half].mean() for name in SHARES) for half in halves]
    print(heading(["way", "mAP", "margin", "least"]))
    for name, values in judged.items():
        margins = [values[half].mean() - most for half, most in zip(halves, best)]
        cells = [name, f"{values.mean():.4f}", f"{np.mean(margins):+.4f}", f"{min(margins):+.4f}"]
        print(row(cells))


if __name__ == "__main__":
    main()
