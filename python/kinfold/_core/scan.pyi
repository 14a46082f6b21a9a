"""
Exhaustive scans, and scans of lists.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['CellScan', 'ExactScan', 'Growing', 'HammingScan', 'ProductCodec', 'RawCodec', 'RegionScan', 'Segment', 'fit_bytes', 'multi_sequence']
class Growing:
    """
    What is kept beside vectors that the caller keeps.
    """
    def __len__(self) -> int:
        ...
    def append(self, x: typing.Any, at: typing.SupportsInt | typing.SupportsIndex | None = None) -> None:
        """
        Puts vectors behind the first `at`, else behind all; all or nothing.
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
    def shadow_bytes(self) -> int:
        ...
class ProductCodec:
    """
    Product codes as lists are searched.
    """
    def __init__(self, metric: str, dim: typing.SupportsInt | typing.SupportsIndex, codebooks: typing.Any, residual: bool, middle: typing.Any, term_low: typing.SupportsFloat | typing.SupportsIndex, term_step: typing.SupportsFloat | typing.SupportsIndex, centre: typing.Any, scale: typing.SupportsFloat | typing.SupportsIndex, rotations: typing.Any = None, means: typing.Any = None, group: typing.Any = None, local_tables: bool = False) -> None:
        ...
class RawCodec:
    """
    Stored vectors with 8-bit copies as lists are searched.
    """
    def __init__(self, metric: str, centre: typing.Any, steps: typing.Any) -> None:
        ...
    def encode(self, x: typing.Any) -> tuple[typing.Any, ...]:
        """
        8-bit copies of vectors: blocks, bias, residual, radius, largest norm.
        """
    def pack(self, codes: typing.Any) -> tuple[typing.Any, ...]:
        """
        Vectors that are bytes: as encode gives them.
        """
class Segment:
    """
    Rows sorted by cell.
    """
    def __init__(self, n_cells: typing.SupportsInt | typing.SupportsIndex, cells: typing.Any, starts: typing.Any, ids: typing.Any, alive: typing.Any = None) -> None:
        ...
    def fine(self, vectors: typing.Any, centre: typing.Any = None, steps: typing.Any = None) -> None:
        ...
    def product(self, codes: typing.Any, width: typing.SupportsInt | typing.SupportsIndex, blocked: bool) -> None:
        ...
    def stored(self, raw: RawCodec, vectors: typing.Any, codes: typing.Any, bias: typing.Any, residual: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, largest_norm: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
class CellScan:
    """
    Search through lists.
    """
    def __init__(self, metric: str, dim: typing.SupportsInt | typing.SupportsIndex, centroids: typing.Any, multi: bool, coarse_scan: typing.Any, codec: typing.Any, segments: list) -> None:
        ...
    def probe(self, queries: typing.Any, nprobe: typing.SupportsInt | typing.SupportsIndex, budget: typing.SupportsInt | typing.SupportsIndex = 0, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32]]:
        ...
    def range_search(self, queries: typing.Any, original: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, nprobe: typing.SupportsInt | typing.SupportsIndex, budget: typing.SupportsInt | typing.SupportsIndex = 0, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[tuple, dict]:
        ...
    def search(self, queries: typing.Any, original: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, shortlist: typing.SupportsInt | typing.SupportsIndex, nprobe: typing.SupportsInt | typing.SupportsIndex, budget: typing.SupportsInt | typing.SupportsIndex = 0, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64], dict]:
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
def fit_bytes(x: typing.Any, metric: str) -> tuple[numpy.typing.NDArray[numpy.float32], float]:
    """
    Centre and scale of 8-bit copies that filter.
    """
def multi_sequence(left: typing.Any, right: typing.Any, most: typing.SupportsInt | typing.SupportsIndex) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32]]:
    """
    Pairs of two sequences by ascending sum: positions in both, sums.
    """
