"""Dimensionality reduction by learning an invariant mapping: an explicit map that keeps similar pictures together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from kinfold.base.arrays import Vectors, as_answer, as_array, as_number
from kinfold.base.errors import FileFormatError
from kinfold.base.estimator import Transformer
from kinfold.base.extras import require
from kinfold.base.learnt import Figure, Learnt, Series
from kinfold.base.parameters import Choice, Count, Maybe, Number, Text
from kinfold.learn.loop import History, train
from kinfold.learn.losses.contrastive import ContrastiveLoss
from kinfold.learn.map_network import NETWORKS, map_network
from kinfold.learn.pair_batches import PairBatch, PairBatches
from kinfold.learn.similar import neighbour_pairs

if TYPE_CHECKING:
    import torch
else:
    torch = require("torch")

# The share of training after which repulsion is as strong as it gets.
_RISES = 0.8
_RATE = 3e-3
_ROWS = 1024


class DrLIM(Transformer):
    """A network whose few outputs lie close together for similar pictures and apart for others.

    Unlike `Isomap` and its kin it gives an explicit map: where any new picture belongs is one pass through the network,
    without its neighbours. What is similar is told by neighbours, or by whoever knows: adjacent poses, shifted copies
    (`learn.similar`).

    Parameters
    ----------
    n_components : dimension of the map
    n_neighbors : so many nearest others of each picture are similar to it, where `fit` is given no pairs
    network : "convolutional", for pictures up to some 40 pixels, or "connected": two layers, for any
    margin : distance up to which pictures that are not similar repel one another; the scale of the map
    repulsion, first_repulsion : what dissimilar pairs count for beside similar ones, in the end and at first: it rises
        by equal factors during four fifths of the epochs. Where it is weak, the map finds the large shape of the data
        and no details; where it is strong from the beginning, the map tangles
    dissimilar : pairs that are drawn for each similar one
    epochs, batch : passes over the pictures, and pictures of a step, each of which comes with up to five similar ones
    rate : the first of Adam's, which falls along a cosine; None for 3e-3, and for "connected" 3 / d at most, as every
        step changes what a unit sees by the rate times all d pixels
    device : where torch computes, such as "cpu" or "cuda"
    seed : of weights and of draws

    Attributes
    ----------
    loss_ : mean of each epoch; it is weighed by the repulsion, which rises
    history_ : that of `learn.loop.train`; not of files

    Hadsell, Chopra & LeCun, CVPR 2006.

    Examples
    --------
    >>> strip = np.random.default_rng(0).random((200, 3)) * (1, 0.2, 0)
    >>> model = kf.DrLIM(1, network="connected", epochs=5, verbose=False).fit(strip)
    >>> model.transform(strip[:4]).shape
    (4, 1)
    """

    kind: ClassVar[str] = "learn.DrLIM"

    n_components = Count()
    n_neighbors = Count(most=1 << 24)
    network = Choice(*NETWORKS)
    margin = Number(0, open=True)
    repulsion = Number(0, open=True)
    first_repulsion = Number(0, open=True)
    dissimilar = Count()
    epochs = Count()
    batch = Count(least=2)
    rate = Maybe(Number(0, open=True))
    device = Text().unsaved()
    seed = Count(least=0)
    _shape = Learnt(np.int64, ("sides",))
    _mean = Learnt(np.float32, ("n_features_in_",), finite=True)
    _deviation = Figure()
    _weights = Learnt(np.float32, ("weights",), finite=True)
    loss_ = Series()
    history_: History
    _CHECKED_LATE = True

    def __init__(
        self,
        n_components: int = 2,
        *,
        n_neighbors: int = 5,
        network: str = "convolutional",
        margin: float = 1.0,
        repulsion: float = 0.2,
        first_repulsion: float = 0.02,
        dissimilar: int = 8,
        epochs: int = 16,
        batch: int = 32,
        rate: float | None = None,
        device: str = "cpu",
        seed: int = 0,
        verbose: bool = True,
    ) -> None:
        self.n_components, self.n_neighbors, self.network = n_components, n_neighbors, network
        self.margin, self.repulsion, self.first_repulsion = margin, repulsion, first_repulsion
        self.dissimilar, self.epochs, self.batch, self.rate = dissimilar, epochs, batch, rate
        self.device, self.seed, self.verbose = device, seed, verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        pairs: ArrayLike | None = None,
        **options: Any,
    ) -> DrLIM:
        """Learn the map of pictures (n, height, width), (n, height, width, channels) or vectors (n, d).

        pairs : int (m, 2), rows of pictures, each with one that is similar to it, see learn.pair_batches; None for
            each and its nearest others
        options : further ones of `learn.loop.train`: with ``folder`` a training that was interrupted goes on
        Raises ValueError where there is one picture only, no pair, or NaN.
        """
        self._check_params()
        pixels, shape = as_pictures(X, least=2)
        given = neighbour_pairs(pixels, self.n_neighbors) if pairs is None else pairs
        batches = PairBatches(
            given, len(pixels), batch=self.batch, dissimilar=self.dissimilar, seed=self.seed
        )
        mean = pixels.mean(axis=0, dtype=np.float64).astype(np.float32)
        deviation = float(np.sqrt(np.square(pixels - mean, dtype=np.float64).mean()))
        if not 0 < deviation < np.inf:
            raise ValueError("X: expected pictures that differ, got the same in all of them")
        network = map_network(self.network, shape, self.n_components, seed=self.seed)
        network.to(self.device)
        rate = _RATE if self.network == "convolutional" else min(_RATE, 3 / pixels.shape[1])
        criterion = ContrastiveLoss(self.margin)
        x = _standard(pixels, mean, deviation)

        def weighed(epoch: int) -> Iterator[tuple[PairBatch, Any, float]]:
            count = -(-len(x) // self.batch)
            for i, batch in enumerate(batches(epoch)):
                done = min(1.0, (epoch + i / count) / (_RISES * self.epochs))
                weight = self.first_repulsion ** (1 - done) * self.repulsion**done
                yield batch, torch.from_numpy(x[batch.rows]).to(self.device), weight

        def loss(net: Any, batch: tuple[PairBatch, Any, float]) -> Any:
            of, images, weight = batch
            points = net(images)
            near, far = (
                criterion(*points[torch.from_numpy(rows)].unbind(1), torch.full((len(rows),), same))
                for rows, same in ((of.near, True), (of.far, False))
            )
            return near + weight * far

        self.history_ = train(
            network, weighed, loss, epochs=self.epochs, optimiser="adam", rate=rate if self.rate is None else self.rate,
            schedule="cosine", weight_decay=0.0, seed=self.seed, verbose=self.verbose, **options,
        )  # fmt: skip
        flat = torch.nn.utils.parameters_to_vector(network.parameters())
        self._weights = flat.detach().cpu().numpy()
        self._shape = np.array(shape, np.int64)
        self._mean, self._deviation = mean, deviation
        self.loss_ = [epoch.loss for epoch in self.history_.epochs]
        self.n_features_in_ = pixels.shape[1]
        return self

    def transform(self, X: ArrayLike) -> Vectors:
        """Where pictures of the shape that was fitted belong: float32 (n, n_components)."""
        self._check_fitted()
        pixels, shape = as_pictures(X)
        if shape != tuple(self._shape):
            raise ValueError(f"X: expected pictures of shape {tuple(map(int, self._shape))}, got {shape}")  # fmt: skip
        network = self._network().to(self.device)
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), _ROWS):
                x = _standard(pixels[start : start + _ROWS], self._mean, self._deviation)
                parts.append(network(torch.from_numpy(x).to(self.device)).cpu().numpy())
        return as_answer(np.concatenate(parts), "X")

    @property
    def _n_features_out(self) -> int:
        return self.n_components

    def _network(self) -> Any:
        """The network with the weights that were learnt."""
        shape = tuple(map(int, self._shape))
        network = map_network(self.network, shape, self.n_components).eval()
        torch.nn.utils.vector_to_parameters(torch.tensor(self._weights), network.parameters())
        return network

    def _settle(self, sides: Mapping[str, Any]) -> None:
        super()._settle(sides)
        pixels = math.prod(map(int, self._shape))
        if len(self._shape) > 3 or not 0 < pixels <= len(self._weights):
            raise FileFormatError("array 'shape': expected that of a picture")
        with torch.device("meta"):
            network = map_network(self.network, tuple(map(int, self._shape)), self.n_components)
        count = sum(p.numel() for p in network.parameters())
        if count != len(self._weights):
            raise FileFormatError(
                f"array 'weights': expected {count} for this network, got {len(self._weights)}"
            )
        as_number(self._deviation, "deviation", least=0, open=True)
        self.n_features_in_ = pixels


def as_pictures(x: Any, name: str = "X", *, least: int = 1) -> tuple[Vectors, tuple[int, ...]]:
    """Pictures (n, height, width), (n, height, width, channels) or vectors (n, d): float32 (n, d), and their shape."""
    array = as_array(x, name)
    if array.ndim not in (2, 3, 4) or not all(array.shape[1:]):
        raise ValueError(
            f"{name}: expected pictures (n, height, width), with channels last if there are several, or vectors "
            f"(n, d), got shape {array.shape}"
        )
    if len(array) < least:
        raise ValueError(f"{name}: expected at least {least} pictures, got {len(array)}")
    flat = array.reshape(len(array), -1).astype(np.float32)
    bad = ~np.isfinite(flat).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name}: expected finite numbers, got NaN or infinity in picture {int(bad.argmax())}"
        )
    return flat, array.shape[1:]


def _standard(pixels: Vectors, mean: Vectors, deviation: float) -> Vectors:
    """Pixels less the mean picture of those that were fitted, beside their deviation from it."""
    standard: Vectors = (pixels - mean) / np.float32(deviation)
    return standard
