"""What kinfold index and eval make a gallery with."""

from __future__ import annotations

import json

import pytest

from kinfold.cli import main

from .conftest import check_error

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from kinfold.features.weights import random_network
    from kinfold.learn.checkpoint import save_weights

    file = tmp_path_factory.mktemp("weights") / "compact.safetensors"
    save_weights(file, random_network("compact", 0), "compact")
    return file


def test_a_layer_is_stored_and_stays(photos, weights, tmp_path, capsys) -> None:
    city = tmp_path / "city.kin"
    command = ["index", str(photos), "-o", str(city), "--weights", str(weights), "--quiet"]
    chosen = ["--layer", "flatten", "--square-side", "64", "--network-dim", "4"]
    assert main([*command, *chosen]) == 0
    assert main([*command, *chosen, "--json"]) == 0  # nothing is described anew
    assert json.loads(capsys.readouterr().out)["added"] == 0
    assert main(["info", str(city), "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["layer"], settings["square_side"], settings["network_dim"]) == (
        "flatten",
        64,
        4,
    )
    assert main([*command, "--layer", "conv5"]) == 2
    assert "was made with layer flatten, not conv5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--layer", "fc6"], ["layer: expected one of conv5, or a module: features.0 to features.14, avgpool"]),
        (["--layer", "flatten", "--pooling", "spoc"], ["pooling: expected none, or flatten, as flatten gives codes"]),
        (["--layer", "conv5+conv5"], ["layer: expected one, or one for each of 1 networks, got 2"]),
        (["--square-side", "0"], ["--square-side", "a whole number from 1"]),
    ],
)  # fmt: skip
def test_what_is_wrong(options, words, kinfold, photos, weights, tmp_path) -> None:
    done = kinfold("index", photos, "-o", tmp_path / "g.kin", "--weights", weights, *options)
    check_error(done, *words)
    assert not (tmp_path / "g.kin").exists()


def test_regions_are_kept_and_looked_at(photos, weights, tmp_path, capsys) -> None:
    city, query = tmp_path / "city.kin", str(photos / "thing1_0.png")
    command = ["index", str(photos), "-o", str(city), "--weights", str(weights), "--quiet"]
    assert main([*command, "--network-dim", "4", "--network-side", "96"]) == 0
    looked = ["search", str(city), query, "--json", "--rerank"]
    assert main([*looked, "regions"]) == 2
    assert "regions needs the regions of photos" in capsys.readouterr().err
    assert main([*command, "--regions"]) == 2
    assert "was made with regions False, not True" in capsys.readouterr().err
    command += ["--regions", "--engine", "regions", "--search", "IVF4,SQ8", "--network-side", "96"]
    assert main([*command, "--remake"]) == 0
    for stages in ("regions", "spatial,regional-diffusion"):
        main([*looked, stages])  # of things without features, whether they are sure is not at stake
        assert json.loads(capsys.readouterr().out)["hits"][0]["path"] == "thing1_0.png"
    assert main(["info", str(city), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["search_of_regions"]["index"] == "IVF4,SQ8"


def test_fast_is_a_preset_that_options_change(photos, tmp_path, capsys) -> None:
    from kinfold.gallery.settings import FAST

    city = tmp_path / "city.kin"
    command = ["index", str(photos), "-o", str(city), "--quiet", "--fast"]
    assert main([*command, "--max-features", "200"]) == 0
    assert main([*command, "--max-features", "200"]) == 0  # made with the same
    assert main(command) == 2
    assert "was made with max_features 200, not 500" in capsys.readouterr().err
    assert main(["info", str(city), "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert {name: settings[name] for name in FAST} == {**FAST, "max_features": 200}
