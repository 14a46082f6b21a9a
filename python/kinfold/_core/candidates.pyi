"""
Search among rows that a structure proposes.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['CandidateScan', 'Structure', 'build_forest']
class Structure:
    """
    What proposes rows to look at.
    """
    @staticmethod
    def forests(dim: typing.SupportsInt | typing.SupportsIndex, segments: list) -> Structure:
        ...
    @staticmethod
    def hash_tables(tables: typing.SupportsInt | typing.SupportsIndex, bits: typing.SupportsInt | typing.SupportsIndex, segments: list) -> Structure:
        ...
class CandidateScan:
    """
    Search among proposed rows.
    """
    def __init__(self, metric: str, scale: dict, structure: typing.Any, segments: list, largest_norm: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def range_search(self, queries: typing.Any, keys: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, checks: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[tuple, dict]:
        ...
    def search(self, queries: typing.Any, keys: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, checks: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64], dict]:
        ...
def build_forest(vectors: typing.Any, dim: typing.SupportsInt | typing.SupportsIndex, centre: typing.Any, steps: typing.Any, trees: typing.SupportsInt | typing.SupportsIndex, leaf: typing.SupportsInt | typing.SupportsIndex, among: typing.SupportsInt | typing.SupportsIndex, split: str, seed: typing.SupportsInt | typing.SupportsIndex) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.uint32]]:
    """
    Nodes, roots and row orders of randomized k-d trees.
    """
