"""
Inverted files of photos: bags of words and aggregates.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['ByPhoto', 'ByWord', 'Postings', 'aggregate', 'all_scores', 'best_scores', 'merge_postings', 'pack_postings', 'posting_rows']
class Postings:
    """
    Compressed posting lists by visual word.
    """
    def __init__(self, photos: typing.SupportsInt | typing.SupportsIndex, words: typing.Any, starts: typing.Any, offsets: typing.Any, bytes: typing.Any, signatures: typing.Any = None) -> None:
        ...
    def check(self) -> None:
        """
        Raise ValueError unless all lists are sound.
        """
    def holders(self, alive: typing.Any, k: typing.SupportsInt | typing.SupportsIndex) -> numpy.typing.NDArray[numpy.int64]:
        """
        How many living photos hold each word, int64 (k,).
        """
    def own_sums(self, weights: typing.Any, term: str, match: str, likeness: typing.Any = None, within: typing.SupportsInt | typing.SupportsIndex = 64) -> numpy.typing.NDArray[numpy.float64]:
        """
        The photos' products with themselves, or sums, float64.
        """
    def unpack(self) -> tuple[numpy.typing.NDArray[numpy.uint32], numpy.typing.NDArray[numpy.uint32], numpy.typing.NDArray[numpy.uint32], typing.Any]:
        """
        words, photos, counts, signatures or None of all postings, list by list.
        """
class ByPhoto:
    """
    What photos hold of visual words, photo by photo.
    """
    def __init__(self, words: typing.SupportsInt | typing.SupportsIndex, starts: typing.Any, word: typing.Any, parts: typing.Any) -> None:
        ...
    def totals(self, weights: typing.Any) -> numpy.typing.NDArray[numpy.float64]:
        """
        Sums of the weights of each photo's words.
        """
class ByWord:
    """
    What photos hold of visual words, word by word.
    """
    def __init__(self, photos: typing.SupportsInt | typing.SupportsIndex, starts: typing.Any, photo: typing.Any, parts: typing.Any) -> None:
        ...
    def best(self, more: ByPhoto, queries: ByPhoto, weights: typing.Any, table: typing.Any, alpha: typing.SupportsFloat | typing.SupportsIndex, tau: typing.SupportsFloat | typing.SupportsIndex, query_factor: typing.Any, factor: typing.Any, ids: typing.Any, alive: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
        """
        The k largest scores of each query, with their ids.
        """
    def by_photo(self) -> tuple[typing.Any, ...]:
        """
        Photo by photo: starts, word, parts.
        """
    def holders(self, more: ByPhoto, alive: typing.Any) -> numpy.typing.NDArray[numpy.int64]:
        """
        How many photos hold each word; of those that are alive, if that is told.
        """
    def merged(self, more: ByPhoto, number: typing.Any) -> tuple[typing.Any, ...]:
        """
        With more photos and without those that are dropped: starts, photo, parts. number uint32: of each photo that is kept, the new one; of others 2^32 - 1.
        """
    def scores(self, more: ByPhoto, queries: ByPhoto, weights: typing.Any, table: typing.Any, alpha: typing.SupportsFloat | typing.SupportsIndex, tau: typing.SupportsFloat | typing.SupportsIndex, query_factor: typing.Any, factor: typing.Any, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> numpy.typing.NDArray[numpy.float32]:
        """
        (queries, photos).
        """
    def totals(self, more: ByPhoto, weights: typing.Any) -> numpy.typing.NDArray[numpy.float64]:
        """
        Sums of the weights of each photo's words.
        """
def aggregate(x: typing.Any, starts: typing.Any, words: typing.Any, codebook: typing.Any, limits: typing.Any, signs: bool, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
    """
    What photos hold of their words: starts (photos + 1,), words uint32 (n,) ascending in each photo, parts (n, .).
    """
def all_scores(segments: list, queries: list, term: str, match: str, likeness: typing.Any = None, within: typing.SupportsInt | typing.SupportsIndex = 64, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> numpy.typing.NDArray[numpy.float32]:
    ...
def best_scores(segments: list, queries: list, term: str, match: str, likeness: typing.Any = None, within: typing.SupportsInt | typing.SupportsIndex = 64, k: typing.SupportsInt | typing.SupportsIndex = 10, threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64]]:
    ...
def merge_postings(segments: list) -> tuple[typing.Any, ...]:
    """
    Pairs of Postings and their photos' new rows (2**32 - 1: none) as the lists of one.
    """
def pack_postings(words: typing.Any, photos: typing.Any, counts: typing.Any, signatures: typing.Any = None) -> tuple[typing.Any, ...]:
    """
    Lists: words, starts, offsets, bytes, signatures or None.
    """
posting_rows: int = 131072
