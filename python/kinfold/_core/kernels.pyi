"""
Single kernels, for tests and benchmarks.
"""
from __future__ import annotations
import typing
__all__: list[str] = ['inner_product', 'squared_l2']
def inner_product(arg0: typing.Any, arg1: typing.Any) -> float:
    ...
def squared_l2(arg0: typing.Any, arg1: typing.Any) -> float:
    ...
