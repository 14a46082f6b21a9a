"""The page of ``kinfold serve`` in a real browser: what people do with it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

Tab = Callable[..., Any]

CARDS = ".results .card"
SAME = 'section[aria-label="Of the same thing"] .card'
SAID = "#search h1.said"


def asked(page: Any) -> dict[str, str]:
    """What stands in the address."""
    return {key: value[0] for key, value in parse_qs(urlsplit(page.url).query).items()}


def names(page: Any, cards: str = CARDS) -> list[str]:
    return page.locator(f"{cards} .name").all_text_contents()


def open_photo(page: Any, name: str) -> None:
    """Search with a photo of the gallery by clicking it, and wait for the answer."""
    page.locator(".cell a", has_text=name).click()
    page.locator(CARDS).first.wait_for()


def test_upload_then_a_part(tab: Tab, query: Path) -> None:
    """A photo from outside, then a box drawn on it by mouse; back leads to the whole photo's answer."""
    page = tab()
    page.locator("#file").set_input_files(query)
    page.locator(SAME).nth(2).wait_for()
    assert "show the same thing" in page.locator(SAID).text_content()
    assert {name for name in names(page, SAME)} >= {"thing0_0.jpg", "thing0_1.jpg", "thing0_2.jpg"}
    assert not {name for name in names(page, SAME)} & {"thing1_0.jpg", "thing2_0.jpg"}
    token = asked(page)["query"]
    frame = page.locator(".stage").bounding_box()
    x, y = (frame[a] + frame[b] / 4 for a, b in (("x", "width"), ("y", "height")))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + frame["width"] / 2, y + frame["height"] / 2, steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Search with this part").click()
    page.wait_for_url("**box=**")
    page.locator(SAME).first.wait_for()
    box = [float(v) for v in asked(page)["box"].split(",")]
    assert box == pytest.approx([75, 75, 225, 225], abs=3)
    assert asked(page)["query"] == token
    page.go_back()
    page.wait_for_url(lambda url: "box" not in url)
    page.locator(SAME).nth(2).wait_for()
    page.reload()  # the server still knows the photo
    page.locator(SAME).nth(2).wait_for()
    assert (
        page.locator(".stage img").evaluate(
            "image => image.decode().then(() => image.naturalWidth)"
        )
        == 300
    )


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_drop_and_paste(tab: Tab, query: Path, way: str) -> None:
    page = tab()
    page.locator(".cell a").first.wait_for()
    page.evaluate(
        """([way, bytes]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "holiday.jpg", {type: "image/jpeg"}));
          const event = way === "drop"
            ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
            : new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
          document.body.dispatchEvent(event);
        }""",
        [way, list(query.read_bytes())],
    )
    page.locator(SAME).nth(2).wait_for()


def test_what_is_no_photo_is_told(tab: Tab) -> None:
    page = tab(failing="Failed to load resource")
    page.locator(".cell a").first.wait_for()
    page.locator("#file").set_input_files(
        {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no"}
    )
    page.locator("#trouble:not([hidden])").wait_for()
    assert page.locator("#trouble span").text_content().strip()
    assert page.locator("#photos").is_visible()


def test_pair(tab: Tab) -> None:
    """A click shows both photos with lines; keys turn, back closes, the focus returns to the card."""
    page = tab()
    open_photo(page, "thing1_0.jpg")
    card = page.locator(f"{SAME} a.open").nth(1)
    name = card.locator(".name").text_content()
    card.click()
    page.locator("#pair svg.pair.beside").wait_for()
    assert name in page.locator("#pair-name").text_content()
    lines = page.locator("#pair svg.pair.beside path.line:not(.out)")
    assert 1 <= lines.count() <= 4
    assert page.locator("#pair svg.pair.beside polygon.outline").count() == 1
    assert "Dashed line" in page.locator("#pair .note").first.text_content()
    first = asked(page)["hit"]
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: not url.endswith(f"hit={first}"))
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**hit={first}")
    page.locator("#pair svg.pair.beside").wait_for()
    page.keyboard.press("Escape")
    page.locator("#pair[open]").wait_for(state="detached")
    assert "hit" not in asked(page)
    assert page.evaluate("document.activeElement.closest('li').dataset.id") == first
    card.click()
    page.get_by_role("link", name="Search with the part that was found").click()
    page.wait_for_url(f"**id={first}&*box=**")
    page.locator(SAME).first.wait_for()


def test_not_this_and_more_like_this(tab: Tab) -> None:
    """The answer follows at once; taking it back restores the order."""
    page = tab()
    open_photo(page, "thing2_0.jpg")
    before = names(page)
    target = page.locator(SAME).nth(1)
    name, id = target.locator(".name").text_content(), target.get_attribute("data-id")
    target.get_by_role("button", name="Not this").click()
    page.wait_for_url(f"**unlike={id}")
    page.locator(".judged .unlike").wait_for()
    assert name not in names(page) and names(page)[0] == before[0]
    assert page.locator(SAID).text_content() == "1 photo shows the same thing."
    page.get_by_role("button", name=f"Take back: {name}").click()
    page.wait_for_url(lambda url: "unlike" not in url)
    page.locator(".judged").wait_for(state="hidden")
    assert names(page) == before
    page.locator(CARDS).last.get_by_role("button", name="More like this").click()
    page.locator(".judged .like").wait_for()
    assert "like" in asked(page)


def test_groups_and_marks(tab: Tab, album: Path) -> None:
    """Near-duplicates are marked, marks outlive the page, their list is saved, and no photo is touched."""
    files = {file: file.stat().st_mtime_ns for file in album.rglob("*.jpg")}
    page = tab("/?view=groups")
    page.locator("#groups .example").first.wait_for(timeout=60_000)
    copies = page.locator(".copies").filter(has_text="thing0_small.jpg")
    assert sorted(copies.locator(".name").all_text_contents())[-1] == "thing0_small.jpg"
    copies.get_by_role("button", name="Keep the largest").click()
    reject = page.get_by_role("button", name="Reject: thing0_small.jpg")
    assert reject.get_attribute("aria-pressed") == "true"
    assert (
        page.get_by_role("button", name="Keep: thing0_0.jpg").get_attribute("aria-pressed")
        == "true"
    )
    page.reload()
    page.locator("#groups .example").first.wait_for()
    with page.expect_download() as saved:
        page.get_by_role("button", name="All marks (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text("utf-8"))))
    assert ("reject", "2019/thing0_small.jpg") in {(row["mark"], row["name"]) for row in rows}
    assert ("keep", "2019/thing0_0.jpg") in {(row["mark"], row["name"]) for row in rows}
    with page.expect_download() as saved:
        page.get_by_role("button", name="List of the rejected").click()
    assert (
        str(album / "2019" / "thing0_small.jpg")
        in Path(saved.value.path()).read_text("utf-8").splitlines()
    )
    page.locator(".strip .card a.open").first.click()
    page.locator("#pair svg.pair.beside").wait_for()
    assert {file: file.stat().st_mtime_ns for file in album.rglob("*.jpg")} == files


def test_by_keyboard_alone(tab: Tab) -> None:
    """From the first Tab to a photo, its answer, a pair, and a part marked and searched with."""
    page = tab()
    page.locator(".cell a").first.wait_for()
    focused = "document.activeElement"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # "To the photos"
    assert page.evaluate(f"{focused}.matches('.cell a')")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    at = int(page.evaluate(f"{focused}.closest('li').dataset.at"))
    assert at > 1
    page.keyboard.press("Space")
    page.locator("#chosen b", has_text="1 photo chosen").wait_for()
    page.keyboard.press("Home")
    assert page.evaluate(f"{focused}.closest('li').dataset.at") == "0"
    page.keyboard.press("Enter")
    page.locator(CARDS).first.wait_for()
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate(f"{focused}.matches('.stage')"):
            break
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**box=**")
    x0, y0, _, y1 = (float(v) for v in asked(page)["box"].split(","))
    assert x0 > 300 / 4 and y1 - y0 > 300 / 2
    page.locator(CARDS).first.wait_for()
    page.locator(".results a.open").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("#pair svg.pair.beside").wait_for()
    assert page.evaluate("document.querySelector('#pair').contains(document.activeElement)")
    page.keyboard.press("Escape")
    page.locator("#pair[open]").wait_for(state="detached")
    assert page.evaluate(f"{focused}.matches('.results a.open')")


def test_names_are_text(tab: Tab) -> None:
    """Whatever a file is called, it is shown and does nothing, in every view."""
    page = tab()
    open_photo(page, "<img src=x")
    shown = page.locator(".asked .name").text_content()
    assert shown.endswith("<img src=x onerror=document.title='owned'>.jpg")
    assert "\"quoted' & <script>.jpg" in names(page, SAME)
    page.locator(f"{SAME} a.open", has_text="quoted").click()
    page.locator("#pair svg.pair.beside").wait_for()
    assert "\"quoted' & <script>.jpg" in page.locator("#pair-name").text_content()
    page.goto("/?view=groups")
    page.locator("#groups .example").first.wait_for(timeout=60_000)
    assert page.locator("main script, main img[src=x], dialog script").count() == 0
    assert "owned" not in page.title()


def test_folders_dates_and_chosen_photos(tab: Tab, album: Path) -> None:
    """Filters stand in the address; what is chosen is saved as a list."""
    page = tab()
    total = page.locator("#photos h1")
    page.locator("#photos h1", has_text="13 photos").wait_for()
    page.locator("#photos-folder").select_option("2020/")
    page.locator("#photos h1", has_text="6 photos in 2020/").wait_for()
    page.go_back()
    page.locator("#photos h1", has_text="13 photos").wait_for()
    page.locator("#photos-until").fill("2019-12-31")
    page.locator("#photos h1", has_text="7 photos").wait_for()
    assert asked(page)["until"] == "2019-12-31", total.text_content()
    open_photo(page, "thing0_0.jpg")
    assert not [name for name in names(page) if name.startswith(("thing1", "thing3"))]
    page.get_by_role("button", name="Choose these").first.click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="List of paths").click()
    lines = Path(saved.value.path()).read_text("utf-8").splitlines()
    assert str(album / "2019" / "thing0_1.jpg") in lines
    assert all(Path(line).is_file() for line in lines)


def test_map(tab: Tab) -> None:
    page = tab("/?view=map")
    page.locator(".mark-at").first.wait_for()
    assert "8 photos with a position" in page.locator("#map h1").text_content()
    shown = page.locator(".mark-at").evaluate_all(
        "marks => marks.map(mark => Number(mark.dataset.count))"
    )
    assert sum(shown) == 8
    page.get_by_role("button", name="Farther").click()
    page.get_by_role("button", name="Farther").click()
    page.locator(".mark-at").first.click()
    page.locator(".here .card").first.wait_for()
    page.wait_for_url("**at=48.2*")
    page.locator(".here a.open").first.click()
    page.locator(CARDS).first.wait_for()
    page.get_by_role("button", name="Where was it taken?").click()
    page.locator(".where", has_text="Not enough evidence").or_(
        page.locator(".where b", has_text="° N")
    ).wait_for()
