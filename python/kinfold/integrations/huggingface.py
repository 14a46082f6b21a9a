"""An index for data sets of Hugging Face's ``datasets``, asked as those of faiss are. Needs the extra huggingface."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from kinfold.base.arrays import as_count, as_ndarray, as_path
from kinfold.base.extras import require
from kinfold.index.base import Index
from kinfold.index.factory import index_factory
from kinfold.io.kin import load

_search = require("datasets.search")
_BATCH = 1000


class KinfoldIndex(_search.BaseIndex):  # type: ignore[misc, name-defined]
    """What ``Dataset.search`` and ``Dataset.get_nearest_examples`` ask: an index whose ids are rows.

    index : any index of vectors; the data set's row i has id i
    options : of every search, such as ``nprobe``

    Examples
    --------
    >>> import numpy as np
    >>> from datasets import Dataset
    >>> from kinfold.integrations.huggingface import add_index
    >>> rows = Dataset.from_dict({"name": ["a", "b"], "vector": [[0.0, 1.0], [1.0, 0.0]]})
    >>> scores, found = add_index(rows, "vector").get_nearest_examples("vector", np.array([1.0, 0.1]), k=1)
    >>> found["name"]
    ['b']
    """

    def __init__(self, index: Index, **options: Any) -> None:
        self.index, self.options = index, options

    def search(self, query: Any, k: int = 10, **kwargs: Any) -> Any:
        """Scores and rows of the k nearest of one vector (d,) or (1, d); row -1 where there are fewer."""
        asked = as_ndarray(query, "query")
        if asked.shape not in ((self.index.dim,), (1, self.index.dim)):
            raise ValueError(
                f"query: expected one vector of dimension {self.index.dim}, got shape {asked.shape}"
            )
        found = self.index.search(asked.reshape(-1), k, **self.options, **kwargs)
        return _search.SearchResults(found.distances, found.ids.astype(int))

    def search_batch(self, queries: Any, k: int = 10, **kwargs: Any) -> Any:
        """Scores and rows of the k nearest of each vector, (n, k)."""
        asked = as_ndarray(queries, "queries")
        if asked.ndim != 2:
            raise ValueError(f"queries: expected vectors (n, d), got shape {asked.shape}")
        found = self.index.search(asked, k, **self.options, **kwargs)
        return _search.BatchedSearchResults(found.distances, found.ids.astype(int))

    def save(self, file: str | os.PathLike[str], storage_options: Any = None) -> None:
        """Save the index as a ``.kin`` file."""
        if storage_options:
            raise ValueError("storage_options: expected none: files of this machine alone")
        self.index.save(as_path(file, "file"))

    @classmethod
    def load(cls, file: str | os.PathLike[str], **options: Any) -> KinfoldIndex:
        """The index of a file, memory-mapped; options as of the constructor."""
        return cls(load(file, mmap=True), **options)


def add_index(
    dataset: Any,
    column: str,
    spec: str = "Flat",
    *,
    metric: str = "l2",
    name: str | None = None,
    sample: int = 100_000,
    **options: Any,
) -> Any:
    """Give a data set an index of a column of vectors, as ``Dataset.add_faiss_index`` does; the data set itself.

    spec, metric : as ``index_factory`` takes them
    name : by which the index is asked; the column's if None
    sample : so many rows at most, evenly spaced, are learnt from
    options : of every search, such as ``nprobe``
    """
    shown = dataset.with_format("numpy", columns=[column])
    if not len(shown):
        raise ValueError("dataset: expected at least one row")
    most = min(len(shown), as_count(sample, "sample"))
    some = np.linspace(0, len(shown) - 1, most).astype(int)
    learnt = shown[np.unique(some)][column]
    index = index_factory(spec, np.shape(learnt)[-1], metric=metric, verbose=False).fit(learnt)
    for rows in shown.iter(_BATCH):
        index.add(rows[column])
    return attach(dataset, name or column, KinfoldIndex(index, **options))


def attach(dataset: Any, name: str, index: KinfoldIndex) -> Any:
    """Give a data set an index that is there already, such as one that was loaded; the data set itself.

    Raises ValueError where their numbers of rows differ.
    """
    if len(index.index) != len(dataset):
        raise ValueError(
            f"index: expected one of {len(dataset)} rows, as the data set has, got {len(index.index)}"
        )
    dataset._indexes[name] = index  # the library has public ways for faiss and Elasticsearch alone
    return dataset
