"""What the page does with very many photos, on a phone, beside an update, before a token; and that it is accessible."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

# The tests beside these take most people's way through the page; `dev/test -m slow tests/serve/page` runs these.
pytestmark = pytest.mark.slow
Tab = Callable[..., Any]

MANY = 100_000
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}


def answered(
    page: Any, pattern: str, answer: Callable[[dict[str, str]], Any]
) -> list[dict[str, str]]:
    """Have requests answered here, by their parameters; what was asked."""
    asked: list[dict[str, str]] = []

    def reply(route: Any) -> None:
        given = {k: v[0] for k, v in parse_qs(urlsplit(route.request.url).query).items()}
        asked.append(given)
        route.fulfill(body=json.dumps(answer(given)), content_type="application/json")

    page.route(pattern, reply)
    return asked


def search_path(page: Any) -> str:
    """The address of an answer, and of the first pair in it."""
    id = page.evaluate("fetch('/api/photos?limit=1').then(a => a.json()).then(a => a.photos[0].id)")
    return f"/?id={id}"


def test_a_hundred_thousand_photos(tab: Tab) -> None:
    """Only those near the window exist, and only those are asked for; End leads to the last."""
    page = tab(None)
    first = {"width": 300, "height": 300, "taken": None, "place": None, "missing": False}

    def photos(given: dict[str, str]) -> dict[str, Any]:
        start = int(given["offset"])
        rows = range(start, min(start + int(given["limit"]), MANY))
        return {"total": MANY, "photos": [{"id": n, "name": f"{n:06}.jpg", **first} for n in rows]}

    asked = answered(page, "**/api/photos?*", photos)
    pixel = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'
    thumbnails: list[str] = []

    def thumbnail(route: Any) -> None:
        thumbnails.append(route.request.url)
        route.fulfill(body=pixel, content_type="image/svg+xml")

    page.route("**/thumbnail?*", thumbnail)
    page.goto("/")
    page.locator(".cell a").first.wait_for()
    assert page.locator("#photos h1").text_content() == "100,000 photos"
    page.locator(".cell a").first.focus()
    page.keyboard.press("End")
    page.locator(".cell a:focus", has_text="099999.jpg").wait_for()
    assert page.locator(".cell").count() < 150
    assert page.locator(".cell[aria-posinset='100000'][aria-setsize='100000']").count() == 1
    # A scroll through all of it asks for next to nothing on the way.
    page.evaluate("""async () => {
      for (let k = 40; k >= 0; k--) {
        scrollTo(0, document.body.scrollHeight * k / 40);
        await new Promise(requestAnimationFrame);
      }
    }""")
    page.locator(".cell[aria-posinset='1'] a").wait_for()
    assert page.locator(".cell").count() < 150
    assert len(asked) < 20
    assert len(thumbnails) < 400


def test_beside_an_update(tab: Tab) -> None:
    """How far another process is; when it is done the page shows what is new."""
    page = tab(None)
    told = [{"updating": True, "stage": "describing", "done": 120, "of": 300}, {"updating": False}]
    answered(page, "**/api/progress", lambda _: told[0] if len(told) > 1 else told[-1])
    infos: list[int] = []
    page.on("request", lambda request: request.url.endswith("/api/info") and infos.append(1))
    page.goto("/")
    page.locator("#progress", has_text="describing 120 of 300").wait_for()
    before = len(infos)
    told.pop(0)
    page.locator("#progress").wait_for(state="hidden")
    page.locator(".cell a").first.wait_for()
    assert len(infos) == before + 1


def test_asks_for_a_token(tab: Tab) -> None:
    page = tab(None, failing="401")
    refused = json.dumps({"error": {"code": "token", "message": "This server asks for a token."}})
    page.route(
        "**/api/info",
        lambda route: route.fulfill(status=401, body=refused, content_type="application/json"),
    )
    page.goto("/")
    page.get_by_label("Token").fill("secret")
    page.get_by_role("button", name="Open").click()
    page.wait_for_load_state()
    assert page.get_by_label("Token").is_visible()


def test_a_busy_server_is_asked_again(tab: Tab) -> None:
    page = tab(None, failing="429")
    tries: list[int] = []

    def busy(route: Any) -> None:
        tries.append(1)
        if len(tries) < 2:
            route.fulfill(
                status=429, headers={"Retry-After": "1"}, body="{}", content_type="application/json"
            )
        else:
            route.continue_()

    page.route("**/api/search", busy)
    page.goto("/")
    page.locator(".cell a").first.click()
    page.locator(".results .card").first.wait_for()
    assert len(tries) == 2


def test_on_a_phone(tab: Tab) -> None:
    """No view is wider than the screen; a finger draws a box."""
    page = tab("/", **PHONE)
    page.locator(".cell a").first.wait_for()
    search = search_path(page)
    ready = {
        "/": ".cell a",
        search: ".results .card",
        "/?view=groups": "#groups .example",
        "/?view=map": ".mark-at",
    }
    for path, there in ready.items():
        page.goto(path)
        page.locator(there).first.wait_for(timeout=60_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    page.goto(search)
    page.locator(".results .card").first.wait_for()
    page.locator(".stage").evaluate("""stage => {
      const frame = stage.getBoundingClientRect();
      const at = (share) => ({clientX: frame.left + share * frame.width, clientY: frame.top + share * frame.height});
      const tell = (kind, share) => stage.dispatchEvent(new PointerEvent(kind,
        {pointerId: 1, pointerType: "touch", bubbles: true, cancelable: true, ...at(share)}));
      stage.setPointerCapture = () => {};
      tell("pointerdown", .2); tell("pointermove", .5); tell("pointermove", .7); tell("pointerup", .7);
    }""")
    page.get_by_role("button", name="Search with this part").tap()
    page.wait_for_url("**box=**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(tab: Tab, scheme: str) -> None:
    """Every view, light and dark, has no violation of axe-core's rules."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = tab("/", color_scheme=scheme, reduced_motion="reduce")
    page.locator(".cell a").first.wait_for()
    search = search_path(page)
    page.goto(search)
    hit = page.locator(".results .card").nth(1).get_attribute("data-id")
    views = {
        "/": ".cell a img",
        f"{search}&box=20,20,200,200&unlike={hit}": ".judged img",
        f"{search}&hit={hit}": "#pair .body:not([aria-busy])",
        "/?view=groups": "#groups .example",
        "/?view=map": ".mark-at",
    }
    for path, there in views.items():
        page.goto(path)
        page.locator(there).first.wait_for(timeout=60_000)
        if path == "/":
            page.locator(".cell .tick input").first.check(force=True)
        found = axe.run(page).response["violations"]
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found]
        assert told == [], path
