from __future__ import annotations

from kinfold.report.cleaning import Cleaned, cleaning_page


def test_states_boxes_and_the_histogram(parse, picture) -> None:
    tower = [
        Cleaned(picture("c.jpg"), "left out", 0),
        Cleaned(picture("b <2>.jpg"), "kept", 1, (10, 20, 300, 400)),
        Cleaned(picture("a.jpg"), "prototypical", 4, (0, 0, 640, 480)),
        Cleaned(picture("a.jpg"), "copy", 4),
    ]
    source = cleaning_page(
        "Cleaned", {"tower & co": tower, "gate": tower[:1]}, {1: 12, 3: 1}, {"Photos": "5"}
    )
    page = parse(source)
    for words in (
        "tower & co", "1 prototypical, 1 kept, 1 left out, 1 copy", "1 left out", "matches 4",
        "1 photo", "3 photos", "12",
    ):  # fmt: skip
        assert words in page.text, words
    # What is kept comes first, the best matched before all.
    cards = page.text[page.text.index("1 copy") + 6 :]
    order = [cards.index(words) for words in ("prototypical", "kept", "left out", "copy", "gate")]
    assert order == sorted(order)
    assert len(page.all("polygon", class_="box")) == 2
    assert source.count("data:image/jpeg") == 3
    bars = page.all("rect")
    assert [bar["width"] for bar in bars] == ["400", "33"]


def test_large_classes_say_what_is_not_shown(parse, picture) -> None:
    photos = [Cleaned(picture(f"{i}.jpg"), "left out", 0) for i in range(45)]
    page = parse(cleaning_page("Many", {"x": photos}, {1: 45}, {}))
    assert "and 5 more" in page.text and len(page.all("image")) == 40


def test_nothing(parse) -> None:
    assert "No class has a photo." in parse(cleaning_page("None", {}, {}, {})).text
