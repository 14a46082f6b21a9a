"""
Exhaustive scans, and scans of lists.
"""
from __future__ import annotations
import numpy
import numpy.typing
import typing
__all__: list[str] = ['ByPhoto', 'ByWord', 'CandidateScan', 'CellScan', 'ExactScan', 'Growing', 'HammingScan', 'Postings', 'ProductCodec', 'RawCodec', 'RegionScan', 'Segment', 'Structure', 'aggregate', 'all_scores', 'best_scores', 'build_forest', 'fit_bytes', 'list_values', 'merge_postings', 'multi_sequence', 'pack_postings', 'posting_rows', 'self_join']
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
    def __init__(self, raw: RawCodec, structure: typing.Any, segments: list, largest_norm: typing.SupportsFloat | typing.SupportsIndex) -> None:
        ...
    def range_search(self, queries: typing.Any, keys: typing.Any, radius: typing.SupportsFloat | typing.SupportsIndex, checks: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[tuple, dict]:
        ...
    def search(self, queries: typing.Any, keys: typing.Any, k: typing.SupportsInt | typing.SupportsIndex, checks: typing.SupportsInt | typing.SupportsIndex, threads: typing.SupportsInt | typing.SupportsIndex = 0, admitted: typing.Any = None) -> tuple[numpy.typing.NDArray[numpy.float32], numpy.typing.NDArray[numpy.int64], dict]:
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
        The k largest scores of each query, negated, with their ids.
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
def build_forest(vectors: typing.Any, dim: typing.SupportsInt | typing.SupportsIndex, centre: typing.Any, steps: typing.Any, trees: typing.SupportsInt | typing.SupportsIndex, leaf: typing.SupportsInt | typing.SupportsIndex, among: typing.SupportsInt | typing.SupportsIndex, seed: typing.SupportsInt | typing.SupportsIndex) -> tuple[numpy.typing.NDArray[numpy.int32], numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.uint32]]:
    """
    Nodes, roots and row orders of randomized k-d trees.
    """
def fit_bytes(x: typing.Any, metric: str) -> tuple[numpy.typing.NDArray[numpy.float32], float]:
    """
    Centre and scale of 8-bit copies that filter.
    """
def list_values(x: typing.Any, metric: str, ids: typing.Any) -> numpy.typing.NDArray[numpy.float32]:
    ...
def merge_postings(segments: list) -> tuple[typing.Any, ...]:
    """
    Pairs of Postings and their photos' new rows (2**32 - 1: none) as the lists of one.
    """
def multi_sequence(left: typing.Any, right: typing.Any, most: typing.SupportsInt | typing.SupportsIndex) -> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float32]]:
    """
    Pairs of two sequences by ascending sum: positions in both, sums.
    """
def pack_postings(words: typing.Any, photos: typing.Any, counts: typing.Any, signatures: typing.Any = None) -> tuple[typing.Any, ...]:
    """
    Lists: words, starts, offsets, bytes, signatures or None.
    """
def self_join(x: typing.Any, metric: str, k: typing.SupportsInt | typing.SupportsIndex, filter: str = 'auto', threads: typing.SupportsInt | typing.SupportsIndex = 0) -> tuple[typing.Any, ...]:
    ...
posting_rows: int = 131072
