"""
Scans of lists of codes.
"""
from __future__ import annotations
import typing
__all__: list[str] = ['Codec', 'Directory', 'ListSearch', 'Segment', 'multi_sequence']
class Codec:
    """
    What bytes stand for a vector, as lists are searched.
    """
    def __init__(self, name: str, metric: str, parts: dict) -> None:
        """
        name: one of codecs.def; parts: arrays and numbers that were learnt.
        """
    def pack(self, rows: dict) -> dict:
        """
        Rows as they are searched, by name.
        """
class Directory:
    """
    How many rows cells have.
    """
    def __init__(self, n_cells: typing.SupportsInt | typing.SupportsIndex, cells: typing.Any, starts: typing.Any) -> None:
        ...
class Segment:
    """
    Rows sorted by cell.
    """
    def __init__(self, n_cells: typing.SupportsInt | typing.SupportsIndex, cells: typing.Any, starts: typing.Any, ids: typing.Any, alive: typing.Any = None) -> None:
        ...
    def fine(self, vectors: typing.Any, centre: typing.Any = None, steps: typing.Any = None) -> None:
        ...
    def rows(self, codec: typing.Any, packed: dict) -> None:
        """
        What a codec packed of them.
        """
class ListSearch:
    """
    Search through lists.
    """
    def __init__(self, metric: str, dim: typing.SupportsInt | typing.SupportsIndex, centroids: typing.Any, multi: bool, coarse_scan: typing.Any, codec: typing.Any, segments: list) -> None:
        ...
    def probe(self, queries: typing.Any, nprobe: typing.SupportsInt | typing.SupportsIndex, budget: typing.SupportsInt | typing.SupportsIndex = 0, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
        ...
    def range_search(self, queries: typing.Any, original: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, nprobe: typing.SupportsInt | typing.SupportsIndex, budget: typing.SupportsInt | typing.SupportsIndex = 0, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None, counted: typing.Any = None) -> tuple[typing.Any, ...]:
        ...
    def search(self, queries: typing.Any, original: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, shortlist: typing.SupportsInt | typing.SupportsIndex, nprobe: typing.SupportsInt | typing.SupportsIndex, budget: typing.SupportsInt | typing.SupportsIndex = 0, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None, counted: typing.Any = None) -> tuple[typing.Any, ...]:
        ...
def multi_sequence(left: typing.Any, right: typing.Any, most: typing.SupportsInt | typing.SupportsIndex) -> tuple[typing.Any, ...]:
    """
    Pairs of two sequences by ascending sum: positions in both, sums.
    """
