"""Why a photo was found: where both show the same, the chain that leads there, what the network finds alike."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from kinfold.gallery import search
from kinfold.gallery.gallery import Gallery
from kinfold.gallery.hit import Hit
from kinfold.gallery.photo import known_file
from kinfold.gallery.query import Query
from kinfold.gallery.views.explain import Explainer, explainer_of
from kinfold.local.verify import hull
from kinfold.report.content import Answer
from kinfold.report.network_view import heat_png
from kinfold.rerank.stage import RankedList
from kinfold.serve.told import corners


def explained(gallery: Gallery, query: Query, answer: Answer, id: int) -> dict[str, Any]:
    """What there is to say of a photo of an answer, see ``shapes.Explanation``; the geometry is looked at anew."""
    hit = _verified(gallery, query, id)
    chain, similarities = ([], []) if id not in answer.ids else gallery.chain(query, answer, id)
    matches = np.empty((0, 4)) if hit.matches is None else hit.matches
    return {
        "verified": hit.verified,
        "inliers": hit.inliers or 0,
        "matches": corners(matches),
        "rejected": [] if hit.rejected is None else corners(hit.rejected),
        "place_found": corners(hull(matches[:, 2:])) if len(matches) else None,
        "frame": None if hit.box is None else corners(hit.box),
        "chain": chain,
        "similarities": [round(value, 4) for value in similarities],
        "network": _network(gallery, query, id),
    }


def _verified(gallery: Gallery, query: Query, id: int) -> Hit:
    """The photo as if it were all that was found."""
    snapshot = gallery._reader.snapshot
    alone = RankedList.first(np.zeros(1, np.float32), np.array([id], np.int64))
    if len(query.features):
        alone = search.second_look(snapshot, query, alone, "spatial", verify_top=1)
    [hit] = search.hits(snapshot, query, alone, 1)
    return hit


def _network(gallery: Gallery, query: Query, id: int) -> dict[str, Any] | None:
    """Where the first network looks in both, as pictures to lie over them, and what it finds alike in them."""
    reader = gallery._reader
    explainer = explainer_of(gallery.parts.model, reader.describer_of_queries(), query)
    file = known_file(gallery.root, gallery.photo(id))
    if explainer is None or file is None:
        return None
    [components] = explainer.components([file])
    attention = explainer.attention()
    return {
        "query": _data(np.asarray(attention.weights)),
        "area": [round(side, 2) for side in attention.area],
        "hit": _data(_weights(explainer, file)),
        "components": []
        if components is None
        else [
            {"contribution": round(float(share), 4), "query_box": ours, "hit_box": theirs}
            for share, ours, theirs in zip(
                components.contributions,
                corners(np.asarray(components.query_boxes)),
                corners(np.asarray(components.photo_boxes)),
            )
        ],
    }


def _weights(explainer: Explainer, file: Path) -> Any:
    from kinfold.features.explain import spatial_weights

    return spatial_weights(explainer.extractor, file)


def _data(weights: Any) -> str:
    return f"data:image/png;base64,{b64encode(heat_png(weights)).decode('ascii')}"
