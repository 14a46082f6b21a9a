"""kinfold search."""

from __future__ import annotations

import json
import shutil

from .conftest import check_error


def test_search_prints_and_writes(kinfold, city, photos, tmp_path) -> None:
    done = kinfold(
        "search", city, photos / "thing1_0.png", "--top", 3, "--json", tmp_path / "hits.json"
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0][:6] for line in done.stdout.splitlines()[1:]] == ["thing1"] * 3
    hits = json.loads((tmp_path / "hits.json").read_text())["hits"]
    assert [hit["rank"] for hit in hits] == [1, 2, 3] and hits[0]["path"] == "thing1_0.png"
    assert hits[0]["inliers"] > 20
    page = tmp_path / "a b.html"
    done = kinfold("search", city, photos / "thing1_0.png", "--html", page)
    assert f"page: {page}" in done.stdout, done.stderr
    text = page.read_text()
    assert "thing1_2.png" in text and 'src="http' not in text and "url(http" not in text
    boxed = kinfold(
        "search",
        city,
        photos / "thing2_0.png",
        "--box",
        "20,20,220,220",
        "--rerank",
        "none",
        "--json",
    )
    assert json.loads(boxed.stdout)["hits"][0]["path"].startswith("thing2")


def test_bad_input(kinfold, city, photos, tmp_path) -> None:
    query = photos / "thing0_0.png"
    check_error(kinfold("search", tmp_path / "none.kin", query), "no such gallery")
    check_error(kinfold("search", photos, query), "not a gallery")
    check_error(kinfold("search", city, tmp_path / "none.jpg"), "cannot be read")
    check_error(kinfold("search", city, photos / "bad.jpg"), "bad.jpg")
    check_error(kinfold("search", city, query, "--box", "500,500,600,600"), "inside the photo")
    check_error(kinfold("search", city, query, "--box", "60,60,20,20"), "x0 < x1")
    check_error(
        kinfold("search", city, query, "--json", tmp_path / "no" / "f.json"), "does not exist"
    )
    check_error(kinfold("search", city, query, "--json", tmp_path), "is a folder")
    check_error(
        kinfold("search", city, query, "--html", tmp_path / "no" / "f.html"), "does not exist"
    )


def test_a_damaged_gallery(kinfold, city, photos, tmp_path) -> None:
    gallery = shutil.copytree(city, tmp_path / "g.kin")
    parts = json.loads((gallery / "MANIFEST.json").read_text())["parts"]
    (gallery / "parts" / parts["index"]).write_bytes(b"damaged")
    check_error(kinfold("search", gallery, photos / "thing0_0.png"), parts["index"])
    (gallery / "photos.sqlite").write_bytes(b"damaged" * 1000)
    check_error(kinfold("search", gallery, photos / "thing0_0.png"), "photos.sqlite")
    (gallery / "MANIFEST.json").write_text("{")
    check_error(kinfold("search", gallery, photos / "thing0_0.png"), "MANIFEST.json")
