from __future__ import annotations

import json

import pytest

pytest.importorskip("matplotlib")
from kinfold.cli import main


def test_one_by_name(tmp_path, capsys) -> None:
    told = tmp_path / "told.json"
    assert main(["figures", "kd-tree", "-o", str(tmp_path / "f"), "--json", str(told)]) == 0
    drawn = json.loads(told.read_text())["figures"]
    assert [one["figure"] for one in drawn] == ["kd-tree"] and "medians" in drawn[0]["text"]
    assert (tmp_path / "f" / "kd-tree.png").is_file()
    assert "kd-tree.png" in capsys.readouterr().out


def test_their_names(capsys) -> None:
    assert main(["figures", "--list"]) == 0
    assert "multi-index" in capsys.readouterr().out


def test_what_is_wrong_is_said(tmp_path, capsys) -> None:
    assert main(["figures", "none"]) != 0
    assert "none: expected one of ranked-list" in capsys.readouterr().err
    assert main(["figures", "channels", "-o", str(tmp_path)]) != 0
    assert "--weights: channels shows what a network sees" in capsys.readouterr().err
