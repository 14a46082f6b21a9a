"""
Neighbour lists of a set.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['list_values', 'nn_descent', 'self_join']
def list_values(x: typing.Any, metric: str, ids: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
    ...
def nn_descent(x: typing.Any, metric: str, k: typing.SupportsInt | typing.SupportsIndex, seed: typing.SupportsInt | typing.SupportsIndex, probes: typing.SupportsInt | typing.SupportsIndex = 0, sample: typing.SupportsInt | typing.SupportsIndex = 20, recall: typing.SupportsFloat | typing.SupportsIndex = 0.98, rounds: typing.SupportsInt | typing.SupportsIndex = 12, least_change: typing.SupportsFloat | typing.SupportsIndex = 0.02) -> tuple[typing.Any, ...]:
    ...
def self_join(x: typing.Any, metric: str, k: typing.SupportsInt | typing.SupportsIndex, filter: str = 'auto', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
    ...
