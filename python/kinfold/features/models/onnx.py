"""ONNX files by onnxruntime; torch is not needed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import Vectors
from kinfold.base.errors import FileFormatError
from kinfold.base.extras import require
from kinfold.base.threads import get_threads
from kinfold.features.field import ReceptiveField, cells
from kinfold.features.models.outputs import Output, as_features, chosen
from kinfold.features.models.spec import Choice, images_for
from kinfold.features.network import in_steps
from kinfold.features.pool.arrays import ArrayPool, maxima, unit
from kinfold.features.preprocess import Preprocessing, beside
from kinfold.features.resample import resampled
from kinfold.images.digest import content_digest
from kinfold.images.resize import Pixels
from kinfold.io.atomic import replace_file

Images = NDArray[np.float32]

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
# Where nobody says a size, and the model takes any.
_PROBE = 224


@dataclass(frozen=True)
class Graph:
    """A model that onnxruntime runs.

    input, type : name of the image, and the numbers that it is made of
    last : channels are the image's last axis, not its second
    alone : images go through one by one: the model takes no more
    size : of the images it takes alone, height and width; None for any
    """

    session: Any
    file: str
    input: str
    type: Any
    last: bool
    alone: bool
    size: tuple[int, int] | None

    def __call__(self, images: Images, output: str) -> NDArray[Any]:
        """Images (n, 3, h, w) to an output, float32. ValueError with onnxruntime's reason where it does not run."""
        given = images.transpose(0, 2, 3, 1) if self.last else images
        given = np.ascontiguousarray(given, self.type)
        parts = [given[i : i + 1] for i in range(len(given))] if self.alone else [given]
        try:
            found = [self.session.run([output], {self.input: part})[0] for part in parts]
        except Exception as error:  # onnxruntime's own kinds share no other ancestor
            shape = " x ".join(map(str, images.shape[2:]))
            raise ValueError(
                f"weights: {self.file} does not run on images of {shape} pixels: {_reason(error)}"
            ) from error
        return np.concatenate(found).astype(np.float32, copy=False)


@dataclass(frozen=True)
class OnnxNetwork:
    """See network.Network; of an ONNX file.

    graph, output : what runs, and what of it is used
    """

    graph: Graph
    output: Output
    name: str
    layer: str
    dim: int
    source: str
    preprocessing: Preprocessing
    step: int = 1
    least_side: int = 32
    maker: str = "onnx"

    @property
    def codes(self) -> bool:
        return self.output.codes

    def runs(self, device: str = "cpu", precision: str = "float32") -> OnnxForward:
        return OnnxForward(self, device, precision)

    def poolings(self, name: str, p: float) -> ArrayPool:
        return ArrayPool(name, p if name == "gem" else 1.0)

    def field(self, image: tuple[int, int], maps: tuple[int, int]) -> ReceptiveField:
        return cells(*image, *maps)


class OnnxForward:
    """See network.Forward; on numpy's arrays."""

    def __init__(self, network: OnnxNetwork, device: str, precision: str) -> None:
        if device != "cpu":
            raise ValueError(f"device: expected 'cpu' for an ONNX file, got {device!r}")
        if precision != "float32":
            raise ValueError(
                f"precision: expected 'float32' for an ONNX file, which has its own, got {precision!r}"
            )
        self.device, self.precision = device, precision
        self.module = self._network = network

    def computing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def images(self, photos: list[Pixels]) -> Images:
        seen = self._network.preprocessing
        mean, std = (np.array(three, np.float32) for three in (seen.mean, seen.std))
        stack = (np.stack(photos).astype(np.float32) / 255 - mean) / std
        return np.ascontiguousarray(stack.transpose(0, 3, 1, 2))

    def scaled(self, images: Images, scale: float, *, antialias: bool = True) -> Images:
        if self._network.preprocessing.size is not None:
            return images
        if not antialias and scale != 1:
            raise ValueError("antialias: expected True for an ONNX file")
        least, step = self._network.least_side, self._network.step
        height, width = images.shape[2:]
        scale = max(scale, least / max(height, width))
        size = [max(1, round(side * scale)) for side in (height, width)]
        images = resampled(images, *size)
        missing = [max(0, least - side) for side in size]
        if any(missing):
            images = np.pad(images, [(0, 0), (0, 0), *((0, m) for m in missing)], mode="edge")
        return resampled(images, *(in_steps(side, step) for side in images.shape[2:]))

    def __call__(self, images: Images) -> Images:
        network = self._network
        found = network.graph(images, network.layer)
        height, width = images.shape[2:]
        features: Images = as_features(found, (height, width), network.output)
        return np.ascontiguousarray(features)

    def maxima(self, maps: Images, boxes: list[tuple[int, int, int, int]]) -> Images:
        return maxima(maps, boxes)

    def unit(self, vectors: Images) -> Images:
        return unit(vectors)

    def lifted(self, values: Vectors) -> Images:
        return values

    def numbers(self, values: Images) -> Vectors:
        return np.asarray(values, np.float32)

    def placed(self, pool: Any) -> ArrayPool:
        if not isinstance(pool, ArrayPool):
            raise ValueError("pooling: expected a name for an ONNX file, which runs without torch")
        return pool

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        return self(np.zeros((1, 3, height, width), np.float32)).shape

    def pooled_dim(self, pool: Any, maps: tuple[int, ...]) -> int:
        return int(pool(np.zeros(maps, np.float32)).shape[1])


def load(source: str, choice: Choice) -> OnnxNetwork:
    """The network of an ONNX file. ValueError where a choice is missing, FileFormatError for what cannot be run."""
    path = Path(source)
    graph = _graph(path)
    outputs = {out.name: _rank(out.shape) for out in graph.session.get_outputs()}
    layer = chosen(outputs, choice.layer, choice.pooling)
    wanted = images_for(choice, beside(path), graph.size, maps=outputs[layer] == 4, name=path.name)
    size = wanted.size or (_PROBE, _PROBE)
    probe = graph(np.zeros((1, 3, *size), np.float32), layer)
    token = choice.pooling == "cls"
    if probe.ndim not in (2, 3, 4):
        raise ValueError(
            f"layer: {layer!r} is of {probe.ndim} axes; expected vectors, tokens or maps"
        )
    if token and probe.ndim != 3:
        raise ValueError(f"pooling: expected another than 'cls', as {layer!r} gives no tokens")
    flat = probe.ndim == 4 and _places(probe, graph.last) == (1, 1)
    output = Output(probe.ndim, token, graph.last and probe.ndim == 4 and not flat, flat=flat)
    features = as_features(probe, size, output)
    step = size[0] // features.shape[2] if probe.ndim == 3 and not token else 1
    return OnnxNetwork(graph, output, "onnx", layer, features.shape[1], _digest(path), wanted, step)


def in_one_file(source: str, folder: Path) -> Path:
    """The file itself; where its weights lie beside it, one with them inside. Needs the package onnx for that."""
    path = Path(source)
    data = path.read_bytes()
    try:
        _session(data, path.name)
        return path
    except FileFormatError:
        _session(str(path), path.name)  # what is wrong is not where the weights lie
    onnx = require("onnx")
    inside = onnx.load(str(path)).SerializeToString()
    whole = folder / path.name
    with replace_file(whole, size=len(inside)) as file:
        file.write(inside)
    return whole


def _graph(path: Path) -> Graph:
    if not path.is_file():
        raise FileNotFoundError(f"weights: no such file: {path}")
    session = _session(str(path), path.name)
    inputs = session.get_inputs()
    images = [one for one in inputs if _channels(one.shape) is not None]
    if len(inputs) != 1 or not images:
        listed = ", ".join(f"{one.name} {one.shape}" for one in inputs)
        raise ValueError(
            f"weights: {path.name} takes {listed}; expected one input, images (n, 3, h, w) or (n, h, w, 3): "
            "export the part that looks at images"
        )
    image = images[0]
    if image.type not in _TYPES:
        raise ValueError(
            f"weights: {path.name} takes images of {image.type}; expected float32 or float16"
        )
    last = _channels(image.shape) == 3
    sides = image.shape[1:3] if last else image.shape[2:4]
    fixed = [side for side in sides if isinstance(side, int)]
    if len(fixed) == 1:
        raise ValueError(
            f"weights: {path.name} takes images of {sides}; expected both sides or none fixed"
        )
    size = (int(sides[0]), int(sides[1])) if fixed else None
    return Graph(
        session, path.name, image.name, _TYPES[image.type], last, image.shape[0] == 1, size
    )


def _session(model: str | bytes, name: str) -> Any:
    runtime = require("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = get_threads()
    options.log_severity_level = 4  # what is wrong is raised as well
    try:
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own kinds share no other ancestor
        raise FileFormatError(
            f"{name}: onnxruntime {runtime.__version__} cannot run it: {_reason(error)}"
        ) from error


def _channels(shape: list[Any]) -> int | None:
    """The axis of red, green and blue; None for what is no image."""
    if len(shape) != 4:
        return None
    if shape[1] == 3:
        return 1
    if shape[3] == 3:
        return 3
    # An exporter that was told so leaves even this axis open: the common order is taken, and tried at once.
    return 1 if not isinstance(shape[1], int) and not isinstance(shape[3], int) else None


def _rank(shape: Any) -> int | None:
    return len(shape) if shape else None


def _places(maps: NDArray[Any], last: bool) -> tuple[int, ...]:
    return maps.shape[1:3] if last else maps.shape[2:]


def _digest(path: Path) -> str:
    """Of the file, and of weights that lie beside it under its name."""
    others = sorted(path.parent.glob(f"{path.name}*data"))
    return "+".join(content_digest(file) for file in (path, *others))


def _reason(error: Exception) -> str:
    """The first line of onnxruntime's words, without its prefix."""
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return text.rpartition(" : ")[2].strip() or text
