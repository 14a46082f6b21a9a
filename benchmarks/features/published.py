"""Published mAP beside what is obtained here, where weights and photos are at hand.

    python -m benchmarks.features.published --weights FOLDER --data FOLDER [--only crow r-mac] [--table]

--weights holds state dicts by name: alexnet, vgg16, vgg19 (.safetensors, .pth or .pt), and for the figures of learnt
networks alexnet-landmarks, vgg16-sfm, vgg16-mined, resnet101-sfm. --data holds a folder a data
set: oxford5k, paris6k, holidays as their loaders want them (see kinfold.datasets), and roxford5k, rparis6k with the
ground truth and the features that revisitop publishes. Networks are those that the papers took: Caffe's or
torchvision's ImageNet weights. Whitenings are learnt on the other city; for Holidays on Oxford5k. What is missing is
told in one sentence. Obtained and published may differ by half a point of mAP; photos that are distributed now have
blurred faces.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.features.lecture import SYSTEMS
from kinfold import Ranking
from kinfold.datasets.collection import Collection
from kinfold.datasets.holidays import holidays
from kinfold.datasets.oxford import oxford5k, paris6k
from kinfold.evaluate import GroundTruth, evaluate
from kinfold.features.extract import Extractor
from kinfold.features.neural_codes import neural_codes
from kinfold.features.pool.crow import CroW
from kinfold.features.pool.rmac import RMAC
from kinfold.features.regional import RegionalExtractor
from kinfold.io.foreign import ground_truth_pickle
from kinfold.transform.normalize import l2_normalize
from kinfold.transform.pca import PCA

Array = NDArray[np.float32]
TOLERANCE = 0.5
LOADERS: dict[str, Callable[[Path], Collection]] = {
    "oxford5k": oxford5k, "paris6k": paris6k, "holidays": holidays,
}  # fmt: skip
OTHER = {"oxford5k": "paris6k", "paris6k": "oxford5k", "holidays": "oxford5k"}


@dataclass(frozen=True)
class Row:
    """One published figure: a method on a data set."""

    method: str
    network: str
    dim: int
    data: str
    published: float
    source: str

    @property
    def architecture(self) -> str:
        """What the network is, however it was trained."""
        return self.network.partition("-")[0]

    def __str__(self) -> str:
        return (
            f"{self.method:22} {self.network:17} {self.dim:5} {self.data:9} {self.published:10.2f}"
        )


def _rows() -> list[Row]:
    def of(method: str, network: str, dim: int, source: str, **figures: float) -> list[Row]:
        return [Row(method, network, dim, data, mAP, source) for data, mAP in figures.items()]

    babenko = "Babenko et al., ECCV 2014, table 1"
    landmarks = "Babenko et al., ECCV 2014, table 1, retrained on landmarks"
    razavian = "Razavian et al., 2014"
    printed = "the lecture: Tolias et al., ICCV 2013"
    zisserman = "the lecture: Jegou & Zisserman, CVPR 2014"
    iscen = "the lecture: Iscen et al., CVPR 2017"
    mined = "the lecture: Iscen et al., CVPR 2018"
    tolias = "Tolias, Sicre & Jegou, ICLR 2016"
    return [
        *of("neural code pool5", "alexnet", 9216, babenko, oxford5k=38.9, holidays=69.0),
        *of("neural code fc6", "alexnet", 4096, babenko, oxford5k=43.5, holidays=74.9),
        *of("neural code fc7", "alexnet", 4096, babenko, oxford5k=43.0, holidays=73.6),
        *of("neural code pool5", "alexnet-landmarks", 9216, landmarks, oxford5k=38.7, holidays=67.4),
        *of("neural code fc6", "alexnet-landmarks", 4096, landmarks, oxford5k=54.5, holidays=79.3),
        *of("neural code fc7", "alexnet-landmarks", 4096, landmarks, oxford5k=53.8, holidays=76.4),
        *of("ASMK", "-", 2200, printed, oxford5k=81.7, paris6k=78.2, holidays=82.2),
        *of("ASMK", "-", 3800, printed, oxford5k=83.8, paris6k=80.5, holidays=86.5),
        *of("triangulation", "-", 1920, zisserman, oxford5k=57.1, holidays=72.3),
        *of("triangulation", "-", 8064, zisserman, oxford5k=67.6, holidays=77.1),
        *of("regional", "alexnet", 500, razavian, oxford5k=84.3, paris6k=87.9, holidays=89.6),
        *of("R-MAC, diffusion", "resnet101-sfm", 2048, iscen, oxford5k=87.1, paris6k=96.5),
        *of("regions, diffusion", "resnet101-sfm", 2048, iscen, oxford5k=95.8, paris6k=96.9),
        *of("R-MAC", "vgg16", 512, mined, oxford5k=68.0, paris6k=76.6),
        *of("R-MAC", "vgg16-sfm", 512, mined, oxford5k=77.8, paris6k=84.1),
        *of("R-MAC", "vgg16-mined", 512, mined, oxford5k=78.2, paris6k=85.1),
        *of("MAC", "vgg16", 512, tolias, oxford5k=56.4, paris6k=72.3),
        *of("R-MAC", "vgg16", 512, tolias, oxford5k=66.9, paris6k=83.0),
        *of("SPoC", "vgg19", 256, "Babenko & Lempitsky, ICCV 2015", oxford5k=53.1, holidays=80.2),
        *of("CroW", "vgg16", 512, "Kalantidis et al., ECCVW 2016", oxford5k=68.2, paris6k=79.7, holidays=85.1),
    ]  # fmt: skip


# Of the features that revisitop publishes: easy, medium, hard.
REVISITED = {"roxford5k": (84.81, 64.67, 38.47), "rparis6k": (92.12, 77.20, 56.32)}
# Of the vectors of CaffeNet that the LOPQ package publishes; judged with the official compute_ap.
CAFFENET = {"Euclidean": 39.86, "cosine": 40.29}


def extractor_of(row: Row, weights: Path) -> Extractor:
    """Before the whitening of global descriptors."""
    if row.method.startswith("neural code"):
        return neural_codes(weights, layer=row.method.split()[-1], architecture=row.architecture)
    options: dict[str, Any] = {"architecture": row.architecture, "scales": (1.0,), "max_side": 1024}
    if row.method == "SPoC":
        prior = row.data != "holidays"
        from kinfold.features.pool.spoc import SPoC

        return Extractor(weights, layer="conv5", pooling=SPoC(centre_prior=prior), **options)
    pooling: Any = {"MAC": "mac", "R-MAC": "rmac", "CroW": CroW()}[row.method]
    return Extractor(weights, layer="pool5", pooling=pooling, **options)


def obtained(row: Row, weights: Path | None, collection: Collection, other: Collection) -> float:
    """The mAP of a row, in per cent; other : what codebooks and whitening are learnt on."""
    if row.method in SYSTEMS:
        found = collection.evaluate(SYSTEMS[row.method](row, weights, collection, other))
        return 100 * next(iter(found.values())).map
    assert weights is not None
    extractor = extractor_of(row, weights)
    if row.method == "R-MAC":
        # Each region is whitened before they are summed.
        regional = RegionalExtractor(extractor, whole=False)
        regions = np.concatenate(regional.describe_all(other.photos(max_side=1024)))
        pool = RMAC(whitening=PCA(row.dim, whiten=True).fit(regions))
        options = {"architecture": row.architecture, "scales": (1.0,), "max_side": 1024}
        extractor = Extractor(weights, layer="pool5", pooling=pool, **options)
    else:
        sample = extractor.describe_all(other.photos(max_side=1024))
        dim = min(row.dim, len(sample) - 1)
        extractor = extractor.whitened(PCA(dim, whiten=True).fit(sample))
    base = extractor.describe_all(collection.photos(max_side=1024))
    queries = extractor.describe_all(collection.queries(max_side=1024))
    found = collection.evaluate(ranking(queries, base))
    return 100 * next(iter(found.values())).map


def ranking(queries: Array, base: Array) -> Ranking:
    """All of the base, by inner product."""
    return Ranking.from_ids(np.argsort(-(queries @ base.T), axis=1, kind="stable"))


def revisited(folder: Path, name: str) -> Iterator[tuple[str, float, float]]:
    """Easy, medium and hard of the published features of ResNet-101 with GeM."""
    from scipy.io import loadmat

    pickle, features = folder / f"gnd_{name}.pkl", folder / f"{name}_resnet101_gem.mat"
    for file in (pickle, features):
        if not file.is_file():
            raise FileNotFoundError(
                f"{name}: put {file.name} into {folder}, as the page of revisitop publishes it"
            )
    truth = GroundTruth.from_dict(ground_truth_pickle.read(pickle))
    arrays = loadmat(features)
    ranked = ranking(*(np.ascontiguousarray(arrays[key].T, np.float32) for key in ("Q", "X")))
    for setup, published in zip(("easy", "medium", "hard"), REVISITED[name]):
        yield setup, published, 100 * evaluate(ranked, truth, protocol=f"revisited-{setup}").map


def caffenet(folder: Path) -> Iterator[tuple[str, float, float]]:
    """The 128 dimensions of CaffeNet's fc7, whole photos as queries."""
    listing, vectors = folder / "ground_truth.json", folder / "caffenet_fc7_pca128.fvecs"
    for file in (listing, vectors):
        if not file.is_file():
            raise FileNotFoundError(
                f"oxford5k: put {file.name} into {folder}: ground truth as JSON, vectors of the LOPQ package"
            )
    truth = GroundTruth.from_json(listing)
    x = np.fromfile(vectors, np.float32).reshape(len(truth.imlist), -1)[:, 1:].astype(np.float32)
    rows = truth.query_positions()
    distances = (x * x).sum(axis=1) - 2 * x[rows] @ x.T
    unit = l2_normalize(x)
    for name, ranked in (
        ("Euclidean", Ranking.from_ids(np.argsort(distances, axis=1, kind="stable"))),
        ("cosine", ranking(unit[rows], unit)),
    ):
        yield name, CAFFENET[name], 100 * evaluate(ranked, truth, protocol="oxford").map


def counts(folder: Path, data: str) -> tuple[int, int, int]:
    """Photos, queries and positives of a ground truth as JSON; 100 is what a perfect ranking gets."""
    file = folder / "ground_truth.json"
    if not file.is_file():
        raise FileNotFoundError(f"{data}: put the ground truth as JSON into {file}")
    truth = GroundTruth.from_json(file)
    n = len(truth.imlist)
    rows = [[*e["ok"], *e.get("junk", ())] for e in truth.gnd]
    perfect = [[*row, *np.setdiff1d(np.arange(n), row)] for row in rows]
    protocol = "holidays" if data == "holidays" else "oxford"
    mean = evaluate(Ranking.from_ids(np.array(perfect)), truth, protocol=protocol).map
    if not np.isclose(mean, 1):
        raise SystemExit(f"{data}: a perfect ranking gets {mean}, not 1")
    return n, len(truth.qimlist), sum(len(e["ok"]) for e in truth.gnd)


COUNTS = {"oxford5k": (5063, 55, None), "paris6k": (6392, 55, None), "holidays": (1491, 500, 991)}


def verdict(published: float, found: float) -> str:
    """Within the tolerance or not."""
    return (
        "as published"
        if abs(found - published) <= TOLERANCE
        else f"off by {found - published:+.2f}"
    )


def weights_of(folder: Path, network: str) -> Path | None:
    """The state dict of a network; None where a method has none. Raises FileNotFoundError, with what to bring."""
    if network == "-":
        return None
    for suffix in (".safetensors", ".pth", ".pt"):
        if (folder / f"{network}{suffix}").is_file():
            return folder / f"{network}{suffix}"
    architecture, _, training = network.partition("-")
    learnt = {
        "": "ImageNet", "landmarks": "landmark classes", "sfm": "clusters and 3-d models",
        "mined": "mining on manifolds",
    }[training]  # fmt: skip
    raise FileNotFoundError(
        f"{network}: put the state dict of {architecture} from {learnt}, in torchvision's names, into "
        f"{folder / network}.safetensors or .pth"
    )


def main() -> int:
    """Print one line for each published figure; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    parser.add_argument("--weights", type=Path, default=shared / "weights")
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--only", nargs="+", default=[], help="methods, such as crow r-mac")
    parser.add_argument(
        "--table", action="store_true", help="print the published figures, run nothing"
    )
    arguments = parser.parse_args()
    rows = [r for r in _rows() if not arguments.only or r.method.lower() in arguments.only]
    if arguments.table:
        for row in rows:
            print(f"{row}  {row.source}")
        return 0
    missing: dict[str, None] = {}
    wrong = 0
    loaded: dict[str, Collection] = {}

    def load(name: str) -> Collection:
        if name not in loaded:
            loaded[name] = LOADERS[name](arguments.data / name)
        return loaded[name]

    def say(what: str, published: float, found: float) -> None:
        nonlocal wrong
        wrong += abs(found - published) > TOLERANCE
        print(f"{what} {found:9.2f}  {verdict(published, found)}", flush=True)

    print(f"{'method':22} {'network':17} {'dim':>5} {'data':9} {'published':>10} {'obtained':>9}")
    for row in rows:
        parts: list[Any] = []
        for part in (
            lambda row=row: weights_of(arguments.weights, row.network),
            lambda row=row: load(row.data),
            lambda row=row: load(OTHER[row.data]),
        ):
            try:
                parts.append(part())
            except FileNotFoundError as error:
                missing[str(error)] = None
        if len(parts) == 3:
            say(str(row), row.published, obtained(row, *parts))
        else:
            print(f"{row} {'-':>9}")
    for name in REVISITED if not arguments.only else ():
        try:
            for setup, published, found in revisited(arguments.data / name, name):
                say(
                    str(Row(f"R101-GeM, {setup}", "features", 2048, name, published, "")),
                    published,
                    found,
                )
        except FileNotFoundError as error:
            missing[str(error)] = None
    try:
        for name, published, found in caffenet(arguments.data / "oxford5k"):
            say(
                str(Row(f"fc7, {name}", "caffenet", 128, "oxford5k", published, "")),
                published,
                found,
            )
    except FileNotFoundError as error:
        missing[str(error)] = None
    for data, expected in COUNTS.items():
        try:
            got = counts(arguments.data / data, data)
        except FileNotFoundError as error:
            missing[str(error)] = None
            continue
        fits = all(e is None or e == g for e, g in zip(expected, got))
        wrong += not fits
        print(
            f"{data}: {got[0]} photos, {got[1]} queries, {got[2]} positives, a perfect ranking gets 1"
            + ("" if fits else f"; expected {expected}")
        )
    for sentence in missing:
        print(f"missing: {sentence}")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
