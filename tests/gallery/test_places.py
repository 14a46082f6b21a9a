"""Tables of positions and tags: what they may say, and what is refused, with the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kinfold.base.errors import FileFormatError
from kinfold.gallery.photo import Photo
from kinfold.gallery.places import Known, places_of, read_table


def photo(id: int, path: str, **facts: object) -> Photo:
    return Photo(id, path, 1, 1, **facts)  # type: ignore[arg-type]


CSV = """path,latitude,longitude,tags,user,title,colour
a/1.jpg,48.85837,2.29448,"Tour Eiffel; Paris ;paris;",ann,"The tower, by night",red
2.jpg,,,,,,
3.jpg,0,0,sea,bob,,

4.jpg,-90,180,,17,,
"""


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("\ufeff" + CSV, encoding="utf-8")
    wanted = {
        "a/1.jpg": Known(
            (48.85837, 2.29448), ("Tour Eiffel", "Paris"), "ann", "The tower, by night"
        ),
        "2.jpg": Known(),
        "3.jpg": Known(None, ("sea",), "bob"),
        "4.jpg": Known((-90.0, 180.0), (), "17"),
    }
    assert read_table(table) == wanted
    rows = [
        {"file": "a/1.jpg", "lat": 48.85837, "lng": "2.29448", "tags": ["Tour Eiffel", "Paris"], "user": "ann",
         "title": "The tower, by night", "rating": {"stars": 5}},
        {"path": "2.jpg", "tags": None},
        {"path": "3.jpg", "Latitude": 0, "Longitude": 0.0, "tags": "sea", "user": "bob"},
        {"path": "4.jpg", "latitude": -90, "lon": 180, "user": 17},
    ]  # fmt: skip
    (tmp_path / "t.json").write_text(json.dumps(rows))
    assert read_table(tmp_path / "t.json") == wanted


def test_the_table_is_believed_before_the_file(tmp_path: Path) -> None:
    photos = [
        photo(1, "a/1.jpg", latitude=1.0, longitude=2.0, tags="x\ny", user="u", title="t"),
        photo(2, "2.jpg", latitude=1.0, longitude=2.0, tags="x", user="u"),
        photo(3, "9.jpg", latitude=95.0, longitude=2.0),
    ]
    known = places_of(None, photos, tmp_path)
    assert known.path is None and known.strangers == 0 and known.with_position == 2
    assert known[1] == Known((1.0, 2.0), ("x", "y"), "u", "t") and known[3] == known[99] == Known()
    # Beside the photos a table is found by its name.
    (tmp_path / "places.csv").write_text(CSV)
    known = places_of(None, photos, tmp_path)
    assert known.path == tmp_path / "places.csv" and known.strangers == 2
    assert known[1].position == (48.85837, 2.29448) and known[1].title == "The tower, by night"
    assert known[2] == Known((1.0, 2.0), ("x",), "u")
    named = tmp_path / "named.json"
    named.write_text(json.dumps([{"path": str(tmp_path / "9.jpg"), "user": "v"}]))
    known = places_of(named, photos, tmp_path)
    assert known[3].user == "v" and known.strangers == 0


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.csv", "", "line 1: expected a column named path"),
        ("x.csv", "name,lat,lon\n", "line 1: expected a column named path"),
        ("x.csv", "path;lat;lon\na;1;2\n", "line 1: expected commas"),
        ("x.csv", "path,lat\na,1\n", "line 1: .*latitude and longitude together"),
        ("x.csv", "path,file\na,b\n", "line 1: expected each column once"),
        ("x.csv", "path,lat,lon\na,1\n", "line 2: expected 3 cells, got 2"),
        ("x.csv", "path,lat,lon\na,1,2\nb,91,2\n", "line 3: latitude: expected degrees from -90 to 90, got '91'"),
        ("x.csv", "path,lat,lon\na,1,-181\n", "line 2: longitude: expected degrees"),
        ("x.csv", "path,lat,lon\na,nan,2\n", "line 2: latitude: expected degrees"),
        ("x.csv", "path,lat,lon\na,inf,2\n", "line 2: latitude: expected degrees"),
        ("x.csv", "path,lat,lon\na,48°,2\n", "line 2: latitude: expected degrees"),
        ("x.csv", "path,lat,lon\na,1,\n", "line 2: latitude, longitude: expected both"),
        ("x.csv", "path,lat,lon\na,1,2\na,1,2\n", "line 3: path: 'a' is there twice"),
        ("x.csv", "path,lat,lon\n,1,2\n", "line 2: path: expected the name of a photo"),
        ("x.csv", 'path,tags\na,"b\n', "unexpected end of data"),
        ("x.json", "", "Expecting value"),
        ("x.json", "{}", "expected a list of objects"),
        ("x.json", "[" * 100_000, "recursion|Expecting"),
        ("x.json", "[1]", "row 1: expected an object"),
        ("x.json", '[{"path": 1}]', "row 1: path: expected the name"),
        ("x.json", '[{"path": "a", "tags": [1]}]', "row 1: tags: expected a list of words"),
        ("x.json", '[{"path": "a", "user": []}]', "row 1: user: expected text"),
        ("x.json", '[{"path": "a", "lat": true, "lon": 2}]', "row 1: latitude: expected degrees"),
        ("x.json", '[{"path": "a", "lat": 1e999, "lon": 2}]', "row 1: latitude: expected degrees"),
        ("x.json", '[{"path": "a", "lat": [1], "lon": 2}]', "row 1: latitude: expected degrees"),
    ],
)  # fmt: skip
def test_malformed_tables(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(FileFormatError, match=rf"{name}: .*({message})") as error:
        read_table(tmp_path / name)
    assert "\n" not in str(error.value)


def test_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"path,title\na,\xff\n")
    with pytest.raises(FileFormatError, match="is not UTF-8"):
        read_table(tmp_path / "x.csv")
    for missing in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no such file"):
            read_table(missing)
