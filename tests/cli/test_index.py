"""kinfold index."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from .conftest import check_error


def test_json_and_a_second_run(kinfold, city, photos, tmp_path) -> None:
    gallery = shutil.copytree(city, tmp_path / "g.kin")
    done = kinfold("index", photos, "-o", gallery, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["photos"], report["unchanged"], report["added"]) == (9, 10, 0)
    assert report["failed"][0]["path"] == "bad.jpg"
    done = kinfold("index", photos, "-o", gallery, "--quiet", "--json", tmp_path / "out.json")
    assert done.stderr == "" and json.loads((tmp_path / "out.json").read_text())["photos"] == 9
    assert "nothing changed" not in kinfold("index", photos, "-o", gallery).stderr


def test_default_name_and_list(kinfold, photos, tmp_path) -> None:
    (tmp_path / "list.txt").write_text("thing0_0.png\nthing1_0.png\n\n")
    done = kinfold("index", photos, "--list", tmp_path / "list.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "photos.kin: 2 photos (2 added)" in done.stdout
    assert (tmp_path / "photos.kin" / "MANIFEST.json").is_file()


def test_bad_input(kinfold, city, photos, tmp_path) -> None:
    new = tmp_path / "new.kin"
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("\n")
    (tmp_path / "file").write_text("x")
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    check_error(kinfold("index", tmp_path / "none", "-o", new), "there is no such folder")
    check_error(kinfold("index", photos / "bad.jpg", "-o", new), "is not a folder")
    check_error(kinfold("index", tmp_path / "empty", "-o", new), "no photo that can be read")
    check_error(kinfold("index", photos, "-o", tmp_path / "file"), "is a file")
    check_error(kinfold("index", photos, "-o", photos), "not empty")
    check_error(
        kinfold("index", photos, "-o", tmp_path / "new2.kin", "--list", tmp_path / "list.txt"),
        "lists no photo",
    )
    check_error(
        kinfold("index", photos, "-o", tmp_path / "new3.kin", "--list", tmp_path / "nolist"),
        "nolist",
    )
    check_error(
        kinfold("index", photos, "-o", city, "--engine", "cnn"),
        "was made with engine asmk+tembedding+colour",
    )
    check_error(kinfold("index", photos, "-o", city, "--dim", 64), "was made with dim 128")
    check_error(kinfold("index", photos, "-o", city, "--model", city), "has a model already")
    check_error(
        kinfold("index", photos, "-o", city, "--pooling", "spoc"), "was made with pooling gem"
    )
    check_error(
        kinfold("index", photos, "-o", tmp_path / "new4.kin", "--pooling", "magic"),
        "pooling: expected one of",
    )
    more = [part for _ in range(5) for part in ("--weights", "x.safetensors")]
    check_error(kinfold("index", photos, "-o", tmp_path / "new4.kin", *more), "got 5")
    check_error(kinfold("index", photos, "-o", tmp_path / "new4.kin", "--engine", "cnn"), "weights")
    check_error(
        kinfold("index", photos, "-o", tmp_path / "new5.kin", "--model", tmp_path / "none"),
        "no such model",
    )
    check_error(
        kinfold("index", photos, "-o", city, "--json", tmp_path / "no" / "x.json"), "does not exist"
    )
    assert not (tmp_path / "new4.kin").exists() and not (tmp_path / "new5.kin").exists()


def test_bad_weights(kinfold, photos, tmp_path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    for name in ("weights.safetensors", "none.safetensors"):
        check_error(
            kinfold("index", photos, "-o", tmp_path / "g.kin", "--weights", tmp_path / name), name
        )
    assert not (tmp_path / "g.kin").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission(kinfold, photos, tmp_path) -> None:
    (tmp_path / "locked").mkdir(mode=0o555)
    check_error(kinfold("index", photos, "-o", tmp_path / "locked" / "g.kin"), "cannot be written")


SMALL = ("--engine", "tembedding", "--max-features", 60, "--centroids", 2, "--dim", 8)


def test_what_came_to_nothing_leaves_nothing(kinfold, tmp_path) -> None:
    """No empty gallery stays where no photo can be read; a folder that was there does."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "there").mkdir()
    for content in (None, b"no photo"):
        if content:
            (tmp_path / "photos" / "a.jpg").write_bytes(content)
        for target in ("there", "deep/er/g.kin"):
            done = kinfold("index", tmp_path / "photos", "-o", tmp_path / target, *SMALL)
            check_error(done, "no photo that can be read")
            assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "there"]
            assert not list((tmp_path / "there").iterdir())


def test_missing_photos_and_the_way_back(kinfold, photos, tmp_path) -> None:
    own = shutil.copytree(photos, tmp_path / "own")
    path = tmp_path / "g.kin"
    assert kinfold("index", own, "-o", path, *SMALL).returncode == 0
    for thing in range(2):
        for view in range(3):
            (own / f"thing{thing}_{view}.png").rename(tmp_path / f"{thing}_{view}.png")
    done = kinfold("index", own, "-o", path)
    assert done.returncode == 0 and "9 photos (6 missing, 1 unreadable)" in done.stdout
    assert "6 of 9 photos are not in the folder; they stay in the gallery" in done.stderr
    assert "--prune" in done.stderr
    done = kinfold("index", own, "-o", path, "--prune")
    assert "3 photos (6 removed, 1 unreadable)" in done.stdout
    # Damage is mended, and told.
    segment = next((path / "segments").iterdir())
    segment.write_bytes(segment.read_bytes()[:-9])
    done = kinfold("index", own, "-o", path)
    assert done.returncode == 0 and "features were damaged: described anew" in done.stderr
    assert kinfold("info", path, "--verify").returncode == 0
    # An old gallery's advice works.
    manifest = json.loads((path / "MANIFEST.json").read_text())
    (path / "MANIFEST.json").write_text(json.dumps({**manifest, "format": 2}))
    done = kinfold("index", own, "-o", path)
    check_error(done, "--remake")
    done = kinfold("index", own, "-o", path, "--remake", *SMALL)
    assert done.returncode == 0 and "3 photos (3 added, 1 unreadable)" in done.stdout
    assert "the query itself" in kinfold("search", path, own / "thing2_1.png").stdout
    # Remaking of nothing leaves what is there.
    (tmp_path / "nothing").mkdir()
    check_error(kinfold("index", tmp_path / "nothing", "-o", path, "--remake"), "stays as it is")
    assert kinfold("info", path, "--verify").returncode == 0


def test_an_index_under_the_vectors(kinfold, photos, tmp_path) -> None:
    gallery = tmp_path / "g.kin"
    made = ["index", photos, "-o", gallery, "--engine", "vlad", "--codewords", "4"]
    check_error(kinfold(*made, "--search", "magic"), "search: ", "or auto")
    check_error(
        kinfold(*made, "--search", "IVF1024,LOPQ16"), "cannot be learnt on 10 photos", "Flat"
    )
    assert not gallery.exists()
    done = kinfold(*made, "--search", "IVF2,SQ8")
    assert done.returncode == 0, done.stderr
    told = kinfold("info", gallery).stdout
    assert "index: IVF2,SQ8" in told and "recall_at_10: 1.0" in told
    # Another one, by the same command: no photo is described again.
    done = kinfold(*made, "--search", "SQ8", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["unchanged"] == 10, done.stderr
    assert "index: SQ8" in kinfold("info", gallery).stdout
    hits = json.loads(kinfold("search", gallery, photos / "thing1_0.png", "--json").stdout)
    assert hits["hits"][0]["path"] == "thing1_0.png"
    truth = {
        "imlist": [f"thing{t}_{v}" for t in range(3) for v in range(3)],
        "qimlist": ["thing0_0"],
        "gnd": [{"ok": [0, 1, 2], "junk": [], "bbx": None}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    judged = kinfold("eval", gallery, "--ground-truth", tmp_path / "truth.json")
    assert judged.returncode == 0 and "mAP" in judged.stdout, judged.stderr
