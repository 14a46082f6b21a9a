"""What an adapter learnt from verified pairs adds to a whitening: mAP on the real photos, and on COIL-20's objects.

    python -m benchmarks.learn.adapter [--networks mobilenet_v2 squeezenet1_1] [--seeds 0 1 2 3 4] [--labels]

Descriptors are those of a gallery: GeM, 640 pixels, three scales. Pairs are those that geometry confirms among the 20
nearest of each photo, without labels.

own     learnt on the database, and searched in it: a user's own gallery. Queries, cropped to their boxes, are no part
        of it. Their objects are cut in halves at random, for each seed: the strength of the pull that is best for one
        half is reported on the other, both ways round; "default" is one strength for all
others  objects are cut in two halves at random: learnt on one, whose distractors are searched in, too; the queries of
        the other search. Both ways round. Settings were looked at on cuts 100 to 102

The spread is over seeds and ways. Lw: whitening learnt from the same pairs. --labels: pairs by labels as well, for what
better pairs would add.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import kinfold as kf
from benchmarks.learn.described import NETWORKS, Described, described
from benchmarks.learn.halves import Cut, cuts
from kinfold.gallery.engines.base import learn_whitening, whitened
from kinfold.transform.normalize import l2_normalize

STRENGTHS = (3.0, 10.0, 30.0)


def own(data: Described, seeds: list[int]) -> None:
    """Learnt on the database; each query once for each way, halves of the objects after that."""
    everything, gnd = np.arange(len(data.truth["imlist"])), data.truth["gnd"]
    cut = Cut(
        everything, everything, everything, np.arange(len(gnd)), [e["ok"] for e in gnd], [e["junk"] for e in gnd]
    )  # fmt: skip
    precisions, coil, seconds = {}, {}, {}
    for name, vectors, spent in ways(data, cut, 0, STRENGTHS):
        precisions[name], coil[name] = (
            data.precisions(cut, vectors),
            data.mean_ap_of_others(vectors),
        )
        seconds[name] = spent
    objects = np.array(data.truth["qgroup"])
    things = np.unique(objects)
    base = precisions["whitening"]
    for name, found in precisions.items():
        gain = found - base
        by_thing = np.array([gain[objects == thing].mean() for thing in things])
        draws = np.random.default_rng(0).integers(0, len(things), (2000, len(things)))
        low, high = np.percentile(by_thing[draws].mean(axis=1), [2.5, 97.5])
        print(
            f"  own     {name:14} mAP {found.mean():.4f}  {gain.mean():+.4f}, by objects 95 % [{low:+.3f}, {high:+.3f}]"
            f"  COIL-20 {coil[name]:.4f} {coil[name] - coil['whitening']:+.4f}  {seconds[name]:5.1f} s",
            flush=True,
        )
    rows = []
    for seed in seeds:
        side = np.isin(objects, np.random.default_rng(seed).permutation(things)[: len(things) // 2])
        for looked_at, judged in ((side, ~side), (~side, side)):
            best = max(STRENGTHS, key=lambda s: precisions[f"adapter {s:g}"][looked_at].mean())
            chosen = precisions[f"adapter {best:g}"]
            rows.append([(chosen - other)[judged].mean() for other in (base, precisions["raw"])])
    for name, gains in zip(("whitening", "raw"), np.transpose(rows)):
        told = f"{gains.mean():+.4f} ± {gains.std(ddof=1):.4f} over {name} ({len(gains)})"
        print(f"  own     chosen on one half, on the other: {told}")


def others(data: Described, seeds: list[int], labels: bool) -> None:
    """Both ways round of each cut."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for seed in seeds:
        for cut in cuts(data.truth, seed, all_distractors=True):
            for name, vectors, _ in ways(data, cut, seed, (None,), labels=labels):
                found[name].append((data.precisions(cut, vectors).mean(), data.mean_ap_of_others(vectors)))  # fmt: skip
    base = np.array(found["whitening"])
    for name, rows in found.items():
        (map_, coil), gains = np.mean(rows, axis=0), np.array(rows) - base
        gain, spread = gains.mean(axis=0), gains.std(axis=0, ddof=1)
        print(
            f"  others  {name:14} mAP {map_:.4f}  {gain[0]:+.4f} ± {spread[0]:.4f}  COIL-20 {coil:.4f} "
            f"{gain[1]:+.4f}  ({len(rows)})",
            flush=True,
        )


def ways(
    data: Described, cut: Cut, seed: int, strengths: Any, *, labels: bool = False
) -> Iterator[tuple[str, Any, float]]:
    """What is compared: name, a function of descriptors to vectors of length one, seconds of learning."""
    x, pairs = data.photos[cut.learnt], data.confirmed(cut)
    yield "raw", lambda z: z, 0.0
    whitening = learn_whitening(x, 256, 0.25)
    yield "whitening", lambda z: whitened(z, whitening), 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few pairs
        lw = kf.LearnedWhitening(256, shrinkage=0.3).fit(x, pairs)
    yield "Lw", lambda z: l2_normalize(lw.transform(z)), 0.0
    todo = [("adapter" if s is None else f"adapter {s:g}", pairs, s) for s in strengths]
    if labels:
        a, b = np.nonzero(cut.labels[:, None] == cut.labels)
        todo.append(("labels", np.stack([a, b], axis=1)[a < b], None))
    for name, rows, strength in todo:
        given = {} if strength is None else {"strength": strength}
        began = time.process_time()
        adapter = kf.Adapter(256, seed=1000 * seed, verbose=False, **given).fit(x, rows)
        spent = time.process_time() - began
        yield name, lambda z, made=adapter: l2_normalize(made.transform(z)), spent


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--protocols", nargs="+", default=["own", "others"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--labels", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kf.set_threads(1)
    for network in options.networks:
        print(network)
        data = described(network)
        if "own" in options.protocols:
            own(data, options.seeds)
        if "others" in options.protocols:
            others(data, options.seeds, options.labels)


if __name__ == "__main__":
    main()
