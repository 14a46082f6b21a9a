"""
Sparse neighbour graphs.
"""
from __future__ import annotations
import typing
__all__: list[str] = ['conjugate_gradient', 'path', 'random_walk', 'symmetrize']
def conjugate_gradient(starts: typing.Any, neighbours: typing.Any, weights: typing.Any, side_starts: typing.Any, side_ids: typing.Any, side_values: typing.Any, alpha: typing.SupportsFloat | typing.SupportsIndex, iterations: typing.SupportsInt | typing.SupportsIndex, tolerance: typing.SupportsFloat | typing.SupportsIndex, start: typing.Any = None) -> tuple[typing.Any, ...]:
    ...
def path(starts: typing.Any, neighbours: typing.Any, weights: typing.Any, source_ids: typing.Any, source_weights: typing.Any, target: typing.SupportsInt | typing.SupportsIndex, kind: str, gamma: typing.SupportsFloat | typing.SupportsIndex) -> tuple[typing.Any, ...]:
    ...
def random_walk(starts: typing.Any, neighbours: typing.Any, weights: typing.Any, side_starts: typing.Any, side_ids: typing.Any, side_values: typing.Any, alpha: typing.SupportsFloat | typing.SupportsIndex, iterations: typing.SupportsInt | typing.SupportsIndex, tolerance: typing.SupportsFloat | typing.SupportsIndex, start: typing.Any = None) -> tuple[typing.Any, ...]:
    ...
def symmetrize(ids: typing.Any, weights: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, reciprocal: bool) -> tuple[typing.Any, ...]:
    ...
