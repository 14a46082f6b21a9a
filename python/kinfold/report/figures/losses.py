"""What pairs and triplets cost by their distances."""

from __future__ import annotations

import os

import numpy as np

from kinfold.base.extras import require
from kinfold.learn.losses.contrastive import ContrastiveLoss
from kinfold.learn.losses.triplet import TripletLoss
from kinfold.report.figure import write_png
from kinfold.report.figures.plane import BLUE, RED


def losses(path: str | os.PathLike[str]) -> None:
    """The contrastive loss draws similar pairs together and pushes others apart up to the margin.

    The triplet loss compares: it is there where the positive is not nearer than the negative by the margin.
    """
    torch = require("torch")
    x = torch.linspace(0, 1.5, 200)
    pair, triplet = ContrastiveLoss(1.0), TripletLoss(0.3)
    figure = require("matplotlib.figure").Figure(figsize=(7.4, 3), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    for similar, colour, name in ((True, BLUE, "similar"), (False, RED, "dissimilar")):
        cost = pair.values(x, torch.full(x.shape, similar))
        left.plot(x, cost, color=colour, lw=1.8, label=name)
    left.axvline(pair.margin, color="#b9b7ae", lw=0.8, ls="--")
    left.set(xlabel="distance", ylabel="loss", ylim=(0, 1.6))
    left.set_title("contrastive, margin 1", fontsize=9, color="#33342e")
    left.legend(frameon=False, fontsize=8)
    grid = torch.linspace(0, 1.2, 121)
    near, far = torch.meshgrid(grid, grid, indexing="xy")
    cost = triplet.values(near.flatten(), far.flatten()).reshape(near.shape)
    drawn = right.contourf(grid, grid, cost, levels=np.arange(0, 1.81, 0.15), cmap="Blues")
    right.plot(grid, (grid.square() + triplet.margin).sqrt(), color=RED, lw=1.4)
    right.set(xlabel="distance to the positive", ylabel="distance to the negative", ylim=(0, 1.2))
    right.set_title("triplet, margin 0.3: none above the line", fontsize=9, color="#33342e")
    figure.colorbar(drawn, ax=right)
    write_png(path, figure)
