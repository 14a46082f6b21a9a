"""Tags by votes of users, against what is usual."""

from __future__ import annotations

import math

import pytest

from kinfold.landmarks.tags import Tag, suggest_tags, usual_tags

FOUNTAIN = ["Buxton Memorial Fountain", "Victoria Tower Gardens", "London"]


def test_frequent_and_suggested_by_hand() -> None:
    tags = [FOUNTAIN, FOUNTAIN[:2], ["London", "Architecture"], ["architecture"], []]
    usual = {"london": 0.25, "architecture": 0.81}
    suggested, frequent = suggest_tags(tags, [40, 30, 20, 10, 50], usual=usual, share=0.3)
    # Weights of the four who tag: 100. London: 60 of them, by 1 - sqrt(.25); architecture: 30 by 1 - .9.
    assert frequent == [
        Tag("Architecture", 2, pytest.approx(0.3 * (1 - math.sqrt(0.81)))),
        Tag("Buxton Memorial Fountain", 2, pytest.approx(0.7)),
        Tag("London", 2, pytest.approx(0.3)),
        Tag("Victoria Tower Gardens", 2, pytest.approx(0.7)),
    ]
    assert [tag.text for tag in suggested] == [
        "Buxton Memorial Fountain", "Victoria Tower Gardens", "London", "Architecture",
    ]  # fmt: skip
    assert suggest_tags(tags, [1] * 5, least=3) == ([], suggest_tags(tags, [1] * 5)[1])
    assert [t.text for t in suggest_tags(tags, [40, 30, 20, 10, 50], share=0.65)[0]] == FOUNTAIN[:2]
    assert len(suggest_tags(tags, [1] * 5, top=1)[1]) == 1


def test_a_user_has_one_vote() -> None:
    tags = [["tower"], ["tower"], ["tower"], ["bridge"], ["bridge"]]
    users = ["ann", "ann", "ann", "bob", None]
    suggested, frequent = suggest_tags(tags, [10, 30, 20, 20, 20], users=users)
    assert [(t.text, t.users) for t in frequent] == [("bridge", 2), ("tower", 1)]
    # Of ann's photos the heaviest: 30 of 70.
    assert frequent[1].score == pytest.approx(30 / 70)
    assert [tag.text for tag in suggested] == ["bridge"]
    # A user whose photos have several tags votes for each with the photo that has it.
    _, both = suggest_tags([["a"], ["b"]], [3, 1], users=["x", "x"])
    assert [(t.text, t.score) for t in both] == [("a", 1.0), ("b", pytest.approx(1 / 3))]


def test_how_usual_a_tag_is() -> None:
    tags = [["Sea", "SEA"], ["sea", "sun"], [], ["sun"], ["sun"]]
    assert usual_tags(tags) == {"sea": 2 / 4, "sun": 3 / 4}
    assert usual_tags([]) == usual_tags([[]]) == {}
    # What is everywhere names nothing.
    suggested, frequent = suggest_tags([["sun"], ["sun"]], [1, 1], usual={"sun": 1.0})
    assert suggested == [] and frequent == [Tag("sun", 2, 0.0)]


def test_nothing_and_bad_arguments() -> None:
    assert suggest_tags([], []) == ([], []) == suggest_tags([[], []], [1, 2])
    with pytest.raises(ValueError, match="^weights: expected one for each of 2"):
        suggest_tags([["a"], []], [1])
    with pytest.raises(ValueError, match="^users: expected one for each of 1"):
        suggest_tags([["a"]], [1], users=[])
    with pytest.raises(ValueError, match="^weights: expected"):
        suggest_tags([["a"]], [float("nan")])
    with pytest.raises(ValueError, match="^share: expected"):
        suggest_tags([["a"]], [1], share=2)
