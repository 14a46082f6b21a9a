"""The page's files, without a browser: they are complete, plain, and ask nothing of others."""

from __future__ import annotations

import re
from pathlib import Path

import kinfold

PAGE = Path(kinfold.__file__).parent / "serve" / "page"
FILES = sorted(path for path in PAGE.iterdir() if path.is_file())


def test_every_file_that_is_named_is_there_and_every_file_is_named() -> None:
    """Addresses in the page and imports in modules lead to files of the folder; none lies there unused."""
    index = (PAGE / "index.html").read_text("utf-8")
    named = {name for name in re.findall(r'"/page/([^"]+)"', index) if name != "look.css"}
    for module in PAGE.glob("*.js"):
        named |= set(re.findall(r'^import .* from "\./([^"]+)";$', module.read_text("utf-8"), re.M))
    assert named | {"index.html"} == {path.name for path in FILES}


def test_nothing_is_asked_of_others_and_no_text_is_read_as_markup() -> None:
    """No address but that of the name space of SVG; no markup, style or code from strings."""
    for path in FILES:
        text = path.read_text("utf-8")
        assert set(re.findall(r"\w+://[^\"'\s<]+", text)) <= {"http://www.w3.org/2000/svg"}, (
            path.name
        )
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|@import"
        assert not re.search(forbidden, text), path.name
    index = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", index)


def test_files_are_small() -> None:
    for path in FILES:
        assert len(path.read_text("utf-8").splitlines()) <= 400, path.name
