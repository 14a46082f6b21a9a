"""Arguments as they are typed."""

from __future__ import annotations

import argparse

import pytest

from kinfold.cli import options


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        ("rerank", "none", ()),
        ("rerank", "expansion, spatial", ("expansion", "spatial")),
        ("box", "1,2.5,30,40", (1.0, 2.5, 30.0, 40.0)),
        ("count", "12", 12),
        ("share", "0.5", 0.5),
        ("share", "1", 1.0),
    ],
)
def test_understood(parse: str, text: str, value) -> None:
    assert getattr(options, parse)(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        ("rerank", "spatial,nothing"), ("rerank", "spatial,spatial"), ("box", "1,2,3"), ("box", "a,b,c,d"),
        ("count", "0"), ("count", "-3"), ("count", "two"), ("share", "0"), ("share", "1.1"), ("share", "x"),
    ],
)  # fmt: skip
def test_refused(parse: str, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected"):
        getattr(options, parse)(text)


def test_how_second_looks_go_along_the_graph(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="it")
    options.add_rerank(parser)
    assert options.along(parser.parse_args([])) == {}
    typed = ["--alpha", "auto", "--k-query", "3", "--k-graph", "20", "--gamma", "2"]
    chosen = options.along(parser.parse_args(typed))
    assert chosen == {"alpha": "auto", "k_query": 3, "k": 20, "gamma": 2.0}
    for name, value in (("alpha", "1"), ("k-query", "auto"), ("k-graph", "1.5"), ("gamma", "-1")):
        with pytest.raises(SystemExit):
            parser.parse_args([f"--{name}", value])
        assert f"argument --{name}: expected a" in capsys.readouterr().err
