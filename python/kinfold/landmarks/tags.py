"""Tags for a photo, from those of the photos that show the same thing."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kinfold.base.arrays import as_count, as_number


@dataclass(frozen=True)
class Tag:
    """A word and how many use it.

    users : of the photos that show the thing, by different users as far as these are known
    score : share of the evidence times how seldom the word is elsewhere, from 0 to 1
    """

    text: str
    users: int
    score: float


def usual_tags(tags: Iterable[Iterable[str]]) -> dict[str, float]:
    """How usual each tag is among photos: the share of those with any tag that have it, by the tag in lower case.

    tags : of each photo
    """
    counts: Counter[str] = Counter()
    tagged = 0
    for own in tags:
        words = {tag.casefold() for tag in own}
        counts.update(words)
        tagged += bool(words)
    return {tag: count / tagged for tag, count in counts.items()}


def suggest_tags(
    tags: Sequence[Iterable[str]],
    weights: Sequence[float],
    *,
    users: Sequence[Hashable | None] | None = None,
    usual: Mapping[str, float] | None = None,
    least: int = 2,
    share: float = 0.25,
    top: int = 5,
) -> tuple[list[Tag], list[Tag]]:
    """The tags that are suggested, by falling score, and the frequent ones, by falling number of users.

    tags : of each photo that shows the same thing
    weights : how sure that is: inliers
    users : who took each, None where that is not known: a user's photos have one vote, of the weight of the heaviest
    usual : of ``usual_tags`` of the other photos of the collection: what is everywhere names nothing. None: nothing is
    least : users who must agree on a suggested tag
    share : of the votes of all who tag that a suggested tag must have
    top : how many of each
    """
    least, top = as_count(least, "least"), as_count(top, "top")
    as_number(share, "share", least=0.0, most=1.0)
    if len(weights) != len(tags):
        raise ValueError(f"weights: expected one for each of {len(tags)} photos")
    votes: defaultdict[str, dict[Hashable, float]] = defaultdict(dict)
    voters: dict[Hashable, float] = {}
    spelt: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for who, own, weight in zip(_named(users, len(tags)), tags, weights):
        weight = as_number(weight, "weights", least=0.0)
        for tag in own:
            key = tag.casefold()
            spelt[key][tag] += 1
            votes[key][who] = max(weight, votes[key].get(who, 0.0))
            voters[who] = max(weight, voters.get(who, 0.0))
    whole = sum(voters.values()) or 1.0
    found, shares = [], {}
    for key, whose in votes.items():
        text = min(spelt[key], key=lambda one: (-spelt[key][one], one))
        shares[text] = sum(whose.values()) / whole
        rare = 1.0 if usual is None else 1 - math.sqrt(usual.get(key, 0.0))
        found.append(Tag(text, len(whose), shares[text] * rare))
    frequent = sorted(found, key=lambda tag: (-tag.users, tag.text))
    named = [t for t in found if t.users >= least and t.score > 0 and shares[t.text] >= share]
    suggested = sorted(named, key=lambda tag: (-tag.score, -tag.users, tag.text))
    return suggested[:top], frequent[:top]


def _named(users: Sequence[Hashable | None] | None, n: int) -> list[Hashable]:
    """Who took each photo; somebody else each time where that is not known."""
    named = [None] * n if users is None else list(users)
    if len(named) != n:
        raise ValueError(f"users: expected one for each of {n} photos, got {len(named)}")
    return [(row,) if who is None else who for row, who in enumerate(named)]
