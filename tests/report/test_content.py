"""What a page may be given."""

from __future__ import annotations

import numpy as np
import pytest

from kinfold.report.content import Answer, Link, Match, Picture, Result


def test_a_match_counts_what_it_is_told_or_what_it_holds() -> None:
    assert len(Match([[1, 2]], [[3, 4]])) == 1
    assert len(Match([[1, 2]], [[3, 4]], None, 70)) == 70
    assert len(Match([], [], [])) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1, 2]], [[1, 2], [3, 4]]), "photo_points: expected 1 positions"),
        (
            ([[1, 2, 3]], [[1, 2, 3]]),
            r"query_points: expected positions \(n, 2\), got shape \(1, 3\)",
        ),
        (([[1, np.nan]], [[1, 2]]), "query_points: expected finite positions"),
        (([[1, 2]], [[np.inf, 2]]), "photo_points: expected finite positions"),
        (([[1, 2]], [[1, 2]], [[0, np.nan]]), "outline: expected finite positions"),
        (([], [], None, None, [[1, 2]]), r"rejected: expected positions \(n, 4\)"),
        (([["a", "b"]], [[1, 2]]), "query_points: expected real numbers"),
        (
            ([[1, 2], [3, 4]], [[1, 2], [3, 4]], None, 1),
            "inliers: expected a whole number at least 2",
        ),
    ],
)
def test_matches_that_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        Match(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, b"\xff\xd8", 1, 1), "name: expected text, got int"),
        (("a", b"GIF89a", 1, 1), "jpeg: expected the bytes of a JPEG"),
        (("a", "\xff\xd8", 1, 1), "jpeg: expected the bytes of a JPEG"),
        (("a", b"\xff\xd8", 0, 1), "width: expected a whole number at least 1"),
        (("a", b"\xff\xd8", 1, 2.5), "height: expected a whole number"),
    ],
)
def test_pictures_that_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        Picture(*arguments)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), "1"])
def test_scores_and_similarities_are_numbers(score, picture) -> None:
    with pytest.raises(ValueError, match="score: expected a number"):
        Result(1, picture(), score)
    with pytest.raises(ValueError, match="similarity: expected a number"):
        Link(picture(), score)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0}, "rank: expected a whole number at least 1"),
        ({"picture": "a.jpg"}, "picture: expected a Picture, got str"),
        ({"match": [[1, 2]]}, "match: expected a Match, got list"),
        ({"chain": ("a.jpg",)}, "chain: expected a Link, got str"),
        ({"mark": "good"}, "mark: expected one of ok, junk, wrong, got 'good'"),
    ],
)
def test_results_that_are_refused(change, message, picture) -> None:
    with pytest.raises(ValueError, match=message):
        Result(**{"rank": 1, "picture": picture(), "score": 0.5, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": None}, "title: expected text, got NoneType"),
        ({"query": b"\xff\xd8"}, "query: expected a Picture, got bytes"),
        ({"results": ("a",)}, "results: expected a Result, got str"),
        ({"box": (0, 0, 1)}, "box: expected x0, y0, x1, y1"),
        ({"box": (0, 0, 1, np.nan)}, "box: expected x0, y0, x1, y1"),
        ({"box": (5, 0, 5, 9)}, "box: expected x0 < x1 and y0 < y1"),
        ({"average_precision": 1.01}, "average_precision: expected a number in"),
        ({"average_precision": np.nan}, "average_precision: expected a number in"),
    ],
)
def test_answers_that_are_refused(change, message, picture) -> None:
    with pytest.raises(ValueError, match=message):
        Answer(**{"query": picture(), "title": "t", **change})
