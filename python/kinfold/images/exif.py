"""What a photo tells about itself: orientation, date, position, camera. Nonsense counts as absent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_ORIENTATION, _MAKE, _MODEL, _DATE = 0x0112, 0x010F, 0x0110, 0x0132
_EXIF_FOLDER, _GPS_FOLDER = 0x8769, 0x8825
_DATE_ORIGINAL, _DATE_DIGITIZED = 0x9003, 0x9004


@dataclass(frozen=True)
class PhotoInfo:
    """Facts from EXIF; None where absent or nonsense.

    taken : local time, ISO 8601 without zone, such as "2024-05-01T12:30:00"
    latitude, longitude : degrees, north and east positive; both or neither
    camera : maker and model
    """

    taken: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    camera: str | None = None


def orientation(exif: Any) -> int:
    """EXIF orientation 1 to 8 of a Pillow ``Exif``; 1 where absent or nonsense."""
    value = _folder(exif, None).get(_ORIENTATION)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def photo_info(exif: Any) -> PhotoInfo:
    """The facts in a Pillow ``Exif``. Never raises."""
    main, more, gps = (_folder(exif, tag) for tag in (None, _EXIF_FOLDER, _GPS_FOLDER))
    dates = (more.get(_DATE_ORIGINAL), more.get(_DATE_DIGITIZED), main.get(_DATE))
    taken = next((iso for iso in map(_date, dates) if iso), None)
    latitude = _degrees(gps.get(2), gps.get(1), "NS", 90)
    longitude = _degrees(gps.get(4), gps.get(3), "EW", 180)
    # Devices without a fix write zeros: a point in the Gulf of Guinea where nobody takes photos.
    if latitude is None or longitude is None or latitude == longitude == 0:
        latitude = longitude = None
    return PhotoInfo(taken, latitude, longitude, _camera(main.get(_MAKE), main.get(_MODEL)))


def _folder(exif: Any, tag: int | None) -> dict[int, Any]:
    """The tags of one directory; empty where it cannot be parsed."""
    try:
        return dict(exif if tag is None else exif.get_ifd(tag))
    except Exception:  # a parser of foreign bytes raises anything
        return {}


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value.split("\0")[0] if c.isprintable()).strip()[:100]


def _date(value: Any) -> str | None:
    try:
        date = datetime.strptime(_text(value)[:19], "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    return date.isoformat() if date.year >= 1826 else None  # the year of the oldest photograph


def _degrees(value: Any, reference: Any, signs: str, most: float) -> float | None:
    """Degrees, minutes, seconds and a letter to a signed number."""
    letter = _text(reference).upper()[:1]
    if letter not in tuple(signs):
        return None
    try:
        parts = [float(part) for part in value]
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    if not 1 <= len(parts) <= 3 or not all(math.isfinite(part) and part >= 0 for part in parts):
        return None
    if any(part > 60 for part in parts[1:]):
        return None
    degrees = sum(part / 60**power for power, part in enumerate(parts))
    if degrees > most:
        return None
    return -degrees if letter == signs[1] else degrees


def _camera(make: Any, model: Any) -> str | None:
    maker, name = _text(make), _text(model)
    if name.lower().startswith(maker.lower()):
        return name or None
    return f"{maker} {name}".strip() or None
