"""The second looks of a gallery: those of the catalogue that photos, their features, regions and graph suffice for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinfold.rerank.pipeline import checked, stages_for

# What a gallery has at hand, see ``rerank.stage.Asked``; regions where they are kept.
OFFERS = frozenset({"local", "features", "search", "graph", "regional", "regional_of"})
# What a search does unless told otherwise.
STAGES = ("spatial", "diffusion")


def all_stages() -> tuple[str, ...]:
    """The names of all of them."""
    return stages_for(OFFERS)


def checked_stages(rerank: Sequence[str] | str | None) -> tuple[str, ...]:
    """Names of second looks, each once; one alone, several with commas or "none" as text too, and None for none.

    Raises ValueError for others.
    """
    if rerank is None or rerank == "none":
        return ()
    if isinstance(rerank, str):
        rerank = [name.strip() for name in rerank.split(",")]
    return checked(rerank, OFFERS)


def options_of(
    name: str,
    verify_top: int,
    verify_seconds: float | None,
    alpha: float | None = None,
    k_query: int | None = None,
) -> dict[str, Any]:
    """A stage's options in a gallery. alpha, k_query : of those along the graph; their own where None"""
    if name in ("spatial", "expansion"):
        return {"top": verify_top, "seconds": verify_seconds}
    if name == "confirmed":
        return {"top": verify_top}
    if name == "regions":
        return {"top": verify_top, "blend": 1.0}
    own: dict[str, Any] = {"k_query": 1, "alpha": 0.9, "blend": True}
    if name == "diffusion-lecture":
        own = {}
    if name == "regional-diffusion":
        own = {"top": verify_top, "blend": 1.0}
    chosen = {"alpha": alpha, "k_query": k_query}
    return own | {name: value for name, value in chosen.items() if value is not None}
