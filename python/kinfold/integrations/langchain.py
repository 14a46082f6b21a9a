"""A vector store for LangChain over an index of Kinfold. Needs the extra langchain."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.base.arrays import Ids, as_count
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.index.base import Index
from kinfold.index.factory import index_factory
from kinfold.io import atomic
from kinfold.io.kin import load

_stores = require("langchain_core.vectorstores")
_Document = require("langchain_core.documents").Document
_INDEX, _DOCUMENTS = "index.kin", "documents.json"

Filter = Callable[[Any], bool]


class KinfoldVectorStore(_stores.VectorStore):  # type: ignore[misc, name-defined]
    """Documents found by the cosine of their embeddings, in memory, saved as a folder.

    embedding : makes vectors of texts: ``langchain_core.embeddings.Embeddings``
    spec : what ``index_factory`` makes of it; what learns, learns from the first documents that are added
    options : of every search, such as ``nprobe``

    Scores are cosines, from -1 to 1, highest first. A document that is added under an id that is there takes its place.

    Examples
    --------
    >>> from langchain_core.embeddings import DeterministicFakeEmbedding
    >>> from kinfold.integrations.langchain import KinfoldVectorStore
    >>> store = KinfoldVectorStore(DeterministicFakeEmbedding(size=8))
    >>> store.add_texts(["a cat", "a dog"], ids=["c", "d"])
    ['c', 'd']
    >>> store.similarity_search("a cat", k=1)[0].id
    'c'
    """

    def __init__(self, embedding: Any, *, spec: str = "Flat", **options: Any) -> None:
        self._embedding, self._spec, self._options = embedding, spec, options
        self._index: Index | None = None
        self._rows: dict[str, int] = {}
        self._documents: dict[int, Any] = {}
        self._next = 0
        self._lock = threading.RLock()

    @property
    def embeddings(self) -> Any:
        """What makes vectors of texts."""
        return self._embedding

    def __len__(self) -> int:
        return len(self._rows)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add texts, and return their ids; those that are not given are new."""
        listed = list(texts)
        metadatas = metadatas or [{} for _ in listed]
        given = [None] * len(listed) if ids is None else list(ids)
        if not len(listed) == len(metadatas) == len(given):
            raise ValueError(
                f"metadatas, ids: expected {len(listed)}, one a text, got {len(metadatas)} and {len(given)}"
            )
        if not listed:
            return []
        names = [name or str(uuid.uuid4()) for name in given]
        vectors = np.asarray(self._embedding.embed_documents(listed), np.float32)
        with self._lock:
            self._hold(names, listed, metadatas, vectors)
        return names

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Remove documents; ids that are not there are passed over. None removes all."""
        with self._lock:
            names = (
                list(self._rows) if ids is None else [name for name in ids if name in self._rows]
            )
            rows = [self._rows.pop(name) for name in dict.fromkeys(names)]
            if rows and self._index is not None:
                self._index.remove(rows)
            for row in rows:
                del self._documents[row]
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Any]:
        """The documents of those ids that are there, in the order of these."""
        with self._lock:
            return [_copy(self._documents[self._rows[name]]) for name in ids if name in self._rows]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Any]:
        """The k documents nearest to a text; ``filter``: a function of a document that says whether it may answer."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Any, float]]:
        """The same with their cosines."""
        return self._nearest(self._embedding.embed_query(query), k, **kwargs)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, **kwargs: Any
    ) -> list[Any]:
        """The k documents nearest to a vector."""
        return [document for document, _ in self._nearest(embedding, k, **kwargs)]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Any]:
        """k of the fetch_k nearest documents that are also unlike each other; see the library."""
        return self.max_marginal_relevance_search_by_vector(
            self._embedding.embed_query(query), k, fetch_k, lambda_mult, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **kwargs: Any,
    ) -> list[Any]:
        """The same for a vector."""
        choose = require("langchain_core.vectorstores.utils").maximal_marginal_relevance
        with self._lock:
            near = self._nearest(embedding, fetch_k, **kwargs)
            if not near or self._index is None:
                return []
            rows = [self._rows[document.id] for document, _ in near]
            vectors = self._index.reconstruct(rows)
        chosen = choose(np.asarray(embedding, np.float32), list(vectors), lambda_mult, k)
        return [near[i][0] for i in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Any,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **options: Any,
    ) -> KinfoldVectorStore:
        """A store of these texts; options as of the constructor."""
        store = cls(embedding, **options)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the index and the documents into a folder, which is made where there is none."""
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        with self._lock:
            told = [
                {"id": one.id, "row": row, "text": one.page_content, "metadata": one.metadata}
                for row, one in self._documents.items()
            ]
            if self._index is not None:
                self._index.save(place / _INDEX)
            facts = {"spec": self._spec, "next": self._next, "documents": told}
            atomic.write_json(place / _DOCUMENTS, facts)

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], embedding: Any, **options: Any
    ) -> KinfoldVectorStore:
        """The store of a folder. Raises FileFormatError where index and documents do not fit together."""
        place = Path(folder)
        facts = json.loads((place / _DOCUMENTS).read_text("utf-8"))
        store = cls(embedding, spec=facts["spec"], **options)
        store._next = facts["next"]
        for one in facts["documents"]:
            store._documents[one["row"]] = _Document(
                id=one["id"], page_content=one["text"], metadata=one["metadata"]
            )
            store._rows[one["id"]] = one["row"]
        if (place / _INDEX).exists():
            store._index = load(place / _INDEX)
        held = [] if store._index is None else store._index.ids.tolist()
        if sorted(held) != sorted(store._documents):
            raise FileFormatError(f"{place}: its index and its documents do not fit together")
        return store

    def _hold(
        self, names: list[str], texts: list[str], metadatas: list[dict[str, Any]], vectors: Any
    ) -> None:
        if self._index is None:
            made = index_factory(self._spec, vectors.shape[1], metric="cosine", verbose=False)
            self._index = made.fit(vectors)
        last = {
            name: at for at, name in enumerate(names)
        }  # of an id that is given twice the last counts
        self.delete([name for name in last if name in self._rows])
        kept = list(last.values())
        rows: Ids = np.arange(self._next, self._next + len(kept))
        self._index.add(vectors[kept], rows)
        self._next += len(kept)
        for row, at in zip(rows.tolist(), kept):
            self._rows[names[at]] = row
            self._documents[row] = _Document(
                id=names[at], page_content=texts[at], metadata=dict(metadatas[at])
            )

    def _nearest(
        self, vector: Any, k: int, *, filter: Filter | None = None, **options: Any
    ) -> list[tuple[Any, float]]:
        count = as_count(k, "k", least=0)
        with self._lock:
            if self._index is None or not self._rows or not count:
                return []
            may = None
            if filter is not None:
                may = [row for row, one in self._documents.items() if filter(_copy(one))]
            found = self._index.search(
                np.asarray(vector, np.float32),
                min(count, len(self._rows)),
                filter=may,
                **{**self._options, **options},
            )
            pairs = zip(found.ids.tolist(), found.distances.tolist())
            return [(_copy(self._documents[row]), score) for row, score in pairs if row >= 0]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda cosine: (cosine + 1) / 2


def _copy(document: Any) -> Any:
    """What may be changed by whoever gets it."""
    return document.model_copy(deep=True)
