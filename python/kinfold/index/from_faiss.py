"""Indexes that faiss has trained and filled, taken over from its Python objects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Ids, Vectors
from kinfold.base.extras import require
from kinfold.index.cells import CellIndex
from kinfold.index.coarse.kmeans import KMeansCells
from kinfold.index.coarse.single import SingleCell
from kinfold.index.codecs.product import ProductCodes
from kinfold.quantize.product import ProductQuantizer
from kinfold.transform.rotation import Rotation


def from_faiss(index: Any) -> CellIndex:
    """The same cells, codebooks, codes and ids as a faiss index has, in memory.

    index : IndexPQ or IndexIVFPQ of 4- or 8-bit codes under L2 or inner product, perhaps behind linear
        transforms (OPQ, PCA, random rotations) or in an IndexIDMap
    Answers are those of faiss but for rounding. Codebooks as numpy: ``result.codec.quantizer.codebooks``.
    Raises ValueError for other kinds; MissingExtraError without faiss.
    """
    faiss = require("faiss")
    if not isinstance(index, faiss.Index):
        raise ValueError(f"index: expected an index of faiss, got {type(index).__name__}")
    ids: Ids | None = None
    index = faiss.downcast_index(index)
    if isinstance(index, (faiss.IndexIDMap, faiss.IndexIDMap2)):
        ids = faiss.vector_to_array(index.id_map).astype(np.int64)
        index = faiss.downcast_index(index.index)
    dim, transform = index.d, None
    if isinstance(index, faiss.IndexPreTransform):
        transform = _transform(faiss, index)
        index = faiss.downcast_index(index.index)
    if index.metric_type not in (faiss.METRIC_L2, faiss.METRIC_INNER_PRODUCT):
        raise ValueError("index: expected the metric L2 or inner product")
    metric = "l2" if index.metric_type == faiss.METRIC_L2 else "ip"
    if isinstance(index, faiss.IndexIVFPQ):
        coarse: Any = _cells(faiss, index)
        codec = ProductCodes(
            index.d, _quantizer(faiss, index.pq), metric=metric, residual=bool(index.by_residual)
        )
        cells, own, codes = _lists(faiss, index)
        ids = own if ids is None else ids[own]
    elif isinstance(index, faiss.IndexPQ):
        coarse = SingleCell(index.d)
        codec = ProductCodes(index.d, _quantizer(faiss, index.pq), metric=metric)
        codes = faiss.vector_to_array(index.codes).reshape(-1, index.pq.code_size)
        cells = np.zeros(len(codes), np.int64)
        ids = np.arange(len(codes), dtype=np.int64) if ids is None else ids
    else:
        raise ValueError(f"index: expected IndexPQ or IndexIVFPQ, got {type(index).__name__}")
    result = CellIndex(dim, coarse, codec, transform=transform, metric=metric)
    result.adopt(cells, ids, codes)
    return result


def _transform(faiss: Any, index: Any) -> Rotation:
    """The chain's linear transforms as one."""
    matrix, shift = np.eye(index.d), np.zeros(index.d)
    for i in range(index.chain.size()):
        step = faiss.downcast_VectorTransform(index.chain.at(i))
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
