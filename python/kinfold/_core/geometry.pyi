"""
Spatial verification.
"""
from __future__ import annotations
import typing
__all__: list[str] = ['verify_many']
def verify_many(query: tuple, photos: list, pairs: list, model: str = 'affine', coarse: typing.SupportsFloat | typing.SupportsIndex = 20.0, tolerance: typing.SupportsFloat | typing.SupportsIndex = 8.0, scale_factor: typing.SupportsFloat | typing.SupportsIndex = 2.5, use_angles: bool = True, refined: typing.SupportsInt | typing.SupportsIndex = 8) -> list:
    ...
