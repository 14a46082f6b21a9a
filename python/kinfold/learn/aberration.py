"""Patches without what a lens does to their colours, which would tell from where in the photo they are.

A lens focuses green at another size than red and blue: towards the corners colours part, and the direction in which
they do names the place. What is learnt from neighbouring patches would learn this and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_choice

Patches = NDArray[np.float32]
COLOURS = ("projection", "drop", "keep")
# Green against magenta, the axis along which colours part.
_AXIS = np.array([-1.0, 2.0, -1.0])
# B = I - a'a / aa'. Grey, and what is red against blue, stay as they are.
PROJECTION = (np.eye(3) - np.outer(_AXIS, _AXIS) / (_AXIS @ _AXIS)).astype(np.float32)
# What stands for a dropped colour: evenly from -1/2 to 1/2 of a grey level.
_NOISE = 0.5


def centred(patches: Any) -> Patches:
    """Patches (n, s, s, 3) less the mean of each of their colours: float32."""
    x = np.array(patches, np.float32)
    pixels = x.reshape(len(x), -1, 3)
    pixels -= np.full((1, pixels.shape[1]), 1 / pixels.shape[1], np.float32) @ pixels
    return x


def without_aberration(patches: Any, colour: str, random: np.random.Generator) -> Patches:
    """Patches centred, their colours hidden in one of three ways.

    patches : (n, s, s, 3) in grey levels from 0 to 255
    colour : "projection": what is green against magenta is taken out; "drop": one colour of each patch stays, at
        random, and noise below a grey level takes the place of the others; "keep": nothing is hidden
    Returns float32 (n, s, s, 3) in grey levels. Doersch, Gupta & Efros, ICCV 2015, section 3.1.
    """
    x = centred(patches)
    how = as_choice(colour, "colour", COLOURS)
    if how == "projection":
        return x @ PROJECTION
    if how == "drop":
        kept = np.eye(3, dtype=bool)[random.integers(3, size=len(x))][:, None, None, :]
        noise = random.random(x.shape, np.float32) - np.float32(_NOISE)
        return np.where(kept, x, noise)
    return x
