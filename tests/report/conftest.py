"""Small pictures and a parser that balances tags."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from kinfold.report.content import Picture

VOID = {"meta", "link", "br", "hr", "img", "input", "col"}


class Page(HTMLParser):
    """A page taken apart; a tag that is closed out of turn, or not at all, fails."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self.stack: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []  # text outside of <script> and <style>
        self.feed(source)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({key for key, _ in attrs}) == len(attrs), f"<{tag}> repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack and self.stack[-1] == tag, f"</{tag}> within {self.stack[-3:]}"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.stack):
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """The attributes of every such element; ``class_`` is one of its classes."""
        kind = wanted.pop("class_", None)
        return [
            attrs
            for name, attrs in self.tags
            if name == tag
            and (kind is None or kind in (attrs.get("class") or "").split())
            and all(attrs.get(key) == value for key, value in wanted.items())
        ]


@pytest.fixture
def parse() -> Callable[[str], Page]:
    """A page taken apart, after what every page must keep: one file, no requests, no double ids."""

    def parsed(source: str) -> Page:
        page = Page(source)
        assert "http://" not in source and "https://" not in source
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(set(ids)) == len(ids)
        for tag, attrs in page.tags:
            for key in ("href", "src"):
                value = attrs.get(key)
                # A photo's own file is opened where somebody asks for it.
                local = ("file:///",) if tag == "a" else ()
                assert value is None or value.startswith(("#", "data:", *local)), value
                if value is not None and value.startswith("#"):
                    assert value[1:] in ids, f"{value} leads nowhere"
            assert not [key for key in attrs if key.startswith("on")]
        return page

    return parsed


@pytest.fixture
def picture() -> Callable[..., Picture]:
    """A picture of a name; each name has bytes of its own."""

    def made(name: str = "a.jpg", width: int = 640, height: int = 480) -> Picture:
        return Picture(
            name,
            b"\xff\xd8\xff" + name.encode("utf-8", "surrogatepass") + b"\xff\xd9",
            width,
            height,
        )

    return made
