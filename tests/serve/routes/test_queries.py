"""A photo that was sent is shown again, to who knows its token, as long as it is kept."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def test_a_photo_that_was_sent_is_shown_upright_without_what_its_file_says(server) -> None:
    pixels = np.random.default_rng(3).integers(0, 255, (90, 160, 3), np.uint8)
    sent = Image.fromarray(pixels)
    exif = sent.getexif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    file = io.BytesIO()
    sent.save(file, "PNG", exif=exif)
    token = server.upload("/api/search", file.getvalue()).json["token"]
    answer = server.get(f"/api/queries/{token}/image?side=80")
    assert answer.status == 200 and answer.headers["content-type"] == "image/jpeg"
    shown = Image.open(io.BytesIO(answer.body))
    assert shown.size == (45, 80) and not shown.getexif()
    assert server.get(f"/api/queries/{token}/image").status == 200


def test_what_is_not_kept_is_said_to_be_unknown(server) -> None:
    answer = server.get("/api/queries/nothing/image")
    assert answer.status == 404 and answer.error["code"] == "unknown_query"
    assert server.get("/api/queries/id-1/image").error["code"] == "unknown_query"
    assert server.get("/api/queries/nothing/image?side=5").error["argument"] == "side"
