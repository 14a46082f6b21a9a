"""A box followed from frame to frame by a correlation filter that learns as it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinfold.base.arrays import as_array, as_choice, as_number
from kinfold.base.extras import require
from kinfold.images.resize import as_pixels
from kinfold.local.hog import hog

Box = tuple[float, float, float, float]
# Of the paper's table 2: width of the Gaussian kernel, learning rate, pixels of a cell.
FEATURES = {"hog": (0.5, 0.02, 4), "grey": (0.2, 0.075, 1)}
_REGULARISATION = 1e-4
# Larger objects are seen reduced: the square root of their area in pixels of the window.
_MOST_SIDE = {"hog": 64.0, "grey": 48.0}


@dataclass(frozen=True)
class Tracked:
    """Where a box is in a frame.

    box : x0, y0, x1, y1 in pixels
    sharpness : the peak-to-sidelobe ratio of the filter's response
    lost : whether it is below what is asked for; the tracker then stays where it was and learns nothing
    """

    box: Box
    sharpness: float
    lost: bool


class KCF:
    """Kernelised correlation filter: ridge regression over all shifts of a window, by its Fourier transform.

    Henriques, Caseiro, Martins & Batista, PAMI 2015: a Gaussian kernel over gradient histograms (or raw grey); the
    target is a Gaussian about the box, of deviation 0.1 of the square root of its area; windows are 1 + padding times
    the box and fade to their edges as a cosine. The peak is found to fractions of a cell by a parabola. Size and
    direction of the box do not change.

    The peak-to-sidelobe ratio (Bolme, Beveridge, Draper & Lui, CVPR 2010) says how far the peak stands out from the
    response away from it, in deviations of that.

    frame : pixels uint8 (H, W, 3)
    box : x0, y0, x1, y1 of what to follow, in pixels; it may reach beyond the frame, which goes on as its edge is
    features : "hog" or "grey"
    padding : how much larger the window is than the box, as a share of it
    rate : how fast the filter forgets, in 0..1; None for .02 (hog) or .075 (grey)
    least_sharpness : a peak-to-sidelobe ratio below which the object counts as lost
    """

    def __init__(
        self,
        frame: Any,
        box: Any,
        *,
        features: str = "hog",
        padding: float = 1.5,
        rate: float | None = None,
        least_sharpness: float = 5.0,
    ) -> None:
        self.features = as_choice(features, "features", FEATURES)
        self._sigma, usual, self._cell = FEATURES[self.features]
        self._rate = usual if rate is None else as_number(rate, "rate", least=0, most=1)
        self._least = as_number(least_sharpness, "least_sharpness", least=0)
        pixels, (x0, y0, x1, y1) = as_pixels(frame, "frame"), _as_box(box)
        self._shape = pixels.shape
        size = np.array([x1 - x0, y1 - y0])
        self._centre, self._size = np.array([x0 + x1, y0 + y1]) / 2, size
        around = 1 + as_number(padding, "padding", least=0.1)
        scale = min(1.0, _MOST_SIDE[self.features] / float(np.sqrt(size.prod())))
        # Columns and rows of the window, and the pixels of the frame that it covers.
        self._cells = np.maximum(np.rint(size * around * scale / self._cell).astype(int), 4)
        self._window = np.rint(self._cells * self._cell / scale).astype(int)
        self._step = self._window / self._cells
        seen = size / self._step
        self._away = np.maximum(seen / 4, 1)
        across, down = (_from_middle(int(count)) for count in self._cells)
        deviation = max(0.1 * float(np.sqrt(seen.prod())), 0.3)
        squares = down[:, None] ** 2 + across**2
        self._target = np.fft.rfft2(np.exp(-squares / (2 * deviation**2)))
        columns, rows = self._cells
        fade = np.hanning(rows + 2)[1:-1, None] * np.hanning(columns + 2)[1:-1]
        self._fade = fade[..., None].astype(np.float32)
        self._model = self._seen(pixels)
        self._alphas = self._learnt(self._model)

    @property
    def box(self) -> Box:
        """Where the object is now: x0, y0, x1, y1."""
        (x0, y0), (x1, y1) = self._centre - self._size / 2, self._centre + self._size / 2
        return float(x0), float(y0), float(x1), float(y1)

    def update(self, frame: Any) -> Tracked:
        """Find the object in the next frame, uint8 (H, W, 3) of the same size, and learn how it looks there."""
        pixels = as_pixels(frame, "frame")
        if pixels.shape != self._shape:
            raise ValueError(f"frame: expected {self._shape}, as the first was, got {pixels.shape}")
        kernel = np.fft.rfft2(self._kernel(self._seen(pixels), self._model))
        response = np.fft.irfft2(self._alphas * kernel, s=(self._cells[1], self._cells[0]))
        row, column = np.unravel_index(np.argmax(response), response.shape)
        sharpness = self._sharpness(response, int(row), int(column))
        if sharpness < self._least:
            return Tracked(self.box, sharpness, True)
        shift = np.array([
            _from_middle(response.shape[1])[column] + _peak(response[row], int(column)),
            _from_middle(response.shape[0])[row] + _peak(response[:, column], int(row)),
        ])  # fmt: skip
        # An object of which nothing is in the frame any more is not followed further.
        height, width = self._shape[:2]
        centre = self._centre + shift * self._step
        if not (0 <= centre[0] < width and 0 <= centre[1] < height):
            return Tracked(self.box, sharpness, True)
        self._centre = centre
        seen = self._seen(pixels)
        self._model = self._model + self._rate * (seen - self._model)
        self._alphas = self._alphas + self._rate * (self._learnt(seen) - self._alphas)
        return Tracked(self.box, sharpness, False)

    def _seen(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """Fourier transform (rows, columns / 2 + 1, channels) of the window's features."""
        cv2 = require("cv2")
        # Pixel centres lie at halves here, and at whole numbers there.
        patch = cv2.getRectSubPix(pixels, self._window.tolist(), (self._centre - 0.5).tolist())
        grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
        size = (self._cells * self._cell).tolist()
        if grey.shape[::-1] != tuple(size):
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        plain = self.features == "grey"
        maps = (grey - grey.mean())[..., None] if plain else hog(grey, cell=self._cell)
        return np.fft.rfft2(maps * self._fade, axes=(0, 1))

    def _kernel(self, x: NDArray[Any], z: NDArray[Any]) -> NDArray[np.float64]:
        """Gaussian kernel (rows, columns) of one window with all shifts of the other: equation 31."""
        rows, columns = int(self._cells[1]), int(self._cells[0])
        cross = np.fft.irfft2((x * z.conj()).sum(axis=2), s=(rows, columns))
        numbers = rows * columns * x.shape[2]
        distance = np.maximum(self._energy(x) + self._energy(z) - 2 * cross, 0) / numbers
        return np.exp(-distance / self._sigma**2)

    def _energy(self, x: NDArray[Any]) -> float:
        """Sum of squares of a window, by Parseval from half of its transform."""
        squares = x.real**2 + x.imag**2
        inner = squares[:, 1 : (int(self._cells[0]) + 1) // 2].sum()
        ends = squares[:, 0].sum() + (squares[:, -1].sum() if self._cells[0] % 2 == 0 else 0)
        return float(2 * inner + ends) / float(self._cells.prod())

    def _learnt(self, x: NDArray[Any]) -> NDArray[Any]:
        """Coefficients of the ridge regression, transformed: equation 17."""
        return self._target / (np.fft.rfft2(self._kernel(x, x)) + _REGULARISATION)

    def _sharpness(self, response: NDArray[np.float64], row: int, column: int) -> float:
        """How many deviations the peak stands above what lies more than a quarter of the box away from it."""
        down = np.abs(_from_middle(response.shape[0]))[np.arange(len(response)) - row]
        across = np.abs(_from_middle(response.shape[1]))[np.arange(response.shape[1]) - column]
        aside = response[(down[:, None] > self._away[1]) | (across > self._away[0])]
        spread = float(aside.std())
        return (float(response[row, column]) - float(aside.mean())) / max(spread, 1e-12)


def overlap(first: Any, second: Any) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    a, b = _as_box(first), _as_box(second)
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (areas - shared)


def _as_box(box: Any) -> Box:
    array = as_array(box, "box")
    if array.shape != (4,) or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError(f"box: expected four numbers x0, y0, x1, y1, got {box!r}")
    x0, y0, x1, y1 = (float(number) for number in array)
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise ValueError(f"box: expected at least a pixel each way, got {box!r}")
    return x0, y0, x1, y1


def _from_middle(count: int) -> NDArray[np.floating[Any]]:
    """How far each place of a circle of so many lies from the first: 0, 1, 2, .., -2, -1."""
    return np.fft.fftfreq(count, 1 / count)


def _peak(line: NDArray[np.float64], at: int) -> float:
    """Where the parabola through a maximum and its neighbours on a circle is highest, from the maximum: -.5 to .5."""
    left, middle, right = line[at - 1], line[at], line[(at + 1) % len(line)]
    bend = 2 * middle - left - right
    return float((right - left) / (2 * bend)) if bend > 0 else 0.0
