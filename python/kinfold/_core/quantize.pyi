"""
Clustering and codes.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['Clustering', 'descend', 'hadamard', 'linear']
class Clustering:
    """
    Points prepared once for many Lloyd iterations.
    """
    def __init__(self, points: typing.Any) -> None:
        ...
    def assign(self, centroids: typing.Any, warm: typing.Any = None) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32]]:
        ...
    def seed(self, k: typing.SupportsInt | typing.SupportsIndex, weights: typing.Any = None, seed: typing.SupportsInt | typing.SupportsIndex = 0) -> numpy.typing.NDArray[numpy.int64]:
        ...
    def update(self, labels: typing.Any, centroids: typing.Any) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64]]:
        ...
def descend(x: typing.Any, inner: typing.Any, leaves: typing.Any, branch: typing.SupportsInt | typing.SupportsIndex, paths: typing.SupportsInt | typing.SupportsIndex, k: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
    """
    The k nearest leaves of a tree of clusters among the children of the nearest nodes: distances and numbers.
    """
def hadamard(x: typing.Any, signs: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
    """
    Rounds of random signs and Walsh-Hadamard transforms: (n, d) to (n, blocks * size).
    """
def linear(x: typing.Any, shift: typing.Any, a: typing.Any, bias: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
    """
    (x - shift) a + bias; shift and bias may be None.
    """
