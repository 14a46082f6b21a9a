"""What a network saw, drawn: the parts that make two photos alike, and where it looks in the query."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from kinfold.report.content import Answer, Picture, Result
from kinfold.report.page import Album, number, text
from kinfold.report.seen import Attention, Components

_PARTS = 6  # components drawn; every one has a colour of its own


def components_view(album: Album, answer: Answer, result: Result) -> str:
    """The query and a photo, each with the boxes of the components that they share most."""
    seen = result.components
    if seen is None or not len(seen.channels):
        return ""
    shown = range(min(_PARTS, len(seen.channels)))
    photos = "".join(
        # As wide as its shape: both are of one height.
        f'<figure style="flex:{picture.width / picture.height:.3f} 1 0">'
        f"{_figure(album, picture, _numbered(picture, boxes[: len(shown)]), label)}</figure>"
        for picture, boxes, label in (
            (answer.picture, seen.query_boxes, "Query, components"),
            (result.picture, seen.photo_boxes, "Photo, components"),
        )
    )
    most = max(float(seen.contributions.max()), 1e-12)
    rows = "".join(
        f'<li class="k{i}"><span class="swatch"></span><b>{i + 1}</b> channel {int(seen.channels[i])}'
        f'<span class="meter" aria-hidden="true"><i style="width:'
        f'{100 * max(0.0, float(seen.contributions[i])) / most:.0f}%"></i></span>'
        f'<span class="score">{number(float(seen.contributions[i]))}</span></li>'
        for i in shown
    )
    return (
        f'<section class="alike"><h3>What the network finds alike</h3><div class="twins">{photos}</div>'
        f'<ol class="parts">{rows}</ol><p class="note">{_sum_note(seen, len(shown))}</p></section>'
    )


def attention_view(album: Album, answer: Answer) -> str:
    """The query under CroW's spatial weights, and the places of its rarest channels."""
    seen = answer.attention
    if seen is None:
        return ""
    picture = answer.picture
    heat = _figure(album, picture, _heat(seen), "Query, spatial weights")
    channels = "".join(
        f"<figure>{_figure(album, picture, _places(boxes), f'Query, channel {int(channel)}')}"
        f'<figcaption>channel {int(channel)} · <span class="score">{number(float(weight), 2)}</span>'
        "</figcaption></figure>"
        for channel, weight, boxes in zip(seen.channels, seen.channel_weights, seen.boxes)
    )
    return (
        '<details class="looks"><summary>Where the network looks in the query</summary>'
        f'<div class="attention"><figure>{heat}<figcaption>Spatial weights of CroW: the brighter, the more all '
        f'channels together say of a place.</figcaption></figure><div><div class="channels">{channels}</div>'
        f'<p class="note">The {len(seen.boxes)} channels that answer at the fewest places, which CroW weighs most, '
        f"and {_what(seen.effective)} of those places. The number is a channel's weight.</p></div></div></details>"
    )


def _what(effective: bool) -> str:
    if effective:
        return "the middle (six strides; whole receptive fields are larger than the photo)"
    return "the receptive fields"


def _sum_note(seen: Components, shown: int) -> str:
    given = number(float(seen.contributions[:shown].sum()))
    return (
        f"Boxes are {_what(seen.effective)} of the places where a channel answers most. These {shown} contribute "
        f"{given} of the similarity {number(seen.similarity)}, both at one scale."
    )


def _figure(album: Album, picture: Picture, drawn: str, label: str) -> str:
    width, height = picture.width, picture.height
    return (
        f'<svg class="photo" viewBox="0 0 {width} {height}" role="img" aria-label="{text(label)}">'
        f'{album.use(picture)}<svg width="{width}" height="{height}">{drawn}</svg></svg>'
    )


def _rectangle(box: NDArray[np.float64], kind: str) -> str:
    x0, y0, x1, y1 = np.clip(box, -1e5, 1e5).tolist()
    place = (
        f'x="{x0:.1f}" y="{y0:.1f}" width="{max(x1 - x0, 0):.1f}" height="{max(y1 - y0, 0):.1f}"'
    )
    return f'<rect class="rim" {place}/><rect class="{kind}" {place}/>'


def _numbered(picture: Picture, boxes: NDArray[np.float64]) -> str:
    """Boxes in the colours of the list beside them, the first on top, a number in the middle of each."""
    size = max(picture.width, picture.height) / 22
    drawn = ""
    for i in reversed(range(len(boxes))):
        x, y = (boxes[i, :2] + boxes[i, 2:]) / 2
        drawn += (
            f'<g class="k{i}">{_rectangle(boxes[i], "part")}<circle class="spot" cx="{x:.1f}" cy="{y:.1f}" '
            f'r="{0.62 * size:.1f}"/>'
            f'<text class="tag" x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}">{i + 1}</text></g>'
        )
    return drawn


def _places(boxes: NDArray[np.float64]) -> str:
    return "".join(_rectangle(box, "place") for box in boxes)


def heat_png(weights: NDArray[np.float64]) -> bytes:
    """Weights (h, w) from 0 as a PNG file of one pixel a place, to lie over the photo: clear where most is."""
    share = weights / max(float(weights.max()), 1e-12)
    # Dark where little is, then red, yellow, clear: what weighs most is seen best.
    stops = np.array([0, 0.35, 0.7, 1])
    colours = np.array(
        [(8, 8, 30, 190), (150, 20, 60, 150), (250, 140, 20, 110), (255, 235, 120, 60)]
    )
    rgba = np.stack([np.interp(share, stops, colours[:, i]) for i in range(4)], axis=2)
    return _png(rgba.round().astype(np.uint8))


def _heat(seen: Attention) -> str:
    """Weights as a picture of one pixel a place, which the browser enlarges smoothly."""
    x0, y0, x1, y1 = seen.area
    data = base64.b64encode(heat_png(np.asarray(seen.weights))).decode("ascii")
    return (
        f'<image x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    )


def _png(rgba: NDArray[np.uint8]) -> bytes:
    """Pixels (h, w, 4) as a PNG file."""
    height, width = rgba.shape[:2]

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = np.pad(
        rgba.reshape(height, -1), ((0, 0), (1, 0))
    )  # each row begins with its filter: none
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )
