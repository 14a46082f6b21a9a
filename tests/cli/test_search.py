"""kinfold search."""

from __future__ import annotations

import json
import shutil

from .conftest import check_error


def test_search_prints_and_writes(kinfold, city, photos, tmp_path) -> None:
    query = photos / "thing1_0.png"
    done = kinfold("search", city, query, "--json", tmp_path / "hits.json")
    assert done.returncode == 0, done.stderr
    first, heading, *rows, last = done.stdout.splitlines()
    assert first == "2 photos show the same thing:" and heading.split()[0] == "sure"
    assert "the query itself" in rows[0] and rows[0].endswith(str(query))
    assert {row.split()[-1] for row in rows[1:]} == {
        str(photos / f"thing1_{view}.png") for view in (1, 2)
    }
    assert last == "6 more only look alike (--all lists them)"
    found = json.loads((tmp_path / "hits.json").read_text())
    assert found["found"] == 2 and len(found["hits"]) == 9
    hits = found["hits"][:3]
    assert [hit["rank"] for hit in hits] == [1, 2, 3] and hits[0]["path"] == "thing1_0.png"
    assert hits[0]["is_query"] and hits[0]["verdict"] == "same file" and hits[0]["confidence"] == 1
    assert all(hit["verified"] and hit["confidence"] > 0.9 for hit in hits)
    assert all(hit["verdict"] == "only looks alike" for hit in found["hits"][3:])
    everything = kinfold("search", city, query, "--all", "--quiet").stdout.splitlines()
    assert len(everything) == 1 + 9
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


def test_what_is_not_there(kinfold, city, tmp_path) -> None:
    import cv2

    from .conftest import photo

    cv2.imwrite(str(tmp_path / "other.png"), photo(99))
    done = kinfold("search", city, tmp_path / "other.png")
    assert done.returncode == 1 and done.stderr == ""
    first, _, *rows, last = done.stdout.splitlines()
    assert first == "No photo of the same thing was found; the nearest are:"
    assert len(rows) == 5 and all("only looks alike" in row for row in rows)
    assert last == "4 more only look alike (--all lists them)"
    done = kinfold("search", city, tmp_path / "other.png", "--paths")
    assert (done.returncode, done.stdout) == (1, "")


def test_what_geometry_was_not_asked_of_is_not_said_to_be_missing(kinfold, city, tmp_path) -> None:
    import cv2

    from .conftest import photo

    cv2.imwrite(str(tmp_path / "other.png"), photo(99))
    done = kinfold(
        "search", city, tmp_path / "other.png", "--rerank", "none", "--html", tmp_path / "a.html"
    )
    assert done.returncode == 0
    first, _, *rows, page = done.stdout.splitlines()
    assert first == "The nearest by looks alone; which show the same thing was not checked:"
    assert len(rows) == 9 and page.startswith("page: ")
    assert "No photo of the same thing" not in (tmp_path / "a.html").read_text()
    done = kinfold("search", city, tmp_path / "other.png", "--rerank", "none", "--paths")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 9


def test_results_for_other_programs(kinfold, city, photos, tmp_path) -> None:
    """Paths alone, a photo on standard input, a name in the gallery, a page in the browser."""
    query = photos / "thing1_0.png"
    wanted = {str(photos / f"thing1_{view}.png") for view in (1, 2)}
    done = kinfold("search", city, query, "--paths")
    assert done.returncode == 0 and set(done.stdout.splitlines()) == wanted
    done = kinfold("search", city, "thing1_0.png", "-0")
    assert set(done.stdout.rstrip("\0").split("\0")) == wanted and done.stdout.endswith("\0")
    assert len(kinfold("search", city, query, "--paths", "--all").stdout.splitlines()) == 9
    with query.open("rb") as file:
        done = kinfold("search", city, "-", "--paths", stdin=file)
    # Nothing tells that it is the same file.
    assert set(done.stdout.splitlines()) == wanted | {str(query)}
    with open("/dev/null") as nothing:
        check_error(kinfold("search", city, "-", stdin=nothing), "empty file")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    done = kinfold("search", city, query, "--open", environment={"BROWSER": f"{browser} %s"})
    opened = (tmp_path / "opened").read_text().strip()
    assert opened.startswith("file:///") and f"page: {opened[7:]}" in done.stdout


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


def test_photos_that_may_answer(kinfold, photos, tmp_path) -> None:
    for folder in ("old", "new"):
        shutil.copytree(photos, tmp_path / "all" / folder)
    city = tmp_path / "all.kin"
    assert kinfold("index", tmp_path / "all", "-o", city).returncode == 0
    query = photos / "thing1_0.png"
    done = kinfold("search", city, query, "--folder", "new", "--json")
    found = json.loads(done.stdout)
    assert done.stderr == f"among {found['searched']} of {2 * found['searched']} photos\n"
    assert found["hits"] and all(hit["path"].startswith("new/") for hit in found["hits"])
    assert found["found"] == 3
    both = kinfold("search", city, query, "--folder", "new", "--folder", "old", "--quiet", "--json")
    assert json.loads(both.stdout)["found"] == 6
    none = kinfold("search", city, query, "--since", "2024", "--paths")
    assert none.returncode == 1 and none.stdout == "" and "among 0 of" in none.stderr
    check_error(
        kinfold("search", city, query, "--folder", "nosuch"), "folder: expected one that holds"
    )
    check_error(kinfold("search", city, query, "--until", "May"), "--until: expected a date")
