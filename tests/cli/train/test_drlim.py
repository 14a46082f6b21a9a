from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import kinfold as kf
from kinfold.cli import main

BARS = np.zeros((24, 12, 12), np.uint8)
for i in range(24):
    BARS[i, :, i // 2] = 100 + 6 * i


@pytest.fixture
def idx(tmp_path):
    path = tmp_path / "bars-idx3-ubyte.gz"
    head = struct.pack(">BBBB3I", 0, 0, 8, 3, *BARS.shape)
    path.write_bytes(gzip.compress(head + BARS.tobytes()))
    return path


@pytest.fixture(autouse=True)
def threads():
    """As many as the command takes: torch sums as many parts as it has threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(kf.get_threads())
    yield
    torch.set_num_threads(before)


def train(*arguments: object) -> int:
    return main(["train", "drlim", *map(str, arguments), "--epochs", "2", "--quiet"])


def test_a_map_of_an_idx_file_and_its_picture(idx, tmp_path, capsys) -> None:
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "labels.npy", np.arange(24) // 8)
    out, picture = tmp_path / "bars.kin", tmp_path / "bars.png"
    code = train(
        idx, "-o", out, "--picture", picture, "--labels", tmp_path / "labels.npy", "--json"
    )
    told = json.loads(capsys.readouterr().out)
    assert code == 0 and told["map"] == str(out) and told["measured"] == {"pictures": 24}
    assert len(told["epochs"]) == 2 and picture.read_bytes()[:4] == b"\x89PNG"
    model = kf.load(out, kf.DrLIM)
    same = kf.DrLIM(2, epochs=2, verbose=False).fit(BARS)
    assert model.network == "convolutional"
    assert np.array_equal(model.transform(BARS), same.transform(BARS))


def test_arrays_and_pairs(tmp_path) -> None:
    np.savez(tmp_path / "bars.npz", bars=BARS, more=BARS)
    np.save(tmp_path / "vectors.npy", BARS.reshape(24, -1)[:20])
    np.save(tmp_path / "pairs.npy", [[0, 1], [1, 2]])
    assert (
        train(tmp_path / "bars.npz", "--array", "bars", "--first", "9", "-o", tmp_path / "a.kin")
        == 0
    )
    given = ["--pairs", tmp_path / "pairs.npy", "--dim", "3", "-o", tmp_path / "b.kin"]
    assert train(tmp_path / "vectors.npy", *given) == 0
    model = kf.load(tmp_path / "b.kin")
    assert model.network == "connected" and model.transform(BARS.reshape(24, -1)).shape == (24, 3)
    expected = kf.DrLIM(3, network="connected", epochs=2, verbose=False)
    expected.fit(BARS.reshape(24, -1)[:20], pairs=[[0, 1], [1, 2]])
    rows = BARS.reshape(24, -1)
    assert np.array_equal(model.transform(rows), expected.transform(rows))


@pytest.mark.parametrize("colour", [False, True])
def test_a_folder_of_photos(colour, tmp_path) -> None:
    image = pytest.importorskip("PIL.Image")
    photos = np.random.default_rng(0).integers(0, 256, (8, 30, 50, 3), np.uint8)
    (tmp_path / "photos" / "more").mkdir(parents=True)
    for i, photo in enumerate(photos):
        image.fromarray(photo).save(tmp_path / "photos" / ("more" if i % 2 else "") / f"{i}.png")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    options = ["--colour"] if colour else []
    assert train(tmp_path / "photos", "--side", "16", "-o", tmp_path / "p.kin", *options) == 0
    shape = (3, 16, 16, 3) if colour else (3, 16, 16)
    assert kf.load(tmp_path / "p.kin").transform(np.zeros(shape)).shape == (3, 2)


def test_resumed(idx, tmp_path, capsys) -> None:
    out = tmp_path / "a.kin"
    assert train(idx, "-o", out) == 0
    first = kf.load(out).transform(BARS)
    assert train(idx, "-o", out) == 2, "an earlier training is not overwritten"
    assert "--resume" in capsys.readouterr().err
    assert train(idx, "-o", out, "--resume") == 0
    assert np.array_equal(kf.load(out).transform(BARS), first)


def test_errors_are_one_line(idx, tmp_path, capsys) -> None:
    holed = BARS.astype(np.float32)
    holed[3, 2, 1] = np.nan
    np.save(tmp_path / "holed.npy", holed)
    np.save(tmp_path / "one.npy", BARS[:1])
    np.save(tmp_path / "none.npy", np.empty((0, 2), np.int64))
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no pictures")
    cases = {
        "X: expected finite numbers, got NaN or infinity in picture 3": [tmp_path / "holed.npy"],
        "X: expected at least 2 pictures, got 1": [tmp_path / "one.npy"],
        "pairs: expected at least one pair": [idx, "--pairs", tmp_path / "none.npy"],
        "n_neighbors: expected fewer than the 24 pictures, got 24": [idx, "--neighbours", "24"],
        "pictures: there is no photo in": [tmp_path / "empty"],
        "not a readable idx file": [tmp_path / "text"],
        "No such file": [tmp_path / "gone.npy"],
        "labels: expected one for each of 24 pictures": [idx, "--labels", tmp_path / "one.npy"],
        "picture: expected a map of 2 or 3 dimensions, got 4": [idx, "--dim", "4", "--picture", tmp_path / "p.png"],
    }  # fmt: skip
    for words, arguments in cases.items():
        assert train(*arguments, "-o", tmp_path / "x.kin") == 2
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1, said
        assert not (tmp_path / "x.kin").exists()
