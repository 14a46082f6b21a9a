"""What models give, as maps or codes: on torch's tensors and on numpy's arrays alike."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

# Tokens before those of the patches: a class, a distilled one, registers.
_MOST_PREFIX = 16


class Output(NamedTuple):
    """What of a model's output is used, and how.

    rank : of the output: 2 for vectors (n, d), 3 for tokens (n, t, d), 4 for maps
    token : the class token alone, of tokens
    last : channels are the last axis of maps
    prefix : tokens before those of patches; None to tell it from how many there are
    flat : maps of one place, which are vectors
    """

    rank: int
    token: bool = False
    last: bool = False
    prefix: int | None = None
    flat: bool = False

    @property
    def codes(self) -> bool:
        """Whether it gives codes (n, d)."""
        return self.rank == 2 or self.token or self.flat


def as_features(values: Any, image: tuple[int, int], output: Output) -> Any:
    """A model's output for images (height, width) as maps (n, d, h, w) or codes (n, d).

    Raises ValueError where it has another rank than at first, or tokens lie on no grid.
    """
    if values.ndim != output.rank:
        raise ValueError(
            f"weights: the model gives an output of {values.ndim} axes, not {output.rank} as before"
        )
    if output.rank == 2:
        return values
    if output.flat:
        return values.reshape(len(values), -1)
    if output.rank == 4:
        return values.swapaxes(1, 3).swapaxes(2, 3) if output.last else values
    rows, columns, prefix = grid_of(values.shape[1], image, output.prefix)
    if output.token:
        if prefix < 1:
            raise ValueError(
                "pooling: expected another than 'cls', as the model has no class token"
            )
        return values[:, 0]
    patches = values[:, prefix:].swapaxes(1, 2)
    return patches.reshape(len(values), -1, rows, columns)


def grid_of(tokens: int, image: tuple[int, int], prefix: int | None = None) -> tuple[int, int, int]:
    """Rows and columns of patches, and tokens before them: of square patches that an image (height, width) is cut into.

    Raises ValueError where that many tokens are of no such grid.
    """
    height, width = image
    for patch in range(1, math.gcd(height, width) + 1):
        if height % patch or width % patch:
            continue
        before = tokens - (height // patch) * (width // patch)
        if (0 <= before <= _MOST_PREFIX) if prefix is None else before == prefix:
            return height // patch, width // patch, before
    raise ValueError(
        f"weights: {tokens} tokens of an image of {height} x {width} pixels lie on no grid of patches"
    )


def rank_for(pooling: Any) -> int | None:
    """The rank of the output that a pooling wants, where a model has several; None for any."""
    if pooling is None or not isinstance(pooling, str):
        return None
    return {"flatten": 2, "cls": 3}.get(pooling, 4)


def chosen(outputs: dict[str, int | None], layer: str | None, pooling: Any) -> str:
    """The name of the output to use: the one that is named, the only one, or the only one of the rank that fits.

    outputs : name -> rank, None where a model does not tell
    Raises ValueError with the names where that does not decide.
    """
    if layer is not None:
        if layer not in outputs:
            raise ValueError(
                f"layer: expected one of the outputs {', '.join(outputs)}, got {layer!r}"
            )
        return layer
    if len(outputs) == 1:
        return next(iter(outputs))
    wanted = rank_for(pooling)
    for rank in [wanted] if wanted != 4 else [4, 3]:
        fitting = [name for name, of in outputs.items() if of == rank]
        if len(fitting) == 1:
            return fitting[0]
    kinds = {2: "vectors", 3: "tokens", 4: "maps"}
    listed = ", ".join(
        f"{name} ({kinds.get(rank or 0, 'of rank ' + str(rank))})" for name, rank in outputs.items()
    )
    raise ValueError(f"layer: the model has several outputs, name one of: {listed}")
