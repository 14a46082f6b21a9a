"""Data of the benchmarks, made once and kept in a cache folder (KINFOLD_BENCH_CACHE).

SIFT: OpenCV descriptors of real photos where `../shared/data/photos` is there, whole photos kept apart for
queries and for training, repeated with small noise up to a million where the photos yield fewer; else
synthetic whole numbers of similar statistics. Which one it was is printed with every result.

CNN: columns of MobileNetV2's last feature map of the same photos at two scales, the mean subtracted, PCA to 256
dimensions learnt on the training photos, no whitening, length one; photos kept apart and columns repeated as
for SIFT. Else a mixture of Gaussians whose variances fall as those of the real columns do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinfold.io.vecs import read_vecs

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
CACHE = Path(os.environ.get("KINFOLD_BENCH_CACHE", Path.home() / ".cache" / "kinfold-benchmarks"))


def _photo_descriptors() -> list[NDArray[np.uint8]]:
    import cv2

    cv2.setNumThreads(1)
    sift = cv2.SIFT_create(nfeatures=1300, contrastThreshold=0.02)
    found = []
    for path in sorted((SHARED / "photos" / "jpg").glob("*.jpg")):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        descriptors = sift.detectAndCompute(grey, None)[1]
        if descriptors is not None:
            found.append(descriptors.astype(np.uint8))
    return found


def sift(n: int = 1_000_000) -> dict[str, NDArray[np.float32]]:
    """base (n, 128), train (100,000 or fewer, 128), queries (1,000, 128): float32 of whole numbers."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "sift.npz"
    if not path.exists():
        random = np.random.default_rng(0)
        if SHARED.exists():
            photos = _photo_descriptors()
            order = random.permutation(len(photos))
            queries = np.concatenate([photos[i] for i in order[:20]])
            train = np.concatenate([photos[i] for i in order[20:100]])
            base = np.concatenate([photos[i] for i in order[100:]])
        else:
            draw = random.gamma(0.6, 50, (1_100_000, 128)).clip(0, 255)
            queries, train, base = np.split(draw.astype(np.uint8), [2000, 102_000])
        queries = queries[random.permutation(len(queries))[:1000]]
        np.savez(path, base=base, train=train[:100_000], queries=queries)
    with np.load(path) as data:
        base = data["base"]
        if len(base) < n:
            random = np.random.default_rng(1)
            more = base[random.integers(len(base), size=n - len(base))].astype(np.int16)
            more += random.integers(-4, 5, more.shape, dtype=np.int16)
            base = np.concatenate([base, more.clip(0, 255).astype(np.uint8)])
        return {
            "base": base[:n].astype(np.float32),
            "train": data["train"].astype(np.float32),
            "queries": data["queries"].astype(np.float32),
        }


def gaussian(n: int, d: int, queries: int, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """A mixture of 256 Gaussians of falling variance: float32, clustered, no whole numbers."""
    random = np.random.default_rng(seed)
    centres = random.standard_normal((256, d)).astype(np.float32)
    spread = (0.7 * np.arange(1, d + 1) ** -0.25).astype(np.float32)

    def draw(count: int) -> NDArray[np.float32]:
        noise = random.standard_normal((count, d), dtype=np.float32)
        return centres[random.integers(256, size=count)] + spread * noise

    return {"base": draw(n), "queries": draw(queries)}


def _split(parts: list[NDArray], random: np.random.Generator) -> list[NDArray]:
    """Queries of 20 photos, training vectors of 160 others, base vectors of the rest."""
    order = random.permutation(len(parts))
    return [np.concatenate([parts[i] for i in cut]) for cut in np.split(order, [20, 180])]


def _photo_columns() -> list[NDArray[np.float16]]:
    """Columns (h * w, 1280) of each photo's feature maps at scales 1 and sqrt(2)."""
    import torch

    from kinfold.features.weights import network, read_weights
    from kinfold.images.decode import decode

    torch.set_num_threads(1)
    net = network(read_weights(SHARED / "weights" / "mobilenet_v2.safetensors"), "mobilenet_v2")
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (net.mean, net.std))
    found = []
    for path in sorted((SHARED / "photos" / "jpg").glob("*.jpg")):
        pixels = torch.from_numpy(decode(path).pixels).permute(2, 0, 1)[None].float() / 255
        columns = []
        for scale in (1.0, 2**0.5):
            with torch.inference_mode():
                image = torch.nn.functional.interpolate(pixels, scale_factor=scale, mode="bilinear")
                maps = net.features((image - mean) / std)[0]
            columns.append(maps.flatten(1).T.half().numpy())
        found.append(np.concatenate(columns))
    return found


def _unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x / np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]


def _project(x: NDArray, mean: NDArray[np.float32], axes: NDArray[np.float32]) -> NDArray:
    """Rows about a mean, on axes, of length one: in parts, for there are gigabytes of them."""
    return np.concatenate(
        [
            _unit((x[at : at + 65536].astype(np.float32) - mean) @ axes).astype(np.float16)
            for at in range(0, len(x), 65536)
        ]
    )


def _make_cnn(path: Path) -> None:
    random = np.random.default_rng(0)
    if SHARED.exists():
        queries, train, base = _split(_photo_columns(), random)
        mean = train.mean(axis=0, dtype=np.float32)
        centred = train.astype(np.float32) - mean
        vectors = np.linalg.eigh((centred.T @ centred).astype(np.float64))[1]
        axes = np.ascontiguousarray(vectors[:, ::-1][:, :256], dtype=np.float32)
        parts = {
            name: _project(x, mean, axes)
            for name, x in (("base", base), ("train", train), ("queries", queries))
        }
    else:
        drawn = _mixture(256, 1_000_000, modes=2000, fall=0.8, turned=False, seed=0)
        parts = {name: _unit(x).astype(np.float16) for name, x in drawn.items()}
    for name, most in (("train", 100_000), ("queries", 1000)):
        parts[name] = parts[name][random.permutation(len(parts[name]))[:most]]
    np.savez(path, **parts)


def cnn(n: int = 1_000_000) -> dict[str, NDArray[np.float32]]:
    """base (n, 256), train (100,000 or fewer, 256), queries (1,000, 256): float32 of length one."""
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / "cnn.npz"
    if not path.exists():
        _make_cnn(path)
    with np.load(path) as data:
        parts = {name: data[name] for name in ("base", "train", "queries")}
    base = _unit(parts["base"][:n].astype(np.float32))
    return {
        "base": _repeated("cnn", base, n),
        "train": _unit(parts["train"].astype(np.float32)),
        "queries": _unit(parts["queries"].astype(np.float32)),
    }


def oxford5k(n: int = 1_000_000) -> dict[str, NDArray[np.float32]]:
    """Real descriptors of whole photos (CaffeNet fc7, PCA to 128): 4,563 to learn from and search in, 500 queries."""
    x = read_vecs(SHARED / "oxford5k" / "caffenet_fc7_pca128.fvecs")
    rows = np.random.default_rng(0).permutation(len(x))
    base = np.ascontiguousarray(x[rows[500:]][:n])
    return {"base": base, "train": base, "queries": np.ascontiguousarray(x[rows[:500]])}


def multimodal(n: int = 1_000_000) -> dict[str, NDArray[np.float32]]:
    """64 Gaussian modes of 128 dimensions, each with its own axes of falling variance: what one rotation cannot fit."""
    return _mixture(128, n, modes=64, fall=1.5, turned=True, seed=2)


def _mixture(
    d: int, n: int, *, modes: int, fall: float, turned: bool, seed: int
) -> dict[str, NDArray[np.float32]]:
    """Gaussians whose i-th variance falls as i**-fall, as that of their centres; turned: in axes of each mode's own."""
    random = np.random.default_rng(seed)
    deviation = (np.arange(1, d + 1) ** (-fall / 2)).astype(np.float32)
    centres = random.standard_normal((modes, d), dtype=np.float32) * deviation
    axes = [
        np.linalg.qr(random.standard_normal((d, d)))[0].astype(np.float32)
        for _ in range(modes * turned)
    ]

    def draw(count: int) -> NDArray[np.float32]:
        x = random.standard_normal((count, d), dtype=np.float32) * deviation
        mode = random.integers(modes, size=count)
        for i, turn in enumerate(axes):
            x[mode == i] = x[mode == i] @ turn
        return x + centres[mode]

    return {"queries": draw(1000), "train": draw(100_000), "base": draw(n)}


SETS: dict[str, Callable[[int], dict[str, NDArray[np.float32]]]] = {
    "sift": sift, "cnn": cnn, "multimodal": multimodal, "oxford5k": oxford5k,
}  # fmt: skip
# Rows that are held at once.
PART = 100_000
MILLION = 1_000_000


def _noisy(name: str, rows: NDArray[np.float32], random: np.random.Generator) -> NDArray:
    """Rows of a set with small noise: they stay in the set's range, or of length one."""
    if name == "sift":
        noise = random.integers(-4, 5, rows.shape, dtype=np.int8)
        return (rows + noise).clip(0, 255)
    noise = random.standard_normal(rows.shape, dtype=np.float32)
    noise *= 0.2 * np.linalg.norm(rows, axis=1, keepdims=True) / np.float32(rows.shape[1] ** 0.5)
    return _unit(rows + noise) if name == "cnn" else rows + noise


def _repeats(name: str, base: NDArray[np.float32], n: int) -> Iterator[NDArray[np.float32]]:
    random = np.random.default_rng(1)
    for at in range(len(base), n, PART):
        rows = base[random.integers(len(base), size=min(PART, n - at))]
        yield _noisy(name, rows, random)


def _repeated(name: str, base: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """The first n rows of base, and after them its rows repeated with noise."""
    return base[:n] if len(base) >= n else np.concatenate([base, *_repeats(name, base, n)])


def base_parts(name: str, n: int) -> Iterator[NDArray[np.float32]]:
    """The n base vectors of a set, 100,000 at a time; those beyond a million repeat with noise."""
    base = SETS[name](min(n, MILLION))["base"]
    for at in range(0, len(base), PART):
        yield base[at : at + PART]
    yield from _repeats(name, base, n)
