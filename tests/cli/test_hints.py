"""What commands say where they are used in a way that was not meant."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from kinfold.cli import COMMANDS, main
from kinfold.cli.run import _parsers

from .conftest import check_error, cv2


def test_something_else_than_a_gallery(kinfold, city: Path, photos: Path, tmp_path: Path) -> None:
    query = photos / "thing0_0.png"
    check_error(kinfold("search", query, city), "the gallery comes first")
    check_error(kinfold("search", photos, query), f"kinfold index {photos}")
    check_error(kinfold("index", city), "is a gallery", "come first")
    shutil.copytree(photos, tmp_path / "holiday")
    shutil.copytree(city, tmp_path / "holiday.kin")
    for command in (["groups"], ["info"], ["search"], ["eval"]):
        more = {"search": [query], "eval": ["--ground-truth", query]}.get(command[0], [])
        for path in (tmp_path / "holiday", "holiday"):
            done = kinfold(*command, path, *more, cwd=tmp_path)
            if command != ["eval"]:
                check_error(done, "did you mean", "holiday.kin?")
    check_error(kinfold("groups", tmp_path / "nosuch"), "no such gallery")


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_and_options_are_written_out(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name[:-1]]) == 2
    assert f"did you mean {name}?" in capsys.readouterr().err
    top, commands = _parsers()
    for parser in (top, commands[name]):
        assert not parser.allow_abbrev and "exit codes: 0 done" in parser.format_help()
    words = {
        "search": ["g", "q"], "eval": ["g", "--ground-truth", "f"], "demo": [],
        "train": ["softmax", "x", "--weights", "w"], "shard": ["x", "-o", "y"], "import": ["x", "-o", "y"],
        "export": ["x", "-o", "y"],
    }.get(name, ["x"])  # fmt: skip
    for action in commands[name]._actions:
        for option in action.option_strings:
            if option.startswith("--") and action.nargs != 0 and action.dest != "json":
                assert main([name, *words, option[:-1], "1"]) == 2
                error = capsys.readouterr().err
                assert "unrecognized arguments" in error and "did you mean --" in error
                assert len(error.splitlines()) == 1


def test_an_argument_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "p", "--engine", "vald"]) == 2
    error = capsys.readouterr().err
    assert error.count("engine:") == 1 and "expected one of bow, vlad" in error


@pytest.mark.parametrize("rerank", ["spatial,diffusion", "none"])
def test_a_query_with_nothing_in_it(rerank: str, kinfold, city: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((200, 300, 3), 128, np.uint8))
    done = kinfold(
        "search", city, tmp_path / "grey.png", "--rerank", rerank, "--json", tmp_path / "x.json",
        "--html", tmp_path / "x.html",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert len(done.stderr.splitlines()) == 1 and "nothing to compare" in done.stderr
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["hits"] == [] and found["features"] == 0
    assert "Nothing was found" in (tmp_path / "x.html").read_text()


def test_hits_can_be_opened(kinfold, city: Path, photos: Path, tmp_path: Path) -> None:
    done = kinfold("search", city, photos / "thing1_0.png", "--json", "-", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["root"] == str(photos.resolve())
    for hit in found["hits"]:
        assert (
            hit["file"] == os.path.join(found["root"], hit["path"]) and Path(hit["file"]).is_file()
        )
    done = kinfold("search", city, photos / "thing1_0.png", "--all", "--quiet", cwd=tmp_path)
    rows = done.stdout.splitlines()[1:]
    assert len(rows) == 9 and all(Path(row.split()[-1]).is_file() for row in rows)
    done = kinfold("groups", city, cwd=tmp_path)
    for line in done.stdout.splitlines()[1:]:
        assert Path(line.split()[0]).is_file()


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0 a picture", b"\x93NUMPY\x01", b"", b"{", b"[1, 2]", b"null", b"\x80garbage"]
)  # fmt: skip
def test_no_ground_truth(content: bytes, kinfold, city: Path, tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_bytes(content)
    done = kinfold("eval", city, "--ground-truth", tmp_path / "truth.json")
    check_error(done, "truth.json")
    assert "codec" not in done.stderr


def test_ground_truth_of_any_system(kinfold, city: Path, photos: Path, tmp_path: Path) -> None:
    names = [f"thing{t}_{v}" for t in range(3) for v in range(3)]
    gnd = [{"ok": [1, 2], "junk": [0]}] * 2
    truth = {"imlist": names, "qimlist": [names[0], "thing0_0.png"], "gnd": gnd}
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"):
        (tmp_path / "truth.txt").write_bytes(json.dumps(truth).encode(encoding))
        done = kinfold(
            "eval", city, "--ground-truth", tmp_path / "truth.txt", "--rerank", "none", "--quiet"
        )
        assert done.returncode == 0 and "mAP 1.0000" in done.stdout, done.stderr

    def refused(changes: dict[str, object], *words: str) -> None:
        (tmp_path / "bad.json").write_text(json.dumps({**truth, **changes}))
        check_error(kinfold("eval", city, "--ground-truth", tmp_path / "bad.json"), *words)

    refused({"qimlist": [], "gnd": []}, "no query")
    refused({"imlist": [*names, names[0]]}, "each name once")
    refused({"imlist": [*names, "thing0_1.png"]}, "each photo once", "thing0_1")
    refused({"qimlist": ["elsewhere", names[0]]}, "--queries")
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "list.txt").write_bytes("thing0_0.png\r\nthing1_0.png\r\n".encode(encoding))
        done = kinfold(
            "index",
            photos,
            "--list",
            tmp_path / "list.txt",
            "-o",
            tmp_path / f"{encoding}.kin",
            "--engine",
            "vlad",
            "--codewords",
            4,
        )
        assert ": 2 photos" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0\0\x10JFIF", b"\xff\xfea", b"a.jpg\0b.jpg\0"]
)
def test_no_list(content: bytes, kinfold, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(content)
    done = kinfold("index", photos, "-o", tmp_path / "g.kin", "--list", tmp_path / "list.txt")
    check_error(done, "list.txt: is no text file")
    assert not (tmp_path / "g.kin").exists()
