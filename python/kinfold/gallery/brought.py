"""The engines that Kinfold brings: learnt on free photos once, so that a gallery answers before it has learnt.

``brought.npz`` holds them in few bits; ``benchmarks/gallery/brought.py`` makes it, and says of which photos.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import cast

import numpy as np

from kinfold.gallery.engines.base import BroughtEngine
from kinfold.gallery.model import Model
from kinfold.gallery.settings import Settings

FILE = Path(__file__).with_name("brought.npz")
# Galleries of so many photos take them. Of fewer, what is learnt on these very photos finds more (of 60 mAP .79 in
# place of .75, see benchmarks/RESULTS.md); of more, learning is a small part of the work.
BROUGHT_FOR = range(500, 5000)
# The settings that what is learnt depends on. The engines are brought for the defaults alone.
_LEARNT_BY = (
    "features", "max_side", "max_features", "contrast_threshold", "codewords", "colour_codewords", "visual_words",
    "centroids", "dim", "whitening", "seed",
)  # fmt: skip
# The names in the file of the parameters, as JSON, and of the scales of what is kept in whole numbers.
PARAMS, SCALE = "params", "scale."
# What is in it.
_ENGINES = ("asmk", "tembedding", "colour")


def brought_engines(settings: Settings) -> dict[str, BroughtEngine]:
    """Those of a gallery's engines that need not be learnt, by name."""
    default = Settings()
    if any(getattr(settings, name) != getattr(default, name) for name in _LEARNT_BY):
        return {}
    names = [name for name in settings.learnt_engines if name in _ENGINES]
    return {name: cast(BroughtEngine, brought().engines[name]) for name in names}


@functools.cache
def brought() -> Model:
    """The model that Kinfold brings. Its engines never change: several galleries may share them."""
    with np.load(FILE, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    params = json.loads(arrays.pop(PARAMS).tobytes())
    scales = {n[len(SCALE) :]: arrays.pop(n) for n in list(arrays) if n.startswith(SCALE)}
    for name, scale in scales.items():
        arrays[name] = arrays[name] * scale
    return Model.from_state(params, arrays)
