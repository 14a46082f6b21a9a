"""
Spatial verification.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['Coded', 'match_many', 'match_words', 'root_codes', 'verify_many']
class Coded:
    def __init__(self, codes: typing.Any, positions: typing.Any) -> None:
        ...
    def __len__(self) -> int:
        ...
def match_many(query: Coded, photos: list, ratio: typing.SupportsFloat | typing.SupportsIndex, mutual: bool) -> list:
    ...
def match_words(query: Coded, photos: list, query_words: typing.Any, photo_words: list, most: typing.SupportsInt | typing.SupportsIndex, ratio: typing.SupportsFloat | typing.SupportsIndex, mutual: bool) -> list:
    ...
def root_codes(descriptors: typing.Any, scale: typing.SupportsFloat | typing.SupportsIndex) -> numpy.typing.NDArray[numpy.uint8]:
    ...
def verify_many(query: tuple, photos: list, pairs: list, qualities: typing.Any = None, model: str = 'affine', coarse: typing.SupportsFloat | typing.SupportsIndex = 20.0, tolerance: typing.SupportsFloat | typing.SupportsIndex = 8.0, scale_factor: typing.SupportsFloat | typing.SupportsIndex = 2.5, use_angles: bool = True, mirrored: bool = False, refined: typing.SupportsInt | typing.SupportsIndex = 8, sampled: bool = False, seed: typing.SupportsInt | typing.SupportsIndex = 0, confidence: typing.SupportsFloat | typing.SupportsIndex = 0.99, samples: typing.SupportsInt | typing.SupportsIndex = 10000) -> list:
    ...
