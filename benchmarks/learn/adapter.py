"""What an adapter learnt from verified pairs adds to a whitening: mAP on the real photos, and on COIL-20's objects.

    python benchmarks/learn/adapter.py [--networks mobilenet_v2 squeezenet1_1] [--seeds 0 1 2 3 4]

Descriptors are those of a gallery: GeM, 640 pixels, three scales. Pairs are those that geometry confirms among the 20
nearest of each photo, without labels.

own     learnt on the database, and searched in it: a user's own gallery. Queries, cropped to their boxes, are no part
        of it. Settings were looked at on the queries of half of the objects; those of the others are reported
others  objects are cut in two halves at random: learnt on one, whose distractors are searched in, too; the queries of
        the other search. Both ways round. Settings were looked at on cuts 100 to 102

Each seed is another cut, and another choice of what is held out; the spread is over seeds (and ways). Lw: whitening
learnt from the same pairs. labels: pairs by labels instead, for what better pairs would add.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from described import NETWORKS, Described, described
from halves import Cut, cuts

import kinfold as kf
from kinfold.gallery.engines.base import learn_whitening, whitened
from kinfold.transform.normalize import l2_normalize


def own(data: Described, seed: int) -> Iterator[Cut]:
    """The whole database, and the queries of the objects that settings were not looked at on."""
    n, groups = len(data.truth["imlist"]), data.truth["qgroup"]
    things = sorted(set(groups))
    looked_at = np.random.default_rng(0).permutation(things)[: len(things) // 2]
    asked = np.flatnonzero(~np.isin(groups, looked_at))
    entries = [data.truth["gnd"][i] for i in asked]
    everything = np.arange(n)
    yield Cut(
        everything, everything, everything, asked, [e["ok"] for e in entries], [e["junk"] for e in entries]
    )  # fmt: skip


def others(data: Described, seed: int) -> Iterator[Cut]:
    """Both ways round of a cut."""
    yield from cuts(data.truth, seed, all_distractors=True)


def labelled(cut: Cut) -> Any:
    """Pairs by labels."""
    a, b = np.nonzero(cut.labels[:, None] == cut.labels)
    return np.stack([a, b], axis=1)[a < b]


def ways(data: Described, cut: Cut, seed: int, *, by_labels: bool) -> Iterator[tuple[str, Any, float]]:  # fmt: skip
    """What is compared: name, a function of descriptors to vectors of length one, seconds of learning."""
    x, pairs = data.photos[cut.learnt], data.confirmed(cut)
    yield "raw", lambda z: z, 0.0
    whitening = learn_whitening(x, 256, 0.25)
    yield "whitening", lambda z: whitened(z, whitening), 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few pairs
        lw = kf.LearnedWhitening(256, shrinkage=0.3).fit(x, pairs)
    yield "Lw", lambda z: l2_normalize(lw.transform(z)), 0.0
    for name, rows in [("adapter", pairs)] + [("labels", labelled(cut))] * by_labels:
        began = time.process_time()
        adapter = kf.Adapter(256, seed=1000 * seed, verbose=False).fit(x, rows)
        seconds = time.process_time() - began
        yield name, lambda z, made=adapter: l2_normalize(made.transform(z)), seconds


def compare(data: Described, seeds: list[int], protocol: Callable[..., Any]) -> None:
    """A line for each way: the mean, and the difference to whitening with its spread."""
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for seed in seeds:
        for cut in protocol(data, seed):
            for name, vectors, seconds in ways(data, cut, seed, by_labels=protocol is others):
                found[name].append((data.mean_ap(cut, vectors), data.mean_ap_of_others(vectors), seconds))  # fmt: skip
    base = np.array(found["whitening"])
    for name, rows in found.items():
        values = np.array(rows)
        gain = values - base
        print(
            f"  {protocol.__name__:7} {name:10} mAP {values[:, 0].mean():.4f}  "
            f"{gain[:, 0].mean():+.4f} ± {gain[:, 0].std(ddof=1):.4f}  COIL-20 {values[:, 1].mean():.4f} "
            f"{gain[:, 1].mean():+.4f}  {values[:, 2].mean():5.1f} s  ({len(values)})",
            flush=True,
        )


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=NETWORKS)
    parser.add_argument("--protocols", nargs="+", default=["own", "others"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    torch.set_num_threads(1)
    kf.set_threads(1)
    for network in options.networks:
        print(network)
        data = described(network)
        for protocol in (own, others):
            if protocol.__name__ in options.protocols:
                compare(data, options.seeds, protocol)


if __name__ == "__main__":
    main()
