"""The sheet that every page is written on: one file without requests, each photo stored once."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from kinfold.report.pictures import Box, Picture, Points

# Control characters, which HTML forbids, become their pictures; half surrogates, which stand for bytes of
# file names that are not UTF-8, become the replacement character, as UTF-8 has no bytes for them; so do marks that
# turn the direction of writing, which in a title or a label would turn what stands after the name.
_SHOWN = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421}
_TURNING = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029]
_SHOWN |= dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000), *_TURNING], 0xFFFD)


def text(value: object) -> str:
    """Anything as text that is safe between tags and within quoted attributes."""
    return html.escape(str(value).translate(_SHOWN))


def number(value: float, digits: int = 3) -> str:
    """A score for eyes; a dash where there is none."""
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}") if math.isfinite(value) else "–"


def name(value: str) -> str:
    """A file name, whose direction of writing stays its own."""
    return f'<bdi class="name">{text(value)}</bdi>'


def link_to(file: str) -> str:
    """The address of a file on this computer; empty where it has no whole path."""
    return Path(file).as_uri() if os.path.isabs(file) else ""


def facts_list(facts: Mapping[str, str]) -> str:
    """Terms and what they are, as a list of descriptions; nothing for no facts."""
    if not facts:
        return ""
    rows = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in facts.items())
    return f'<dl class="facts">{rows}</dl>'


def path_of(points: Points) -> str:
    """The coordinates of a polygon, to a tenth of a pixel; far ones are brought near, browsers overflow."""
    near = np.clip(points, -1e5, 1e5)
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in near.tolist())


class Album:
    """The photos of a page: each is stored once, however often it is shown."""

    def __init__(self) -> None:
        self._pictures: dict[tuple[bytes, int, int], int] = {}

    def use(self, picture: Picture, placement: str = "") -> str:
        """An SVG element that shows a photo, in a system of coordinates of the photo's own pixels."""
        key = (picture.jpeg, picture.width, picture.height)
        number = self._pictures.setdefault(key, len(self._pictures))
        return f'<use href="#p{number}"{placement}/>'

    def figure(
        self,
        picture: Picture,
        label: str,
        *,
        box: Box | None = None,
        outline: Points | None = None,
        regions: Sequence[Box] = (),
    ) -> str:
        """A photo with the region that was asked for (solid) or those that were found (dashed)."""
        width, height = picture.width, picture.height
        drawn = "".join(polygon(corners_of(region), "outline") for region in regions)
        if box is not None:
            drawn += polygon(corners_of(box), "box")
        if outline is not None and len(outline):
            drawn += polygon(outline, "outline")
        if drawn:
            # A drawing of its own cuts lines off at the photo's edge, where the figure is wider than the photo.
            drawn = f'<svg width="{width}" height="{height}">{drawn}</svg>'
        return (
            f'<svg class="photo" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{text(label)}">{self.use(picture)}{drawn}</svg>'
        )

    def definitions(self) -> str:
        """The photos themselves, as SVG definitions."""
        images = "".join(
            f'<image id="p{n}" width="{width}" height="{height}" preserveAspectRatio="none" '
            f'href="data:image/jpeg;base64,{base64.b64encode(jpeg).decode("ascii")}"/>'
            for (jpeg, width, height), n in self._pictures.items()
        )
        return f'<svg class="album" width="0" height="0" aria-hidden="true"><defs>{images}</defs></svg>'


def corners_of(box: Box) -> Points:
    """A box as a polygon (4, 2)."""
    x0, y0, x1, y1 = box
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)


def within(points: Points, width: float, height: float) -> Points:
    """What of a polygon (n, 2) lies in a photo, a polygon too; none where that is less than a pixel.

    Sutherland & Hodgman, CACM 1974: cut at one side of the photo after the other.
    """
    corners = points.tolist()
    for axis, limit, sign in ((0, 0.0, 1), (0, width, -1), (1, 0.0, 1), (1, height, -1)):
        cut = []
        for a, b in zip(corners, corners[1:] + corners[:1]):
            from_a, from_b = sign * (a[axis] - limit), sign * (b[axis] - limit)
            if from_a >= 0:
                cut.append(a)
            if from_a * from_b < 0:
                share = from_a / (from_a - from_b)
                end = [a[i] + share * (b[i] - a[i]) for i in (0, 1)]
                end[axis] = limit
                cut.append(end)
        corners = cut
    kept = np.array(corners, np.float64).reshape(-1, 2)
    x, y = kept.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return kept if area >= 1 else np.empty((0, 2))


def polygon(points: Points, kind: str) -> str:
    """A closed line with a dark rim, which shows on light and dark photos alike."""
    corners = path_of(points)
    return f'<polygon class="rim" points="{corners}"/><polygon class="{kind}" points="{corners}"/>'


def sheet(title: str, body: str, album: Album) -> str:
    """A whole HTML file: the body, the album's photos, the style, the keys.

    A policy in the file itself forbids every request and every script but this one.
    """
    folder = resources.files("kinfold.report") / "templates"
    style, keys, frame = (
        (folder / file).read_text(encoding="utf-8") for file in ("page.css", "keys.js", "page.html")
    )
    digest = base64.b64encode(hashlib.sha256(keys.encode("utf-8")).digest()).decode("ascii")
    return Template(frame).substitute(
        title=text(title),
        style=style,
        keys=keys,
        digest=digest,
        album=album.definitions(),
        body=body,
    )
