"""
Single kernels, for tests and benchmarks.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['best_u8', 'encode_u8', 'filter_f32', 'filter_u8', 'inner_product', 'squared_l2']
def best_u8(arg0: typing.Any, arg1: typing.Any, arg2: typing.Any) -> numpy.typing.NDArray[numpy.int32]:
    ...
def encode_u8(arg0: typing.Any, arg1: typing.Any, arg2: typing.SupportsFloat | typing.SupportsIndex) -> tuple[numpy.typing.NDArray[numpy.int8], numpy.typing.NDArray[numpy.float32]]:
    ...
def filter_f32(arg0: typing.Any, arg1: typing.SupportsInt | typing.SupportsIndex, arg2: typing.Any, arg3: typing.Any, arg4: typing.Any) -> numpy.typing.NDArray[numpy.uint32]:
    ...
def filter_u8(arg0: typing.Any, arg1: typing.Any, arg2: typing.Any, arg3: typing.Any) -> numpy.typing.NDArray[numpy.uint32]:
    ...
def inner_product(arg0: typing.Any, arg1: typing.Any) -> float:
    ...
def squared_l2(arg0: typing.Any, arg1: typing.Any) -> float:
    ...
