"""
Exhaustive scans.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['ExactScan']
class ExactScan:
    """
    Filters of exact search over vectors that the caller keeps.
    """
    def __init__(self, dim: typing.SupportsInt | typing.SupportsIndex, metric: str, shadow: bool = True) -> None:
        ...
    def __len__(self) -> int:
        ...
    def append(self, arg0: typing.Any) -> None:
        ...
    def range_search(self, base: typing.Any, queries: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, ids: typing.Any = None, alive: typing.Any = None, filter: str = 'auto', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64]]:
        ...
    def search(self, base: typing.Any, queries: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, ids: typing.Any = None, alive: typing.Any = None, filter: str = 'auto', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64]]:
        ...
    @property
    def shadow_bytes(self) -> int:
        ...
