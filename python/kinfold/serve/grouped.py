"""The groups of a gallery, found in the background when they are first asked for, and anew for each gallery."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Lock, Thread
from typing import Any

from kinfold.gallery.gallery import Gallery
from kinfold.gallery.matches import joined_by_graph, matches_of
from kinfold.gallery.views.groups import Pair, groups_of
from kinfold.serve.opened import OpenGallery

# Pairs between two looks at how far it is, and whether to go on.
_TOGETHER = 256
_LEAST, _BRIDGE = 12, 24.0


class Groups:
    """Finds groups one gallery at a time.

    A gallery's folder keeps the pairs that were looked at, so that a server that is started again goes on there.
    """

    def __init__(self, opened: OpenGallery) -> None:
        self._opened, self._lock = opened, Lock()
        self._number, self._done = 0, 0.0
        self._groups: list[dict[str, Any]] | None = None
        self._reason: str | None = None
        self._stopping = False
        self._thread: Thread | None = None

    def told(self) -> dict[str, Any]:
        """How far it is, and the groups once they are found; see ``shapes.Groups``."""
        with self._lock, self._opened.use() as held:
            if held.number != self._number and (
                self._thread is None or not self._thread.is_alive()
            ):
                self._number, self._done, self._groups, self._reason = held.number, 0.0, None, None
                self._thread = Thread(target=self._work, name="groups", daemon=True)
                self._thread.start()
            ready = self._groups is not None
            state = "failed" if self._reason else "ready" if ready else "working"
            return {
                "state": state,
                "done": round(self._done, 3),
                "reason": self._reason,
                "groups": self._groups or [],
            }

    def _work(self) -> None:
        try:
            with self._opened.use() as held:
                self._groups = self._found(held.gallery)
                self._done = 1.0
        except Exception as error:
            logging.getLogger("kinfold").warning("groups: %s", error)
            self._reason = "the groups could not be found; the server's log says why"

    def _found(self, gallery: Gallery) -> list[dict[str, Any]] | None:
        reader, snapshot = gallery._reader, gallery._reader.snapshot
        first, wanted = joined_by_graph(snapshot)
        pairs = snapshot.ids[wanted]
        graph = matches_of(reader, pairs[:0], verbose=False)
        for at in range(0, len(pairs), _TOGETHER):
            if self._stopping:
                return None
            part = matches_of(reader, pairs[at : at + _TOGETHER], verbose=False)
            # Where the folder cannot be written, what is found is here alone.
            graph = part.joined(graph)
            self._done = 0.99 * min(1.0, (at + _TOGETHER) / len(pairs))
        found = groups_of(snapshot, graph, first, wanted, least_inliers=_LEAST, bridge=_BRIDGE)
        return [
            {
                "id": number,
                "representative": group.representative.id,
                "photos": [photo.id for photo in group.photos],
                "duplicates": near_sets(group.pairs),
            }
            for number, group in enumerate(found)
        ]

    def close(self) -> None:
        """Let the work end where it is; what was looked at is kept."""
        self._stopping = True
        if self._thread is not None:
            self._thread.join()


def near_sets(pairs: Iterable[Pair]) -> list[list[int]]:
    """Sets of photos that pairs of near-duplicates join, each and all by ascending id."""
    owner: dict[int, set[int]] = {}
    for pair in pairs:
        if pair.near_duplicate:
            both = owner.get(pair.first, {pair.first}) | owner.get(pair.second, {pair.second})
            owner.update(dict.fromkeys(both, both))
    return sorted(sorted(one) for one in {id(one): one for one in owner.values()}.values())
