"""
Geodesics and symmetric matrices.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['Symmetric', 'geodesics']
class Symmetric:
    def __init__(self, starts: typing.Any, columns: typing.Any, values: typing.Any) -> None:
        ...
    def factorize(self, shift: typing.SupportsFloat | typing.SupportsIndex, most: typing.SupportsInt | typing.SupportsIndex) -> bool:
        ...
    def multiply(self, x: typing.Any) -> numpy.typing.NDArray[numpy.float64]:
        ...
    def solve(self, x: typing.Any) -> numpy.typing.NDArray[numpy.float64]:
        ...
def geodesics(starts: typing.Any, neighbours: typing.Any, lengths: typing.Any, side_starts: typing.Any, side_ids: typing.Any, side_values: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
    ...
