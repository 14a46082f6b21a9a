"""What a small file claims costs no more than a multiple of its size: each is read in a child with little memory."""

from __future__ import annotations

import io
import json
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinfold.io import kin

MEMORY = 700_000_000
SECONDS = 200
READERS = {
    "kin": "kinfold.io.kin:load",
    "npy": "kinfold.io.npy:read_npy",
    "vecs": "kinfold.io.vecs:read_vecs",
    "pickle": "kinfold.io.foreign.ground_truth_pickle:read",
    "json": "kinfold.evaluate.ground_truth:GroundTruth.from_json",
    "photo": "kinfold.images.decode:decode",
    "safetensors": "kinfold.features.weights:read_weights",
    "weights": "kinfold.features.weights:read_weights",
}
# The limit counts from when all that the reader needs is imported.
CODE = """
import importlib, pathlib, resource, sys
from kinfold.base.errors import FileFormatError, ImageError
module, _, names = sys.argv[1].partition(":")
read = importlib.import_module(module)
for name in names.split("."):
    read = getattr(read, name)
for path in sys.argv[4:]:
    try: read(pathlib.Path(path).parent / "sound")
    except (FileNotFoundError, ValueError): pass
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + int(sys.argv[2]), resource.RLIM_INFINITY))
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[3]), int(sys.argv[3]) + 9))
for path in sys.argv[4:]:
    try:
        print("read", type(read(path)).__name__, flush=True)
    except (FileFormatError, ImageError) as error:
        assert getattr(error, "cause", "file") == "file" and "memory that is there" not in str(error), error
        print("refused", error, flush=True)
"""


def outcome(reader: str, path: Path, memory: int = MEMORY) -> str:
    """ "read" or "refused", and what was said."""
    if not Path("/proc/self/statm").exists() or not hasattr(resource, "RLIMIT_AS"):
        pytest.skip("the limit on memory is set as Linux does")
    done = subprocess.run(
        [sys.executable, "-c", CODE, READERS[reader], str(memory), str(SECONDS), str(path)],
        capture_output=True,
        text=True,
        timeout=10 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{reader}: {done.returncode} {done.stdout} {done.stderr[-600:]}"
    return done.stdout


def npy(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(side: int, depth: int, kind: int) -> bytes:
    """Black pixels, all of them there."""
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    packer, rows = zlib.compressobj(9), []
    for _ in range(side):
        rows.append(packer.compress(bytes(1 + (side * depth * samples + 7) // 8)))
    header = struct.pack(">IIBBBBB", side, side, depth, kind, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(6)) + chunk(b"tRNS", b"\0\x80") if kind == 3 else b""
    body = chunk(b"IHDR", header) + palette + chunk(b"IDAT", b"".join([*rows, packer.flush()]))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def jpeg(scans: int, progressive: bool) -> bytes:
    image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    image.new("L", (3000, 3000), 9).save(file, "JPEG", progressive=progressive)
    data = file.getvalue()
    last, end = data.rindex(b"\xff\xda"), len(data) - 2
    scan = data[last:end] if progressive else data[last:end][:40]
    return data[:end] + scan * scans + data[end:]


def opcodes(*parts: bytes) -> bytes:
    return pickle.PROTO + b"\x02" + b"".join(parts) + pickle.STOP


def called(name: bytes, arguments: bytes, times: int) -> bytes:
    """A list of what a permitted function gives for the same arguments, time and again."""
    return opcodes(
        pickle.GLOBAL, name, pickle.BINPUT, b"\0", arguments, pickle.BINPUT, b"\1", pickle.POP * 2,
        pickle.EMPTY_LIST, pickle.MARK, (b"h\0h\1" + pickle.REDUCE) * times, pickle.APPENDS,
    )  # fmt: skip


def text(size: int) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", size) + b"x" * size


def bytes_(size: int) -> bytes:
    return pickle.BINBYTES + struct.pack("<I", size) + b"x" * size


def wide_lists() -> bytes:
    """Lists of lists of lists, each named a thousand times."""
    parts = [pickle.EMPTY_LIST, pickle.BINPUT, b"\0"]
    for level in range(1, 6):
        parts += [
            pickle.EMPTY_LIST,
            pickle.MARK,
            (b"h" + bytes([level - 1])) * 1000,
            pickle.APPENDS,
        ]
        parts += [pickle.BINPUT, bytes([level])]
    return opcodes(*parts, pickle.POP * 6, pickle.EMPTY_DICT, text(1), b"h\5", pickle.SETITEM)


def named_often() -> bytes:
    """One long text as bytes, which becomes a text anew wherever it stands."""
    return opcodes(
        bytes_(130_000), pickle.BINPUT, b"\0", pickle.POP, pickle.EMPTY_DICT, text(1), pickle.EMPTY_LIST, pickle.MARK,
        b"h\0" * 60_000, pickle.APPENDS, pickle.SETITEM,
    )  # fmt: skip


def equal_hashes() -> bytes:
    """A dictionary whose keys all have one hash: each is compared with all before."""
    keys = [
        pickle.LONG1 + bytes([len(n)]) + n + pickle.NONE
        for n in ((i * (2**61 - 1)).to_bytes(12, "little") for i in range(1, 150_000))
    ]
    return opcodes(pickle.EMPTY_DICT, pickle.MARK, *keys, pickle.SETITEMS)


def texts_of(size: int) -> bytes:
    """The arguments of numpy's scalar: a dtype of long texts, and one such text."""
    return (
        pickle.GLOBAL + b"numpy\ndtype\n" + pickle.BINUNICODE + struct.pack("<I", 7) + b"S%06d" % size
        + pickle.TUPLE1 + pickle.REDUCE + bytes_(size) + pickle.TUPLE2
    )  # fmt: skip


def repeated_names() -> bytes:
    names = [f"photo {i}" for i in range(300_000)]
    return json.dumps({"imlist": [*names, names[-1]], "qimlist": [], "gnd": []}).encode()


def safetensors(shape: list[int], size: int = 0) -> bytes:
    entry = {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}
    header = json.dumps(entry).encode()
    return len(header).to_bytes(8, "little") + header + bytes(size)


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "npy of 10^12 rows": ("npy", lambda: npy("(1000000000000, 4)")),
    "npy of no columns": ("npy", lambda: npy("(1000000000000000000000000, 0)")),
    "npy of many dimensions": ("npy", lambda: npy("(" + "1, " * 500 + "0)")),
    "fvecs of one long vector": ("vecs", lambda: struct.pack("<i", 2**31 - 1) + bytes(100)),
    "pickle of one text encoded anew": (
        "pickle", lambda: called(b"_codecs\nencode\n", text(130_000) + text(6)[:-6] + b"latin1" + pickle.TUPLE2, 9_000),
    ),
    "pickle of one scalar anew": (
        "pickle", lambda: called(b"numpy.core.multiarray\nscalar\n", texts_of(130_000), 26_000),
    ),
    "pickle of wide lists": ("pickle", wide_lists),
    "pickle that names bytes often": ("pickle", named_often),
    "pickle of keys with one hash": ("pickle", equal_hashes),
    "json with a name twice": ("json", repeated_names),
    "png of 170 megapixels, 1 bit": ("photo", lambda: png(13_100, 1, 0)),
    "png of 60 megapixels, 16 bit and alpha": ("photo", lambda: png(7_800, 16, 6)[:100_000]),
    "png of 170 megapixels, palette": ("photo", lambda: png(13_100, 1, 3)),
    "png that may be decoded": ("photo", lambda: png(6_000, 1, 3)),
    "jpeg of 20,000 scans": ("photo", lambda: jpeg(20_000, True)),
    "jpeg of 20,000 empty scans": ("photo", lambda: jpeg(20_000, False)),
    "safetensors of 2^62 rows": ("safetensors", lambda: safetensors([2**62, 0])),
    "safetensors of 10^30 rows": ("safetensors", lambda: safetensors([10**30, 0])),
    "safetensors beyond the file": ("safetensors", lambda: safetensors([2**40])),
}  # fmt: skip
MAY_BE_READ = {"npy of many dimensions", "png that may be decoded"}


@pytest.mark.parametrize("name", FILES)
def test_small_files_cost_little(name: str, tmp_path: Path) -> None:
    reader, make = FILES[name]
    if reader == "photo":
        pytest.importorskip("PIL")
    if reader == "safetensors":
        pytest.importorskip("torch")
    path = tmp_path / f"file{'.fvecs' if reader == 'vecs' else ''}"
    path.write_bytes(make())
    assert path.stat().st_size < 8_000_000
    said = outcome(reader, path)
    assert said.startswith("refused") or name in MAY_BE_READ, said
    assert name != "png that may be decoded" or said.startswith("read"), said


def compressed(path: Path) -> None:
    """The records of a file of torch, deflated, one of them a gigabyte of zeros."""
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for record, data in records.items():
            archive.writestr(record, bytes(1 << 30) if record.endswith("data/0") else data)


WEIGHTS: dict[str, Callable[[Any], Any]] = {
    "one number as many": lambda torch: {"a": torch.zeros(1).as_strided((1 << 31,), (0,))},
    "one number as many, in a matrix": lambda torch: {"a": torch.zeros(1).expand(1 << 16, 1 << 16)},
    "overlapping windows": lambda torch: {"a": torch.zeros(90_000).as_strided((40_000, 40_000), (1, 1))},
    "one tensor by many names": lambda torch: dict.fromkeys(map(str, range(20_000)), torch.zeros(100_000)),
    "a sparse tensor": lambda torch: {"a": torch.sparse_coo_tensor(size=(1 << 20, 1 << 20), check_invariants=True)},
    "a tensor without numbers": lambda torch: {"a": torch.zeros(1 << 34, device="meta")},
}  # fmt: skip


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.slow
def test_weights_are_no_larger_than_their_file(name: str, old: bool, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "w.pth"
    torch.save(WEIGHTS[name](torch), path, _use_new_zipfile_serialization=not old)
    assert path.stat().st_size < 8_000_000
    assert outcome("weights", path).startswith("refused")


def test_compressed_weights(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(10)}, path)
    compressed(path)
    assert "it is compressed" in outcome("weights", path)


def test_weights_that_share_numbers_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from kinfold.features.weights import read_weights

    shared = torch.arange(5000.0)
    state = {
        "a": shared,
        "b": shared.view(50, 100).T,
        "c": torch.ones(1).expand(7),
    }
    torch.save(state, tmp_path / "w.pth")
    read = read_weights(tmp_path / "w.pth").tensors
    assert all(torch.equal(read[key], state[key]) for key in state)


@pytest.mark.slow
def test_networks_are_not_run_at_a_size_that_a_file_claims(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from kinfold.features.extract import Extractor

    net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU())
    made = Extractor(net, scales=[1.0])
    params, arrays = made.params(), {k: np.array(v) for k, v in made.arrays().items()}
    trunk = params["trunk"]
    pools = [
        [
            "MaxPool2d",
            {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 1, "ceil_mode": False},
        ]
    ]
    grown = [[trunk["layers"][0][0], {**trunk["layers"][0][1], "padding": [512, 512]}]]
    deep: list[Any] = []
    for _ in range(12):
        deep = [["Sequential", {"layers": deep}]] * 2
    claims = {
        "side": {**params, "side": 4096},
        "flattened": {**params, "side": 4096, "pooling": "flatten", "pooling_options": {}},
        "growing": {**params, "side": 4096, "trunk": {**trunk, "layers": grown}},
        "passes": {**params, "side": 4096, "trunk": {**trunk, "layers": trunk["layers"] + 900 * pools}},
        "least side": {**params, "trunk": {**trunk, "least_side": 4096, "layers": trunk["layers"] + 900 * pools}},
        "scales": {**params, "scales": [1.0] * 200_000},
        "regions": {**params, "pooling": "rmac", "pooling_options": {"levels": 100, "overlap": 0.4, "whole": False}},
        "stacks": {**params, "trunk": {**trunk, "layers": deep}},
    }  # fmt: skip
    for name, claimed in claims.items():
        kept = {
            k: v for k, v in arrays.items() if claimed["pooling"] == "gem" or k.startswith("trunk")
        }
        path = tmp_path / f"{name}.kin"
        kin.write(path, "features.Extractor", claimed, kept)
        said = outcome("kin", path, 1_500_000_000)
        assert said.startswith("refused") or name in (
            "side",
            "flattened",
            "growing",
            "passes",
            "least side",
        )


def test_the_shape_is_that_of_a_run() -> None:
    """Told without running: for every network and pooling, at a side of its own."""
    torch = pytest.importorskip("torch")
    from kinfold.features.extract import Extractor
    from kinfold.features.pool import METHODS

    for pooling in METHODS:
        made = Extractor(
            "random", architecture="squeezenet1_1", pooling=pooling, scales=[1.0], side=96
        )
        assert made.describe(np.zeros((96, 96, 3), np.uint8)).shape == (made.dim,)

    class Own(torch.nn.Module):
        """One that only runs: its shape depends on its numbers."""

        def forward(self, x: Any) -> Any:
            return torch.relu(x[:, : 1 + int(x.sum() == 0)]) + torch.ones(1)

    own = Extractor(Own(), pooling="mac", scales=[1.0], side=64)
    assert own.dim == 2


def test_long_parameters_are_refused_when_they_are_saved(tmp_path: Path) -> None:
    class Thing:
        kind = "test.Thing"

        def params(self) -> dict[str, Any]:
            return {"a": "x" * 9_000_000}

        def arrays(self) -> dict[str, Any]:
            return {}

        @classmethod
        def from_state(cls, params: Any, arrays: Any) -> Any:
            return cls()

    with pytest.raises(ValueError, match=r"obj: its parameters take 9,\d+,\d+ bytes"):
        kin.save(Thing(), tmp_path / "x.kin")
    assert list(tmp_path.iterdir()) == []
