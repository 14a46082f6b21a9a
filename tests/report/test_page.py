"""The page of an answer, taken apart as a browser without scripts would."""

from __future__ import annotations

import base64
import hashlib
import re

import numpy as np
import pytest

from kinfold.report.answer import Answer, Link, Match, Result, answer_page, write_answer
from kinfold.report.content import percent

NASTY = [
    "<script>alert(1)</script>.jpg",
    "\"&'><img src=x onerror=alert(1)>.jpg",
    "--><!-- ]]>.jpg",
    "$body ${title} {name} %s.jpg",
    "&lt;already&gt;.jpg",
    "\u202egpj.evil\x00\n\x7f\udcff.jpg",
    "façade 日本 🗼.jpg",
    "n" * 4000 + ".jpg",
    "",
]


@pytest.fixture
def answer(picture, rng) -> Answer:
    """Twelve results: verified ones, walked ones, every mark and none."""
    results = []
    for i in range(12):
        match = None
        if i < 4:
            outline = np.array([(10, 10), (600, 20), (610, 400), (5, 390)]) if i else None
            match = Match(
                rng.uniform(0, 400, (20, 2)), rng.uniform(0, 400, (20, 2)), outline, 100 + i
            )
        photo = picture(f"photo{i}.jpg")
        chain = (Link(picture("via.jpg"), 0.91), Link(photo, 0.625)) if i == 5 else ()
        results.append(
            Result(i + 1, photo, 1 / (i + 3), match, chain, ("ok", "junk", "wrong", None)[i % 4])
        )
    return Answer(
        title="Photos like query.jpg",
        query=picture("query.jpg", 800, 600),
        results=tuple(results),
        box=(100, 120, 300, 400),
        facts={"Engine": "vlad", "Time": "12 ms"},
        average_precision=0.8125,
    )


def test_everything_is_there_without_scripts(answer, parse) -> None:
    page = parse(answer_page(answer))
    for result in answer.results:
        assert f"{result.score:.3f}" in page.text
        assert page.text.count(result.picture.name) >= 2  # in the grid, and in its view
    for words in (
        "Photos like query.jpg",
        "Engine",
        "vlad",
        "12 ms",
        "0.812",
        "12 photos",
        "103 matching points",
    ):
        assert words in page.text
    cards = page.all("a", class_="card")
    assert [card["href"] for card in cards] == [f"#m{i}" for i in range(12)]
    assert len(page.all("section", class_="view")) == 12


def test_marks_have_a_sign_and_a_word(answer, parse) -> None:
    page = parse(answer_page(answer))
    for sign, word in (("✓", "match"), ("~", "junk"), ("✕", "wrong")):
        assert f"{sign} {word}" in page.text
    assert len(page.all("span", class_="badge")) == 2 * 9  # each in its card and in its view


def test_every_line_drawn_joins_its_two_points(picture, parse) -> None:
    query, photo = picture("q.jpg", 1000, 500), picture("p.jpg", 300, 600)
    match = Match([[100, 50], [900, 400]], [[30, 60], [150, 600]], [[0, 0], [300, 0], [300, 600]])
    page = parse(answer_page(Answer(query=query, results=(Result(1, photo, 1.0, match),))))
    beside = [attrs for attrs in page.all("path", class_="line")][:2]
    # Both are 750 high: scales 1.5 and 1.25, the photo begins 16 beyond the query's 1500.
    assert {attrs["d"] for attrs in beside} == {
        "M150.0,75.0L1553.5,75.0",
        "M1350.0,600.0L1703.5,750.0",
    }
    outlines = page.all("polygon", class_="outline")
    assert len(outlines) == 3 and {o["points"] for o in outlines} == {
        "0.0,0.0 300.0,0.0 300.0,600.0"
    }


def test_what_does_not_fit_is_grey_and_thin(picture, parse) -> None:
    match = Match([[1, 2]], [[3, 4]], rejected=[[10, 20, 30, 60], [20, 30, 40, 50]])
    source = answer_page(Answer(query=picture("q"), results=(Result(1, picture("p"), 1.0, match),)))
    grey = parse(source).all("path", class_="out")
    assert len(grey) == 2 and all(path["d"].count("M") == 2 for path in grey)  # beside, stacked
    assert "Grey: look alike, but do not fit." in source


def test_the_note_counts_drawn_lines(picture, rng) -> None:
    points = rng.uniform(0, 400, (200, 2))

    def page(match: Match) -> str:
        return answer_page(
            Answer(query=picture("q"), results=(Result(1, picture("p"), 1.0, match),))
        )

    assert "64 of 200 correspondences are drawn" in page(Match(points, points))
    assert "20 of 70 correspondences are drawn" in page(Match(points[:20], points[:20], None, 70))
    assert "correspondences are drawn" not in page(Match(points[:20], points[:20], None, 20))


def test_chains_lead_from_the_query_to_the_result(answer, parse) -> None:
    source = answer_page(answer)
    [chain] = re.findall(r'<ol class="chain">.*?</ol>', source)
    words = re.sub(r"<[^>]*>", " ", chain).split()
    assert words == ["query", "0.91", "via.jpg", "0.62", "photo5.jpg"]
    assert "by way of 1 other" in parse(source).text


def test_each_photo_is_stored_once(answer, parse) -> None:
    page = parse(answer_page(answer))
    images = page.all("image")
    assert len(images) == 14  # the query, twelve results, one on the way
    stored = {base64.b64decode(image["href"].partition(",")[2]) for image in images}
    assert stored == {answer.query.jpeg, *(r.picture.jpeg for r in answer.results), *(
        link.picture.jpeg for r in answer.results for link in r.chain
    )}  # fmt: skip


def test_twenty_results_stay_below_two_megabytes(picture, rng) -> None:
    points = rng.uniform(0, 400, (500, 2))
    results = []
    for i in range(20):
        photo = picture(f"{i}.jpg")
        object.__setattr__(photo, "jpeg", photo.jpeg + rng.bytes(40_000))
        chain = tuple(Link(r.picture, 0.5) for r in results[-5:])
        results.append(Result(i + 1, photo, 1.0, Match(points, points), chain))
    assert len(answer_page(Answer(query=picture("q"), results=tuple(results)))) < 2_000_000


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_no_name_breaks_out(nasty, picture, parse, tmp_path) -> None:
    match = Match([[1, 2]], [[3, 4]], [[0, 0], [9, 0], [9, 9]])
    photo = picture(nasty)
    results = (Result(1, photo, 0.5, match, (Link(photo, 0.5),), "ok"),)
    plain = answer_page(
        Answer(
            query=picture(),
            results=(Result(1, picture("b"), 0.5, match, (Link(picture("b"), 0.5),), "ok"),),
            facts={"k": "v"},
        )
    )
    made = Answer(title=nasty, query=photo, results=results, facts={nasty + "k": nasty})
    page = parse(answer_page(made))
    # The same elements as on a page of harmless names (whose query and result are two pictures).
    tags = [tag for tag, _ in page.tags]
    assert tags.count("image") == 1
    assert [t for t in tags if t != "image"] == [t for t, _ in parse(plain).tags if t != "image"]
    if nasty.isprintable() and nasty:
        assert page.text.count(nasty) >= 5
    write_answer(tmp_path / "page.html", made)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == answer_page(made)


def test_the_policy_allows_this_script_alone(answer, parse) -> None:
    source = answer_page(answer)
    [script] = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    [policy] = parse(source).all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy["content"]
    assert f"script-src 'sha256-{digest}'" in policy["content"]


def judged(picture, i: int, shows: bool, **more) -> Result:
    """A result that somebody judged."""
    words = "same thing" if shows else "only looks alike"
    sure = 0.98 if shows else 0.04
    return Result(i, picture(f"{i}.jpg"), 0.5, shows=shows, verdict=words, confidence=sure, **more)


def test_what_shows_it_comes_first_and_the_rest_is_folded(picture, parse) -> None:
    query = picture("q.jpg")
    results = (
        judged(picture, 1, False),
        judged(picture, 2, True),
        judged(picture, 3, True, itself=True),
    )
    source = answer_page(Answer(query=query, results=results, remarks=("3 photos are gone",)))
    page = parse(source)
    assert (
        "1 photo shows the same thing." in page.text and "1 more that only looks alike" in page.text
    )
    assert "same thing, 98 % sure" in page.text and "only looks alike, 4 % likely" in page.text
    assert "the query itself" in page.text and "3 photos are gone" in page.text
    assert [card["href"] for card in page.all("a", class_="card")] == ["#m1", "#m2", "#m0"]
    folded = source[source.index('<details class="rest">') : source.index("</details></main>")]
    assert "m0-card" in folded and "m1-card" not in folded
    assert (percent(0.004), percent(0.5), percent(1.0)) == ("< 1 %", "50 %", "99 %")
    none = answer_page(Answer(query=query, results=results[:1]))
    assert "No photo of the same thing was found; these are the nearest." in parse(none).text
    assert '<details class="rest">' not in none


def test_a_result_can_be_opened_copied_and_searched_with(picture, parse) -> None:
    file = "/photos/a 'b'.jpg"
    way = "kinfold search g.kin \"/photos/a 'b'.jpg\""
    results = (
        judged(picture, 1, True, file=file, command=way),
        judged(picture, 2, True, file=file, missing=True),
    )
    source = answer_page(Answer(query=picture("q"), results=results))
    page = parse(source)
    [link] = page.all("a", class_="act")
    assert link["href"] == "file:///photos/a%20%27b%27.jpg" and link["target"] == "_blank"
    assert [button["data-copy"] for button in page.all("button")] == [file, way]
    assert page.text.count("The file is no longer there") == 1
    assert page.text.count("the file is no longer there") == 1


def test_far_down_there_are_no_views(picture, parse) -> None:
    results = tuple(judged(picture, i, False, file=f"/photos/{i}.jpg") for i in range(1, 81))
    page = parse(answer_page(Answer(query=picture("q"), results=results)))
    assert len(page.all("section", class_="view")) == 60
    links = [card["href"] for card in page.all("a", class_="card")]
    assert links[59:61] == ["#m59", "file:///photos/61.jpg"]


def test_nothing_found(picture, parse) -> None:
    page = parse(answer_page(Answer(query=picture("lonely.jpg"), title="t")))
    assert "Nothing was found." in page.text and "lonely.jpg" in page.text
    assert not page.all("a", class_="card")


def test_points_far_outside_are_brought_near(picture, parse) -> None:
    match = Match([[-1e30, 1e300]], [[1e18, -5]], [[-1e30, 0], [1e300, 0], [0, 1e30]])
    page = parse(
        answer_page(
            Answer(
                query=picture(),
                results=(Result(1, picture("p"), -1e300, match),),
                box=(-1e9, -5, 1e9, 9e9),
            )
        )
    )
    drawn = [a["d"] for a in page.all("path")] + [a["points"] for a in page.all("polygon")]
    numbers = [float(n) for part in drawn for n in re.findall(r"-?[\d.]+", part)]
    assert numbers and max(abs(n) for n in numbers) <= 1e5


def test_lines_on_figures_end_at_the_photo(picture, parse) -> None:
    match = Match([[1, 2]], [[3, 4]], [[-50, -50], [900, 0], [0, 900]])
    source = answer_page(Answer(query=picture(), results=(Result(1, picture("p"), 1.0, match),)))
    [card] = re.findall(r'<a class="card.*?</a>', source)
    assert re.search(
        r'<svg width="640" height="480"><polygon[^>]*/><polygon class="outline"[^>]*/></svg>', card
    )


def test_a_folder_that_is_missing_is_told(answer, tmp_path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        write_answer(tmp_path / "nowhere" / "a.html", answer)


@pytest.mark.parametrize(
    ("outline", "seen"),
    [
        ([[10, 10], [60, 10], [60, 50], [10, 50]], [[10, 10], [60, 10], [60, 50], [10, 50]]),
        ([[-50, -50], [50, -50], [50, 40], [-50, 40]], [[0, 0], [50, 0], [50, 40], [0, 40]]),
        ([[-900, -900], [900, -900], [900, 900], [-900, 900]], [[0, 0], [640, 0], [640, 480], [0, 480]]),
        ([[700, 10], [900, 10], [900, 50], [700, 50]], None),
        ([[-500, 470], [-5, -3000], [-5, 3000]], None),
        # It only touches the photo, or grazes it.
        ([[640, 0], [900, 0], [900, 480], [640, 480]], None),
        ([[639.999, 0], [900, 0], [900, 480], [639.999, 480]], None),
        ([[1, 1], [2, 2], [3, 3]], None),
    ],
)  # fmt: skip
def test_an_outline_is_drawn_where_it_lies_in_the_photo(outline, seen, picture, parse) -> None:
    match = Match([[1, 2]], [[3, 4]], outline)
    source = answer_page(
        Answer(query=picture(), results=(Result(1, picture("p", 640, 480), 1.0, match),))
    )
    drawn = parse(source).all("polygon", class_="outline")
    # The note tells of a line that is there.
    assert ("Dashed line" in source) == bool(drawn) == (seen is not None)
    for attributes in drawn:
        corners = [tuple(map(float, p.split(","))) for p in attributes["points"].split()]
        assert set(corners) == {tuple(map(float, p)) for p in seen}
