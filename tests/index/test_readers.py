"""Searches while another thread writes: every answer is that of one state between two changes."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import kinfold as kf

SPECS = [
    "Flat",
    "IVF4,Flat",
    "IVF4,SQ8",
    "PQ4",
    "IMI2x2,PQ4",
    "KDForest2",
    "LSH4x2",
    "LSH64",
    "LSH64,RFlat",
]
STEPS = 40


@pytest.mark.parametrize("spec", SPECS)
def test_readers_see_whole_states(spec: str, rng: np.random.Generator) -> None:
    d, block = 8, 50
    index = kf.index_factory(spec, d, verbose=False)
    index.train(rng.standard_normal((600, d)).astype(np.float32))
    x = rng.standard_normal((STEPS * block, d)).astype(np.float32)
    blocks = np.arange(STEPS * block).reshape(STEPS, block)
    index.add(x[blocks[0]], ids=blocks[0])
    written, failures, stop = [0], [], threading.Event()
    everything = {"nprobe": 64} if hasattr(index, "nprobe") else {}
    everything |= {"checks": 0} if hasattr(index, "checks") else {}

    def read(seed: int) -> None:
        queries = np.random.default_rng(seed).standard_normal((3, d)).astype(np.float32)
        try:
            while not stop.is_set():
                least = written[0]
                _, found = index.search(queries, 4 * block, **everything)
                most = written[0] + 1
                for row in found:
                    seen = set(row[row >= 0].tolist())
                    # Blocks come and go whole: 3 at a time, so an answer of all rows has 2 to 4 whole blocks.
                    whole = [b for b in range(STEPS) if seen & set(blocks[b].tolist())]
                    assert seen == set(blocks[whole].ravel().tolist())
                    assert whole == list(range(whole[0], whole[-1] + 1))
                    assert whole[-1] <= most and whole[-1] >= least
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for reader in readers:
        reader.start()
    try:
        for step in range(1, STEPS):
            index.add(x[blocks[step]], ids=blocks[step])
            written[0] = step
            if step >= 3:
                index.remove(blocks[step - 3])
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert not failures, failures[0]
    assert sorted(index.ids.tolist()) == blocks[-3:].ravel().tolist()
