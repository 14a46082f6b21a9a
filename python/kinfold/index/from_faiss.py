"""Indexes that faiss has trained and filled, taken over from its Python objects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.extras import require
from kinfold.base.offered import call_by_name
from kinfold.index.cells import CellIndex
from kinfold.index.coarse.kmeans import KMeansCells
from kinfold.index.coarse.single import SingleCell
from kinfold.index.codecs.product import ProductCodes
from kinfold.index.codecs.raw import ByteVectors, RawVectors
from kinfold.index.codecs.scalar import ScalarCodes
from kinfold.index.flat import FlatIndex
from kinfold.quantize.product import ProductQuantizer
from kinfold.transform.rotation import Rotation

# Whole types, not their descendants: those keep more than is taken over.
_FLAT = ("IndexFlat", "IndexFlatL2", "IndexFlatIP")
_LISTS = ("IndexIVFFlat", "IndexIVFPQ", "IndexIVFScalarQuantizer")
_KNOWN = (*_FLAT, "IndexPQ", "IndexScalarQuantizer", *_LISTS)


def from_faiss(index: Any) -> CellIndex | FlatIndex:
    """The same vectors or codes, cells, codebooks and ids as a faiss index has, in memory of their own.

    index : IndexFlat, IndexPQ (4 or 8 bits), IndexScalarQuantizer (4, 6, 8 bits, half precision), or IndexIVFFlat,
        IndexIVFPQ, IndexIVFScalarQuantizer of the same, under L2 or inner product; perhaps behind linear
        transforms (OPQ, PCA, random rotations) or in an IndexIDMap
    Answers are those of faiss but for rounding, with its nprobe. Scalar codes of residuals are decoded to float32.
    Codebooks as numpy: ``result.codec.quantizer.codebooks``.
    Raises ValueError for other kinds, for ids below 0 or that occur twice, and for settings that change faiss's
    answers and have no equal here; MissingExtraError without faiss.
    """
    faiss = require("faiss")
    if not isinstance(index, faiss.Index):
        raise ValueError(f"index: expected an index of faiss, got {type(index).__name__}")
    # `index` stays bound to the end: what faiss hands out points into its memory, and it may be the only reference.
    ids: Ids | None = None
    steps: list[Any] = []
    inner = faiss.downcast_index(index)
    while type(inner).__name__ in ("IndexIDMap", "IndexIDMap2", "IndexPreTransform"):
        if type(inner).__name__ == "IndexPreTransform":
            steps += [inner.chain.at(i) for i in range(inner.chain.size())]
        else:
            own = faiss.vector_to_array(inner.id_map).astype(np.int64)
            ids = own if ids is None else ids[own]
        inner = faiss.downcast_index(inner.index)
    name = type(inner).__name__
    if name not in _KNOWN:
        more = "; its second codes are not taken over" if name == "IndexIVFPQR" else ""
        raise ValueError(f"index: expected one of {', '.join(_KNOWN)}, got {name}{more}")
    if inner.metric_type not in (faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT):
        raise ValueError("index: expected the metric L2 or inner product")
    _check_settings(faiss, inner)
    metric = "l2" if inner.metric_type == faiss.METRIC_L2 else "ip"
    transform = _transform(faiss, steps, index.d) if steps else None
    nprobe = 1
    if name in _LISTS:
        coarse: Any = _cells(faiss, inner)
        cells, own, codes = _lists(faiss, inner)
        ids = own if ids is None else ids[own]
        nprobe = int(inner.nprobe)
    else:
        coarse = SingleCell(inner.d)
        codes = faiss.vector_to_array(inner.codes).reshape(inner.ntotal, inner.code_size)
        cells = np.zeros(len(codes), np.int64)
        ids = np.arange(len(codes), dtype=np.int64) if ids is None else ids
    if name in _FLAT and transform is None:
        flat = FlatIndex(inner.d, metric=metric)
        flat.add(codes.view(np.float32), ids)
        return flat
    codec, rows = _codec(faiss, inner, metric, coarse, cells, codes)
    result = CellIndex(index.d, coarse, codec, transform=transform, metric=metric, nprobe=nprobe)
    return result.adopt(cells, ids, rows)


def _check_settings(faiss: Any, index: Any) -> None:
    """Refuse what changes faiss's answers and has no equal here."""
    if getattr(index, "search_type", faiss.IndexPQ.ST_PQ) != faiss.IndexPQ.ST_PQ:
        raise ValueError(
            "index: expected search_type ST_PQ; symmetric and polysemous are not known"
        )
    if getattr(index, "polysemous_ht", 0) and isinstance(index, faiss.IndexIVF):
        raise ValueError("index: expected polysemous_ht 0; polysemous filters are not known")
    if isinstance(index, faiss.IndexIVF):
        if index.max_codes:
            raise ValueError("index: expected max_codes 0; use budget in searches instead")
        if index.quantizer.metric_type != index.metric_type:
            raise ValueError(
                "index: expected a coarse quantizer of the index's metric: cells are visited by that"
            )


def _codec(
    faiss: Any, index: Any, metric: str, coarse: Any, cells: Ids, codes: NDArray[np.uint8]
) -> tuple[Any, NDArray[Any]]:
    """The codec, and the rows as it takes them over."""
    residual = bool(getattr(index, "by_residual", False))
    if hasattr(index, "pq"):
        quantizer = _quantizer(faiss, index.pq)
        return ProductCodes(index.d, quantizer, metric=metric, residual=residual), codes
    if not hasattr(index, "sq"):
        return RawVectors(index.d, metric=metric), codes.view(np.float32)
    if residual:
        decoded: Vectors = np.zeros((len(codes), index.d), np.float32)
        if len(codes):
            decoded = index.sq.decode(codes) + coarse.centroids_of(cells)
        return RawVectors(index.d, metric=metric), decoded
    if index.sq.qtype == index.sq.QT_fp16:
        return RawVectors(index.d, metric=metric, dtype="float16"), codes.view(np.float16)
    return _numbers(faiss, index.sq, index.d, metric, codes)


def _numbers(
    faiss: Any, sq: Any, d: int, metric: str, codes: NDArray[np.uint8]
) -> tuple[ByteVectors | ScalarCodes, NDArray[np.uint8]]:
    """Scalar codes of 4, 6 or 8 bits: where each dimension begins and its steps, and the codes."""
    if sq.qtype == sq.QT_8bit_direct:
        return ByteVectors(d, metric=metric).adopt(np.full(d, 128.0), np.ones(d)), codes
    widths = {
        sq.QT_4bit: 4, sq.QT_4bit_uniform: 4, sq.QT_6bit: 6, sq.QT_8bit: 8, sq.QT_8bit_uniform: 8,
    }  # fmt: skip
    if sq.qtype not in widths:
        raise ValueError("index: expected scalar codes of 4, 6 or 8 bits or half precision")
    bits = widths[sq.qtype]
    least, width = faiss.vector_to_array(sq.trained).astype(np.float64).reshape(2, -1)
    least, steps = np.broadcast_to(least, d), np.broadcast_to(width / (2**bits - 1), d)
    # A code c stands for least + (c + 1/2) steps; where all numbers were the same, for that one.
    same = steps <= 0
    if bits < 8:
        each = np.unpackbits(codes, axis=1, bitorder="little")[:, : d * bits]
        each = each.reshape(len(codes), d, bits)
        codes = np.packbits(each, axis=2, bitorder="little").reshape(len(codes), d)
        scalar = ScalarCodes(d, metric=metric, bits=bits)
        scalar.adopt(least + np.where(same, 0, steps / 2), np.where(same, 1, steps))
        return scalar, np.where(same, np.uint8(0), codes)
    if same.any():
        codes = np.where(same, np.uint8(128), codes)
    centre = least + np.where(same, 0, 128.5 * steps)
    return ByteVectors(d, metric=metric).adopt(centre, np.where(same, 1, steps)), codes


def _transform(faiss: Any, steps: list[Any], d: int) -> Rotation:
    """A chain of linear transforms as one."""
    matrix, shift = np.eye(d), np.zeros(d)
    for given in steps:
        step = faiss.downcast_VectorTransform(given)
        if not isinstance(step, faiss.LinearTransform):
            raise ValueError(
                f"index: expected linear transforms, got {type(step).__name__} in the chain"
            )
        a = faiss.vector_to_array(step.A).reshape(step.d_out, step.d_in).astype(np.float64)
        b = faiss.vector_to_array(step.b) if step.have_bias else np.zeros(step.d_out)
        matrix, shift = a @ matrix, a @ shift + b
    return Rotation(matrix.astype(np.float32), bias=shift.astype(np.float32))


def _quantizer(faiss: Any, pq: Any) -> ProductQuantizer:
    if pq.nbits not in (4, 8):
        raise ValueError(f"index: expected codes of 4 or 8 bits, got {pq.nbits}")
    books = faiss.vector_to_array(pq.centroids).reshape(pq.M, pq.ksub, pq.dsub)
    return ProductQuantizer(pq.M, bits=pq.nbits).adopt(books, pq.d)


def _cells(faiss: Any, index: Any) -> KMeansCells:
    quantizer = faiss.downcast_index(index.quantizer)
    centroids: Vectors = quantizer.reconstruct_n(0, index.nlist)
    return KMeansCells.of(np.ascontiguousarray(centroids, np.float32))


def _lists(faiss: Any, index: Any) -> tuple[Ids, Ids, NDArray[np.uint8]]:
    """Cells, ids and codes of all lists."""
    lists, size = index.invlists, index.code_size
    cells, ids, codes = [], [], []
    for cell in range(index.nlist):
        n = lists.list_size(cell)
        if n:
            cells.append(np.full(n, cell, np.int64))
            ids.append(faiss.rev_swig_ptr(lists.get_ids(cell), n).copy())
            codes.append(
                faiss.rev_swig_ptr(lists.get_codes(cell), n * size).reshape(n, size).copy()
            )
    if not cells:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, size), np.uint8)
    return np.concatenate(cells), np.concatenate(ids).astype(np.int64), np.concatenate(codes)


call_by_name(__name__)
