"""How the rate falls while training goes on."""

from __future__ import annotations

import math

from kinfold.base.arrays import as_choice

SCHEDULES = ("exponential", "step", "cosine", "constant")


def rate_share(schedule: str, epoch: int, epochs: int, *, decay: float, step: int) -> float:
    """By what the first rate is multiplied in an epoch, from 0, of so many.

    exponential : decay^epoch
    step : decay^(epoch // step)
    cosine : from 1 along half a cosine towards 0, which it would reach after the last epoch (Loshchilov & Hutter,
        ICLR 2017, eq. 5, without restarts)
    constant : 1
    """
    name = as_choice(schedule, "schedule", SCHEDULES)
    if name == "exponential":
        return decay**epoch
    if name == "step":
        return decay ** (epoch // step)
    if name == "cosine":
        return (1 + math.cos(math.pi * epoch / epochs)) / 2
    return 1.0
