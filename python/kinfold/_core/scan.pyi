"""
Exhaustive scans.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['ExactScan', 'Growing', 'HammingScan', 'RegionScan', 'fit_bytes', 'second_look']
class Growing:
    """
    What is kept beside vectors that the caller keeps.
    """
    def __len__(self) -> int:
        ...
    def append(self, x: typing.Any, at: typing.SupportsInt | typing.SupportsIndex | None = None, earlier: typing.Any = None) -> None:
        """
        Puts vectors behind the first `at`, which are `earlier`, else behind all; all or nothing.
        """
class ExactScan(Growing):
    """
    Filters of exact search over vectors that the caller keeps.
    """
    def __init__(self, dim: typing.SupportsInt | typing.SupportsIndex, metric: str, shadow: bool = True) -> None:
        ...
    def range_search(self, base: typing.Any, queries: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, ids: typing.Any = None, alive: typing.Any = None, filter: str = 'auto', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
        ...
    def search(self, base: typing.Any, queries: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, ids: typing.Any = None, alive: typing.Any = None, filter: str = 'auto', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64]]:
        ...
    @property
    def counts(self) -> typing.Annotated[list[int], "FixedSize(4)"]:
        """
        Pairs looked at along directions, in bytes, in floats, canonically.
        """
    @property
    def has_head(self) -> bool:
        ...
    @property
    def shadow_bytes(self) -> int:
        ...
class HammingScan:
    """
    Search of binary codes.
    """
    def __init__(self, metric: str, words: typing.SupportsInt | typing.SupportsIndex, segments: list) -> None:
        ...
    def range_search(self, codes: typing.Any, radius: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[typing.Any, ...]:
        ...
    def search(self, codes: typing.Any, vectors: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, shortlist: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64], int]:
        ...
class RegionScan(Growing):
    """
    Filters of regional matching over vectors that the caller keeps.
    """
    def __init__(self, dim: typing.SupportsInt | typing.SupportsIndex, shadow: bool = True) -> None:
        ...
    def scores(self, vectors: typing.Any, starts: typing.Any, query: typing.Any, match: str = 'mean', chosen: typing.Any = None, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> numpy.typing.NDArray[numpy.float32]:
        ...
    def search(self, vectors: typing.Any, starts: typing.Any, query: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, match: str = 'mean', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64]]:
        ...
def fit_bytes(x: typing.Any, metric: str) -> tuple[typing.Any, ...]:
    """
    Centre and scale of 8-bit copies that filter.
    """
def second_look(metric: str, queries: typing.Any, vectors: typing.Any, centre: typing.Any, steps: typing.Any, starts: typing.Any, rows: typing.Any, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> numpy.typing.NDArray[numpy.float32]:
    """
    The distance of each query to the rows that are named for it, one after the other.
    """
