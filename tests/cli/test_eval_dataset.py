"""kinfold eval --dataset: benchmarks in their publishers' layout."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("cv2")
pytest.importorskip("PIL")
from kinfold import Gallery
from kinfold.base.registry import resolve
from kinfold.cli import main
from kinfold.datasets import METHODS
from kinfold.datasets.synthetic import render_collection

from .layouts import LAYOUTS, Rendered, Scene

CHEAP = ["--engine", "vlad", "--codewords", "8", "--max-features", "300", "--rerank", "none"]
OWN = {
    "oxford5k": ["oxford"], "paris6k": ["oxford"], "holidays": ["holidays"],
    "roxford5k": ["revisited-easy", "revisited-medium", "revisited-hard"],
    "rparis6k": ["revisited-easy", "revisited-medium", "revisited-hard"],
}  # fmt: skip
# What counts and what is passed over.
COUNTED = {
    "oxford": (["ok"], ["junk"]),
    "holidays": (["ok"], ["junk"]),
    "revisited-easy": (["easy"], ["junk", "hard"]),
    "revisited-medium": (["easy", "hard"], ["junk"]),
    "revisited-hard": (["hard"], ["junk", "easy"]),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Rendered:
    folder = tmp_path_factory.mktemp("made")
    truth = render_collection(
        folder, scenes=3, views=3, distractors=4, size=(320, 240), seed=4, verbose=False
    )
    photos = [folder / "jpg" / f"{name}.jpg" for name in truth["imlist"]]
    scenes = [
        Scene(folder / "jpg" / f"{query}.jpg", entry["bbx"], photos[3 * i : 3 * i + 3])
        for i, (query, entry) in enumerate(zip(truth["qimlist"], truth["gnd"]))
    ]
    return Rendered(scenes, photos[9:])


def official(names: list[str], ok: set[str], junk: set[str]) -> float:
    """What compute_ap.cpp of Oxford5k computes, line by line."""
    area = recall = 0.0
    precision, found, place = 1.0, 0, 0
    for name in names:
        if name in junk:
            continue
        found += name in ok
        now, exact = found / len(ok), found / (place + 1)
        area += (now - recall) * (precision + exact) / 2
        recall, precision, place = now, exact, place + 1
    return area


def expected(name: str, data, city) -> dict[str, float]:
    """mAP by searching with every query, in its box, and the official program."""
    collection = resolve(METHODS[name])(data)
    truth, areas = collection.truth, {protocol: [] for protocol in OWN[name]}
    with Gallery.open(city) as gallery:
        for photo, query, entry in zip(collection.query_files, truth.qimlist, truth.gnd):
            hits = gallery.search(photo, box=entry["bbx"], top=100, rerank=())
            ranked = [hit.path.rpartition("/")[2].removesuffix(".jpg") for hit in hits]
            lists = {
                k: {truth.imlist[i] for i in entry[k]}
                for k in ("ok", "easy", "hard", "junk")
                if k in entry
            }
            for protocol, rows in areas.items():
                wanted, junk = (
                    set().union(*(lists[name] for name in names)) for names in COUNTED[protocol]
                )
                if protocol == "holidays":
                    junk |= {query}
                rows.append(official(ranked, wanted, junk))
    return {protocol: sum(rows) / len(rows) for protocol, rows in areas.items()}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_benchmark_in_its_publishers_layout(name, made, tmp_path, capsys) -> None:
    data, city = tmp_path / "data", tmp_path / "city.kin"
    LAYOUTS[name](data, made)
    command = ["eval", str(city), "--dataset", name, "--data", str(data), *CHEAP]
    assert main([*command, "--json", str(tmp_path / "figures.json")]) == 0
    said, figures = capsys.readouterr(), json.loads((tmp_path / "figures.json").read_text())
    assert "as published has" in said.err and "not to be compared with published ones" in said.err
    assert list(figures["protocols"]) == OWN[name] and figures["dataset"] == name
    assert (figures["lacking"], figures["others"], figures["engine"]) == (0, 0, "vlad")
    wanted = expected(name, data, city)
    assert 0 < min(wanted.values()) <= max(wanted.values()) <= 1
    for protocol, value in wanted.items():
        found = figures["protocols"][protocol]
        assert found["map"] == pytest.approx(value, abs=1e-9)
        assert f"{protocol:16}  mAP {value:.4f}  mP@1" in said.out
        assert len(found["per_query"]) == figures["queries"]


def test_a_gallery_made_before_and_completed(made, tmp_path, capsys) -> None:
    """It may hold more photos, is completed and not made anew, and tells where the files are."""
    data, city = tmp_path / "data", tmp_path / "city.kin"
    LAYOUTS["roxford5k"](data, made)
    photos = data / "roxford5k" / "jpg"
    late = photos / "base_000002.jpg"
    shutil.move(late, tmp_path / "late.jpg")
    index = ["index", str(photos), "-o", str(city), *CHEAP[:-2], "--quiet"]
    assert main(index) == 0
    shutil.move(tmp_path / "late.jpg", late)
    command = ["eval", str(city), "--dataset", "roxford5k", "--rerank", "none"]
    assert main([*command, "--json"]) == 0
    said = capsys.readouterr()
    figures = json.loads(said.out)
    # The queries are in the gallery, and in no list.
    assert (figures["lacking"], figures["others"], figures["photos"]) == (0, 3, 13)
    assert "3 photos of the gallery are none of the benchmark" in said.err
    with Gallery.open(city) as gallery:
        assert len(gallery) == 16 and "query_0.jpg" in gallery.paths
    # Nothing is done twice, and another protocol may be asked for.
    before = (city / "MANIFEST.json").read_bytes()
    assert main([*command, "--protocol", "revisited-hard", "--quiet"]) == 0
    assert (city / "MANIFEST.json").read_bytes() == before
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("revisited-hard    mAP ")
    # Photos that were copied elsewhere are known by their names.
    shutil.copytree(data, tmp_path / "copy")
    assert main([*command, "--data", str(tmp_path / "copy"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocols"] == figures["protocols"]
    assert main([*command, "--max-features", "299"]) == 2
    assert "was made with max_features 300, not 299" in capsys.readouterr().err


def test_a_gallery_that_is_left_nowhere(made, tmp_path, capsys, monkeypatch) -> None:
    data = tmp_path / "data"
    LAYOUTS["holidays"](data, made)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    assert main(["eval", "--dataset", "holidays", "--data", str(data), *CHEAP, "--quiet"]) == 0
    assert (
        "holidays: 16 photos, 5 queries  (engine vlad, re-ranking none)" in capsys.readouterr().out
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "oxford5k",
            ["oxbuild_images", "gt_files_170407", "all_souls_1_query.txt", "oxbuild_images-v1.tgz"],
        ),
        ("paris6k", ["paris_120310", "defense_1_query.txt", "paris_1-v1.tgz"]),
        ("holidays", ["jpg1.tar.gz", "jpg2.tar.gz"]),
        ("roxford5k", ["gnd_roxford5k.pkl", "roxford5k/jpg"]),
        ("rparis6k", ["gnd_rparis6k.pkl", "rparis6k/jpg"]),
    ],
)
def test_what_is_missing_is_said(name, words, tmp_path, capsys) -> None:
    nowhere = tmp_path / "nowhere"
    assert main(["eval", "--dataset", name, "--data", str(nowhere), "--engine", "vlad"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    for word in [*words, str(nowhere), "http"]:
        assert word in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--dataset", "oxford5k"], "--data: expected the folder of oxford5k"),
        (["x.kin", "--ground-truth", "gnd.json", "--data", "x"], "--data: is for --dataset"),
        (["x.kin", "--ground-truth", "gnd.json", "--engine", "vlad"], "--engine: is for --dataset"),
        (["--ground-truth", "gnd.json"], "gallery: expected its folder"),
        (["--dataset", "holidays", "--data", "x", "--queries", "y"], "--queries: --dataset says"),
    ],
)
def test_what_does_not_go_together(options, message, capsys) -> None:
    assert main(["eval", *options]) == 2
    assert message in capsys.readouterr().err
