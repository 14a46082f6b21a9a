"""Ground truth as Oxford5k and Paris6k publish it: four small text files a query."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.base.text import decoded

_MOST_BYTES = 1 << 22


def read(
    folder: str | os.PathLike[str],
    imlist: Sequence[str],
    *,
    prefix: str = "",
    absent: Collection[str] = (),
) -> dict[str, Any]:
    """The fields of ``GroundTruth.from_dict`` from ``<landmark>_<n>_{query,good,ok,junk}.txt``.

    imlist : names of the database's images, without extension
    prefix : that names of queries carry and images do not: "oxc1_" in Oxford5k
    absent : names that lists may hold although there is no such image
    Positives ("ok") are good and ok together (Philbin et al. 2007); "good" alone is kept beside. "qname" holds the
    files' own names, such as all_souls_1; queries are in their alphabetic order.
    Raises FileFormatError for a list that is missing or makes no sense; FileNotFoundError without any query.
    """
    place = {name: i for i, name in enumerate(imlist)}
    queries = sorted(Path(folder).glob("*_query.txt"))
    if not queries:
        raise FileNotFoundError(f"{folder}: no files named *_query.txt")
    gnd, qimlist, qname = [], [], []
    for path in queries:
        stem = path.name.removesuffix("_query.txt")
        fields = _text(path).split()
        try:
            name, box = fields[0].removeprefix(prefix), [float(field) for field in fields[1:]]
        except (IndexError, ValueError):
            name, box = "", []
        if len(box) != 4:
            raise FileFormatError(
                f"{path}: expected a name and x0 y0 x1 y1, got {' '.join(fields)[:80]!r}"
            )
        lists: dict[str, list[int]] = {}
        for kind in ("good", "ok", "junk"):
            names = _text(path.with_name(f"{stem}_{kind}.txt")).split()
            unknown = [n for n in names if n not in place and n not in absent]
            if unknown:
                raise FileFormatError(
                    f"{path.with_name(f'{stem}_{kind}.txt')}: names {unknown[0]!r}, which is no image of the database"
                )
            lists[kind] = sorted({place[n] for n in names if n in place})
        positives = sorted({*lists["good"], *lists["ok"]})
        gnd.append({"bbx": box, "ok": positives, "junk": lists["junk"], "good": lists["good"]})
        qimlist.append(name)
        qname.append(stem)
    return {"imlist": list(imlist), "qimlist": qimlist, "gnd": gnd, "qname": qname}


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise FileFormatError(f"{path}: is not a regular file")
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise FileFormatError(f"{path}: is missing beside the query's other lists") from None
    if len(data) > _MOST_BYTES:
        raise FileFormatError(f"{path}: too long for a list of names")
    try:
        text = decoded(data)
    except UnicodeDecodeError:
        text = "\ufffd"
    if not text.isascii():
        raise FileFormatError(f"{path}: expected plain text")
    return text
