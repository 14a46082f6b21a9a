"""Networks that have learnt nothing, as files of weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kinfold.features.safetensors import write_safetensors


def saved(module: Any, path: Path, prefix: str = "") -> Path:
    """Random weights of a module, in a file; statistics of normalisations are those of no network in particular."""
    random = np.random.default_rng(5)
    tensors = {}
    for name, tensor in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        shape = tuple(tensor.shape)
        if name.endswith("running_var"):
            values = random.uniform(0.5, 1.5, shape)
        else:
            fan = max(1, int(np.prod(shape[1:])))
            values = random.standard_normal(shape) * fan**-0.5
        tensors[prefix + name] = values.astype(np.float32)
    write_safetensors(path, tensors)
    return path


def picture(height: int = 70, width: int = 101, seed: int = 3) -> np.ndarray:
    """Pixels of smooth blots, uint8 (H, W, 3)."""
    random = np.random.default_rng(seed)
    grid = random.integers(0, 256, (height // 6 + 2, width // 6 + 2, 3))
    rows = np.linspace(0, grid.shape[0] - 1.001, height)
    columns = np.linspace(0, grid.shape[1] - 1.001, width)
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None, None], (columns - left)[None, :, None]
    above = grid[top][:, left] * (1 - right) + grid[top][:, left + 1] * right
    below = grid[top + 1][:, left] * (1 - right) + grid[top + 1][:, left + 1] * right
    return (above * (1 - down) + below * down).astype(np.uint8)
