"""Writes the files of a format version, with the answers that they must give for ever.

    python tests/golden/make.py tests/golden/files/v1

Run once for a new format version. Files that exist are never written again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "io"))

from tiny import FACTORIES, use

import kinfold as kf


def main(folder: Path) -> None:
    """Write each kind's file and answer."""
    for kind, make in FACTORIES.items():
        target = folder / f"{kind}.kin"
        if target.exists():
            continue
        thing = make()
        kf.save(thing, target)
        answer = use(kind, kf.load(target))
        parts = answer if isinstance(answer, tuple) else (answer,)
        np.savez(folder / f"{kind}.answer.npz", *[np.asarray(p) for p in parts])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
