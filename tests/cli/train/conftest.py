"""A folder of classes, and weights to begin with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")


@pytest.fixture(scope="session")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four classes of four photos: spots of one size, in any colour. Not to be changed."""
    root = tmp_path_factory.mktemp("train") / "classes"
    random = np.random.default_rng(0)
    for label, radius in enumerate((2, 5, 9, 14)):
        (root / f"spots{radius}").mkdir(parents=True)
        for i in range(4):
            image = np.full((64, 72, 3), random.integers(0, 256, 3), np.uint8)
            for _ in range(300 // radius**2 + 3):
                x, y = (int(v) for v in random.integers(0, 64, 2))
                colour = tuple(int(v) for v in random.integers(0, 256, 3))
                cv2.circle(image, (x, y), radius, colour, -1)
            cv2.imwrite(str(root / f"spots{radius}" / f"{label}{i}.png"), image)
    return root


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a compact network that has learnt nothing."""
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights

    path = tmp_path_factory.mktemp("train") / "start.safetensors"
    save_weights(path, random_network("compact", 0), "compact")
    return path
