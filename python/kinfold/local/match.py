"""Tentative correspondences between the local features of two photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold import _core
from kinfold.base.arrays import Ids, as_array, as_count, as_number
from kinfold.base.local_features import LocalFeatures
from kinfold.base.offered import call_by_name
from kinfold.local.descriptors import SIGNED_SCALE
from kinfold.local.sift import root_sift

# Descriptors of length one become bytes by this factor: RootSIFT lies in [0, 1]. What is beyond a byte is cut off;
# entries of a half or more hardly occur.
_ROOT_SCALE = 512
# How much nearer the nearest must be than the second, for histograms and for descriptors of networks, which crowd more.
_RATIO, _SIGNED_RATIO = 0.85, 0.9


@dataclass(frozen=True)
class Prepared:
    """What matching needs of a photo, made once where it is matched many times.

    coded : bytes of the descriptors, and which features share a place
    signed : whether these are descriptors of networks
    """

    coded: Any
    signed: bool = False

    def __len__(self) -> int:
        return len(self.coded)


def prepare(features: LocalFeatures, *, root: bool = True) -> Prepared:
    """The descriptors of a photo in 8 bits.

    root : RootSIFT; False for descriptors of networks, which are scaled to length one. int8 are of networks anyway
    """
    codes = np.ascontiguousarray(codes_of(features.descriptors, root=root))
    coded = _core.geometry.Coded(codes, np.ascontiguousarray(features.positions, np.float32))
    return Prepared(coded, not root or features.descriptors.dtype == np.int8)


def codes_of(descriptors: Any, *, root: bool = True) -> NDArray[np.uint8]:
    """Descriptors (n, d) as they are compared: uint8 (n, d).

    round(512 RootSIFT), at most 255; for other descriptors round(255 x / |x|) + 128, which is x + 128 of int8.
    """
    if np.asarray(descriptors).dtype == np.int8:
        signed: NDArray[np.uint8] = np.ascontiguousarray(descriptors).view(np.uint8) ^ np.uint8(128)
        return signed
    if root:
        x = np.ascontiguousarray(descriptors)
        if x.dtype == np.uint8 and x.ndim == 2:
            codes: NDArray[np.uint8] = _core.geometry.root_codes(x, float(_ROOT_SCALE))
            return codes
        return np.minimum(np.rint(_ROOT_SCALE * root_sift(x)), 255).astype(np.uint8)
    vectors = as_array(descriptors, "descriptors").astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return np.clip(np.rint(SIGNED_SCALE * unit) + 128, 0, 255).astype(np.uint8)


def match(
    query: LocalFeatures | Prepared,
    photo: LocalFeatures | Prepared,
    *,
    ratio: float | None = None,
    mutual: bool = True,
) -> NDArray[np.int64]:
    """Pairs of features that look alike in two photos; see match_many."""
    return match_many(query, [photo], ratio=ratio, mutual=mutual)[0]


def match_many(
    query: LocalFeatures | Prepared,
    photos: Sequence[LocalFeatures | Prepared],
    *,
    ratio: float | None = None,
    mutual: bool = True,
) -> list[NDArray[np.int64]]:
    """Pairs of features that look alike, for each photo int64 (m, 2): rows of the query's and of the photo's features.

    ratio : the nearest must be nearer than this share of the second nearest that lies elsewhere
        (Lowe 2004, section 7.1); 1 for no such test, None for 0.85 of histograms and 0.9 of descriptors of networks.
        Features of one position count as one place.
    mutual : each must be the other's nearest
    Descriptors are compared in 8 bits (``codes_of``) by Euclidean distance, exhaustively and in whole numbers. Each
    feature of either photo occurs at most once. Ascending by the query's rows.
    """
    asked, held, signed = _all_prepared(query, photos)
    if ratio is None:
        ratio = _SIGNED_RATIO if signed else _RATIO
    found: list[NDArray[np.int64]] = _core.geometry.match_many(
        asked, held, as_number(ratio, "ratio", least=0.0, most=1.0), bool(mutual)
    )
    return found


def match_words(
    query: LocalFeatures | Prepared,
    photos: Sequence[LocalFeatures | Prepared],
    query_words: Any,
    photo_words: Sequence[Any],
    *,
    most: int = 5,
    ratio: float = 1.0,
    mutual: bool = True,
) -> list[NDArray[np.int64]]:
    """match_many among features that share a visual word: much quicker, and it finds less.

    query_words : int64 (n,) or (n, multiple), of the query's features; words from 0 to 2**32 - 1
    photo_words : for each photo int64 (m,)
    most : a word that more features of either photo have tells nothing and is passed over
    """
    asked, held, _ = _all_prepared(query, photos)
    words = as_array(query_words, "query_words")
    if words.ndim not in (1, 2) or len(words) != len(asked) or words.dtype.kind not in "iu":
        raise ValueError(
            f"query_words: expected whole numbers ({len(asked)}, multiple), got {words.dtype} of "
            f"shape {words.shape}"
        )
    if len(photo_words) != len(held):
        raise ValueError(
            f"photo_words: expected words of {len(held)} photos, got {len(photo_words)}"
        )
    lists: list[Ids] = []
    for given, photo in zip(photo_words, held):
        own = as_array(given, "photo_words")
        if own.shape != (len(photo),) or own.dtype.kind not in "iu":
            raise ValueError(
                f"photo_words: expected whole numbers ({len(photo)},), got {own.dtype} of shape {own.shape}"
            )
        lists.append(np.ascontiguousarray(own, np.int64))
    found: list[NDArray[np.int64]] = _core.geometry.match_words(
        asked, held, np.ascontiguousarray(words.reshape(len(words), -1), np.int64), lists,
        as_count(most, "most", most=1 << 32), as_number(ratio, "ratio", least=0.0, most=1.0),
        bool(mutual),
    )  # fmt: skip
    return found


def mirrored(features: LocalFeatures) -> LocalFeatures:
    """The same features with the SIFT descriptors (n, 128) that they have in a mirror image.

    To find mirrored photos: match these, and verify with ``mirrored=True``.
    """
    descriptors = np.asarray(features.descriptors)
    if descriptors.ndim != 2 or descriptors.shape[1] != 128 or descriptors.dtype == np.int8:
        raise ValueError(f"features: expected SIFT descriptors (n, 128), got {descriptors.shape}")
    # 4 x 4 cells of 8 directions: a mirror turns the rows of cells over and the directions round.
    cells = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    turned = cells[..., -np.arange(8) % 8].reshape(len(descriptors), 128)
    return replace(features, descriptors=np.ascontiguousarray(turned))


def _all_prepared(query: Any, photos: Sequence[Any]) -> tuple[Any, list[Any], bool]:
    """The coded features of all, and whether they are of networks; ValueError where some are and some are not."""
    parts = [p if isinstance(p, Prepared) else prepare(p) for p in (query, *photos)]
    if any(part.signed != parts[0].signed for part in parts):
        raise ValueError("photos: expected descriptors of the kind of the query's, got others")
    return parts[0].coded, [part.coded for part in parts[1:]], parts[0].signed


call_by_name(__name__)
