"""What should be found: images, queries, and for each query lists of positions in the image list."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from kinfold.base.arrays import Ids, as_array, as_ids
from kinfold.base.errors import FileFormatError
from kinfold.base.text import decoded

Box = tuple[float, float, float, float]

# The lists that a query may have. Files may hold more, such as Oxford's "good", a part of "ok" that no
# protocol scores.
LISTS = ("ok", "easy", "hard", "junk")


class Truth(TypedDict, total=False):
    """One query. Classic sets have ok and junk, revisited sets easy, hard and junk."""

    ok: Ids
    easy: Ids
    hard: Ids
    junk: Ids
    bbx: Box | None


@dataclass(frozen=True)
class GroundTruth:
    """A retrieval benchmark.

    imlist : names of the database images, each once
    qimlist : names of the query images; a query may itself be in imlist
    gnd : for each query, its lists (int64 positions in imlist) and its box x0, y0, x1, y1 or None

    The fields are those of the ``gnd_*.pkl`` dictionaries (Radenovic et al., CVPR 2018).
    """

    imlist: tuple[str, ...]
    qimlist: tuple[str, ...]
    gnd: tuple[Truth, ...]

    def __len__(self) -> int:
        return len(self.qimlist)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GroundTruth:
        """From ``{"imlist", "qimlist", "gnd"}`` as in the pickles; other fields are passed over.

        Raises ValueError where a field is missing, a name of imlist stands twice, a position is
        outside imlist or stands twice, lists that exclude each other overlap, or a box is empty.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"ground truth: expected a dictionary, got {type(data).__name__}")
        for field in ("imlist", "qimlist", "gnd"):
            if field not in data:
                raise ValueError(f"ground truth: expected the field '{field}'")
        imlist = _names(data["imlist"], "imlist")
        qimlist = _names(data["qimlist"], "qimlist")
        twice = next((name for name, count in Counter(imlist).items() if count > 1), None)
        if twice is not None:
            raise ValueError(f"imlist: expected each name once, got {twice!r} more than once")
        gnd = data["gnd"]
        if not isinstance(gnd, (Sequence, np.ndarray)) or len(gnd) != len(qimlist):
            size = len(gnd) if hasattr(gnd, "__len__") else type(gnd).__name__
            raise ValueError(f"gnd: expected {len(qimlist)} entries, one a query, got {size}")
        truths = tuple(_truth(entry, f"gnd[{i}]", len(imlist)) for i, entry in enumerate(gnd))
        return cls(imlist, qimlist, truths)

    @classmethod
    def from_json(cls, path: str | Path) -> GroundTruth:
        """From a JSON file with the fields of from_dict. Raises FileFormatError."""
        if Path(path).exists() and not Path(path).is_file():
            raise FileFormatError(f"{path}: is not a regular file")
        try:
            data = json.loads(decoded(Path(path).read_bytes()))
        except (ValueError, RecursionError) as error:
            reason = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
            raise FileFormatError(
                f"{path}: not a ground truth: expected JSON with imlist, qimlist and gnd, or gnd_*.pkl{reason}"
            ) from error
        try:
            return cls.from_dict(data)
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """Lists and strings alone, as JSON takes them."""

        def plain(truth: Truth) -> dict[str, Any]:
            lists = {name: truth[name].tolist() for name in LISTS if name in truth}  # type: ignore[literal-required]
            box = truth.get("bbx")
            return {**lists, "bbx": None if box is None else list(box)}

        gnd = [plain(truth) for truth in self.gnd]
        return {"imlist": list(self.imlist), "qimlist": list(self.qimlist), "gnd": gnd}

    def to_json(self) -> str:
        """The text that from_json reads."""
        return json.dumps(self.to_dict())

    def select(self, query: int, names: Sequence[str]) -> Ids:
        """The positions in some of a query's lists together, ascending. Raises ValueError for a missing list."""
        truth = self.gnd[query]
        for name in names:
            if name not in truth:
                kept = ", ".join(found for found in LISTS if found in truth)
                raise ValueError(
                    f"ground truth: expected a list '{name}' for {self.qimlist[query]!r}, got {kept}"
                )
        parts = [truth[name] for name in names]  # type: ignore[literal-required]
        return np.unique(np.concatenate([np.empty(0, np.int64), *parts]))

    def query_positions(self) -> Ids:
        """Where each query image stands in imlist; -1 where it is no database image."""
        position = {name: i for i, name in enumerate(self.imlist)}
        return np.array([position.get(name, -1) for name in self.qimlist], dtype=np.int64)


def _names(x: Any, what: str) -> tuple[str, ...]:
    if isinstance(x, (str, bytes, Mapping)) or not hasattr(x, "__len__"):
        raise ValueError(f"{what}: expected a list of names, got {type(x).__name__}")
    for name in x:
        if not isinstance(name, str):
            raise ValueError(f"{what}: expected names, got {name!r}")
    return tuple(str(name) for name in x)


def _truth(entry: Any, what: str, n: int) -> Truth:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{what}: expected a dictionary, got {type(entry).__name__}")
    truth: Truth = {"bbx": _box(entry.get("bbx"), f"{what}.bbx")}
    for name in LISTS:
        if name in entry:
            truth[name] = _positions(entry[name], f"{what}.{name}", n)  # type: ignore[literal-required]
    if "ok" not in truth and not ("easy" in truth and "hard" in truth):
        raise ValueError(f"{what}: expected the list 'ok', or 'easy' and 'hard'")
    truth.setdefault("junk", np.empty(0, np.int64))
    for a, b in (("ok", "junk"), ("easy", "hard"), ("easy", "junk"), ("hard", "junk")):
        if a not in truth or b not in truth:
            continue
        both = np.intersect1d(truth[a], truth[b])  # type: ignore[literal-required]
        if len(both):
            raise ValueError(f"{what}: expected '{a}' and '{b}' apart, got {int(both[0])} in both")
    return truth


def _positions(x: Any, what: str, n: int) -> Ids:
    ids = as_ids(x, what)
    if len(ids) and ids.max() >= n:
        raise ValueError(f"{what}: expected positions below {n}, got {ids.max()}")
    if len(np.unique(ids)) < len(ids):
        raise ValueError(f"{what}: expected each position once")
    return ids


def _box(x: Any, what: str) -> Box | None:
    if x is None:
        return None
    box = as_array(x, what).astype(np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or box[0] >= box[2] or box[1] >= box[3]:
        raise ValueError(f"{what}: expected x0, y0, x1, y1 with x0 < x1 and y0 < y1, got {x}")
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])
