from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
cv2 = pytest.importorskip("cv2")
pytest.importorskip("PIL")
from kinfold.cli import main

QUICK = (
    "--side", "128", "--epochs", "1", "--triplets", "2", "--negatives", "1", "--batch", "2",
    "--proposal-epochs", "1", "--regions", "16",
)  # fmt: skip


def textured(seed: int, side: int = 220) -> np.ndarray:
    """Something that has features: blots of all sizes and colours."""
    random = np.random.default_rng(seed)
    image = np.full((side, side, 3), random.integers(60, 200, 3), np.uint8)
    for _ in range(220):
        at, radius = random.integers(0, side, 2), int(random.integers(2, 12))
        colour = tuple(int(v) for v in random.integers(0, 256, 3))
        cv2.circle(image, tuple(int(v) for v in at), radius, colour, -1)
    return image


def view(
    thing: np.ndarray, random: np.random.Generator, size: tuple[int, int] = (200, 160)
) -> np.ndarray:
    """A photo of it on a plain ground: shifted, scaled."""
    scale = random.uniform(0.45, 0.6)
    x, y = random.uniform(0, 200 - 220 * scale), random.uniform(0, 160 - 220 * scale)
    matrix = np.array([[scale, 0, x], [0, scale, y]])
    photo = cv2.warpAffine(thing, matrix, size, borderValue=(128, 128, 128))
    return np.clip(photo + random.normal(0, 3, photo.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of four photos and a wrong one, one of a single photo, one whose photos do not match.

    And what people's folders hold besides: a copy, a file that is no photo, a photo in no class.
    """
    root = tmp_path_factory.mktemp("dir") / "classes"
    random = np.random.default_rng(0)
    for name, count in (("arch", 4), ("bell", 4), ("crypt", 4), ("single", 1)):
        (root / name).mkdir(parents=True)
        thing = textured(len(list(root.iterdir())))
        for i in range(count):
            cv2.imwrite(str(root / name / f"{i}.png"), view(thing, random))
    for name in ("arch", "bell"):
        cv2.imwrite(str(root / name / "wrong.png"), view(textured(90 + len(name)), random))
    (root / "strangers").mkdir()
    for i in range(2):
        cv2.imwrite(str(root / "strangers" / f"{i}.png"), view(textured(50 + i), random))
    shutil.copy(root / "arch" / "wrong.png", root / "arch" / "wrong again.png")
    (root / "bell" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    cv2.imwrite(str(root / "stray.png"), view(textured(70), random))
    return root


def train(photos: Path, weights: Path, out: Path, *more: str) -> int:
    return main(["train", "dir", str(photos), "--weights", str(weights), "-o", str(out), *QUICK, *more])  # fmt: skip


def test_cleaned_learnt_and_searched(collected, weights, tmp_path, capsys) -> None:
    out, told = tmp_path / "net.safetensors", tmp_path / "told.json"
    assert train(collected, weights, out, "--json", str(told)) == 0
    said = capsys.readouterr()
    assert "skipped bell/broken.jpg" in said.err and "stray.png: is in no folder" in said.err
    report = json.loads(told.read_text())
    measured = report["measured"]
    # 12 photos of three things are right; two wrong ones, a copy of one, a single and two strangers are not.
    assert measured["photos"] == 18 and measured["photos kept"] == 12
    assert measured["classes dropped, of which no two photos match"] == 2
    assert measured["regions"] in ("grid", "proposals")
    assert 0 < measured["overlap of boxes with proposals"] <= 1
    folder = Path(report["folder"])
    cleaned = (folder / "cleaning.html").read_text()
    assert cleaned.count("left out</span>") == 5 and cleaned.count("copy</span>") == 1
    assert "overlap" in (folder / "proposals.html").read_text()
    assert "--pooling learnt-rmac" in said.out
    # The whole is a gallery's network; the network alone is one with any pooling.
    for pooling in ("learnt-rmac", "gem"):
        gallery = tmp_path / f"{pooling}.kin"
        command = ["index", str(collected), "-o", str(gallery), "--weights", str(out)]
        assert main([*command, "--pooling", pooling, "--quiet"]) == 0
    bell = str(collected / "bell" / "1.png")
    assert main(["search", str(tmp_path / "learnt-rmac.kin"), bell, "--top", "3"]) == 0
    # Weights without it say so, in a line.
    capsys.readouterr()
    command = ["index", str(collected), "-o", str(tmp_path / "x.kin"), "--weights", str(weights)]
    assert main([*command, "--pooling", "learnt-rmac", "--quiet"]) == 2
    error = capsys.readouterr().err
    assert "hold no learnt R-MAC" in error and len(error.splitlines()) == 1


@pytest.mark.slow
def test_interrupted_anywhere_it_goes_on(collected, weights, tmp_path, capsys, monkeypatch) -> None:
    from kinfold.learn import proposals, regions

    whole = tmp_path / "whole.safetensors"
    assert train(collected, weights, whole, "--quiet") == 0
    parts = tmp_path / "parts.safetensors"
    for module, name in ((regions, "whitened_regions"), (proposals, "train_proposals")):

        def stopped(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, name, stopped)
            resumed = ["--resume"] if module is proposals else []
            assert train(collected, weights, parts, "--quiet", *resumed) == 130
            assert "--resume goes on" in capsys.readouterr().err
    assert train(collected, weights, parts, "--quiet") == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert train(collected, weights, parts, "--quiet", "--resume") == 0
    assert whole.read_bytes() == parts.read_bytes()


def test_the_network_as_it_is_and_two_classes(collected, weights, tmp_path, capsys) -> None:
    from kinfold.features.safetensors import read_safetensors

    out, two = tmp_path / "net.safetensors", tmp_path / "two"
    for name in ("arch", "bell"):
        shutil.copytree(collected / name, two / name)
    assert train(two, weights, out, "--quiet", "--frozen") == 0
    # A gallery of these photos serves as well, whatever its engine.
    gallery, other = str(tmp_path / "two.kin"), tmp_path / "other.safetensors"
    assert main(["index", str(two), "-o", gallery, "--engine", "colour", "--quiet"]) == 0
    assert train(Path(gallery), weights, other, "--quiet", "--frozen") == 0
    assert other.read_bytes() == out.read_bytes()
    # Done, it is done again from what is there; of other photos it is another training.
    made = out.read_bytes()
    assert train(two, weights, out, "--quiet", "--frozen", "--resume") == 0
    assert out.read_bytes() == made
    (two / "bell" / "2.png").unlink()
    assert train(two, weights, out, "--quiet", "--frozen", "--resume") == 2
    error = capsys.readouterr().err
    assert "was begun with other photos" in error and len(error.splitlines()) == 1, error
    (before, _), (after, told) = read_safetensors(weights), read_safetensors(out)
    assert all(np.array_equal(after[key], array) for key, array in before.items())
    # None is left to judge by: proposals it is, as was asked.
    assert json.loads(told["pool"])["proposals"]["keep"] == 16


def test_what_cannot_be_learnt_from_is_one_line(collected, weights, tmp_path, capsys) -> None:
    alone = tmp_path / "one"
    shutil.copytree(collected / "arch", alone / "arch")
    three = tmp_path / "three"
    for i, name in enumerate(("arch", "arch", "bell")):
        (three / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(collected / name / f"{i}.png", three / name)
    (tmp_path / "empty").mkdir()
    other = tmp_path / "other.safetensors"
    other.write_bytes(weights.read_bytes()[:-4])
    for photos, start, words in (
        (alone, weights, "expected a folder for each class, two at least"),
        (three, weights, "1 class left of which photos match, two are needed"),
        (collected / "strangers", weights, "expected a folder for each class"),
        (tmp_path / "empty", weights, "no photo that can be read"),
        (tmp_path / "none", weights, "there is no such folder"),
        (collected, tmp_path / "none", "no such file"),
        (collected, other, "other.safetensors"),
    ):
        out = tmp_path / f"{len(words)}.safetensors"
        assert train(photos, start, out, "--quiet") == 2, words
        error = capsys.readouterr().err
        assert words in error and len(error.splitlines()) == 1, error
    assert train(collected, weights, tmp_path / "r.safetensors", "--resume", "--quiet") == 2
    assert "holds no training to resume" in capsys.readouterr().err


def test_large_classes_are_not_matched_in_all_pairs() -> None:
    from kinfold.cli.train.dir import _pairs

    labels = np.repeat([0, 1, 2], [5, 300, 4])
    copies = np.arange(len(labels))
    copies[1] = 0  # a copy within its class is not looked at; one of another class is
    copies[305] = 2
    pairs = _pairs(labels, np.arange(len(labels)) < 305, copies, 0)
    assert (labels[pairs[:, 0]] == labels[pairs[:, 1]]).all() and (pairs[:, 0] != pairs[:, 1]).all()
    small = {tuple(sorted(p)) for p in pairs[labels[pairs[:, 0]] == 0].tolist()}
    assert small == {(0, 2), (0, 3), (0, 4), (2, 3), (2, 4), (3, 4)}
    large = pairs[labels[pairs[:, 0]] == 1]
    assert len(large) == 300 * 30 and len(np.unique(large[:, 0])) == 300
    assert not (labels[pairs] == 2).any()  # 305 and on were not named
