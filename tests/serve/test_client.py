"""The client asks as the gallery is asked, and answers alike."""

from __future__ import annotations

import inspect
import io
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import kinfold as kf
from kinfold.gallery.hit import Hit
from kinfold.serve.client import ServedHit


@pytest.fixture(scope="module")
def client(server) -> kf.Client:
    return kf.Client(server.url)


@pytest.fixture(scope="module")
def gallery(city):
    with kf.Gallery.open(city) as opened:
        yield opened


def test_it_is_asked_as_a_gallery_is() -> None:
    ours = inspect.signature(kf.Client.search).parameters
    theirs = inspect.signature(kf.Gallery.search).parameters
    for name, parameter in ours.items():
        assert name in theirs and parameter.default == theirs[name].default, name
        assert parameter.kind == theirs[name].kind, name
    assert theirs.keys() == ours.keys()


def test_hits_have_the_names_of_the_gallerys(client, gallery) -> None:
    for name in ServedHit.__dataclass_fields__.keys() - {"place", "size"}:
        assert name in Hit.__dataclass_fields__ or hasattr(Hit, name), name
    ours, theirs = client.search(3), gallery.search(3)
    assert str(ours) == str(theirs)
    assert [hit.path for hit in ours.found] == [hit.path for hit in theirs.found]
    for hit, expected in zip(ours, theirs):
        assert (hit.id, hit.verdict, hit.inliers) == (
            expected.id,
            expected.verdict,
            expected.inliers,
        )
        assert (hit.box is None) == (expected.box is None)
        if hit.box is not None:
            np.testing.assert_allclose(hit.box, expected.box, atol=0.01)


def test_every_way_to_give_a_photo_finds_the_same(client, scenes) -> None:
    path = scenes / "scene2" / "view0.jpg"
    first = client.search(path, top=4)
    image = Image.open(path)
    png = io.BytesIO()
    image.save(png, "PNG")
    ways = [str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), image, np.asarray(image),
            png.getvalue(), first, first[0], first[0].id]  # fmt: skip
    for way in ways:
        assert [hit.id for hit in client.search(way, top=4)] == [hit.id for hit in first]


def test_options_arrive(client, gallery) -> None:
    options = {"box": (30, 40, 200, 260), "top": 3, "rerank": "spatial", "verify_top": 2}
    ours, theirs = client.search(1, **options), gallery.search(1, **options)
    assert [(hit.id, hit.inliers) for hit in ours] == [(hit.id, hit.inliers) for hit in theirs]
    ours = client.search(1, along={"alpha": 0.5, "k_query": 2}, rerank="diffusion")
    theirs = gallery.search(1, along={"alpha": 0.5, "k_query": 2}, rerank="diffusion")
    assert [hit.score for hit in ours] == pytest.approx([hit.score for hit in theirs])

    options = {"filter": kf.gallery.PhotoFilter(folder="scene1"), "rerank": None}
    assert [hit.id for hit in client.search(1, **options)] == [
        hit.id for hit in gallery.search(1, **options)
    ]
    with pytest.raises(ValueError, match="filter: expected"):
        client.search(1, filter=[1, 2])
    hits = client.search(1)
    ours = client.search(1, like=hits.alike[0], unlike=[hits.found[0]])
    theirs = gallery.search(1, like=hits.alike[0].id, unlike=[hits.found[0].id])
    assert [hit.id for hit in ours] == [hit.id for hit in theirs]


def test_what_else_is_asked(client) -> None:
    assert len(client) == 12 and client.info()["photos"] == 12
    hits = client.search(1)
    told = client.explain(1, hits.found[0])
    assert told["verified"] and len(told["matches"]) == hits.found[0].inliers
    assert client.thumbnail(hits[0], side=64)[:2] == b"\xff\xd8"


def test_what_is_refused_is_an_error_of_its_kind(client, start, city, tmp_path) -> None:
    with pytest.raises(ValueError, match="box"):
        client.search(1, box=(5, 5, 5, 5))
    with pytest.raises(ValueError, match="there is no photo 99"):
        client.search(99)
    with pytest.raises(kf.KinfoldError, match="cannot be read"):
        client.search(b"no photo")
    with pytest.raises(FileNotFoundError):
        client.search(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match="rerank"):
        client.search(1, rerank="spatal")
    with pytest.raises(ValueError, match="url: expected"):
        kf.Client("127.0.0.1:8000")
    with start(city, token="letters8and9") as asker:
        with pytest.raises(kf.ServerError, match="token") as caught:
            len(kf.Client(asker.url))
        assert (caught.value.status, caught.value.code) == (401, "no_token")
        assert len(kf.Client(asker.url, "letters8and9")) == 12


def test_nobody_at_the_other_end_is_said() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(kf.ServerError, match=f"{url}: no answer"):
            len(kf.Client(url, timeout=2))


def test_it_needs_nothing_but_the_standard_library_and_numpy() -> None:
    code = (
        "import sys, kinfold as kf; kf.Client('http://localhost');"
        "print(*{n.split('.')[0] for n in sys.modules} & {'fastapi', 'starlette', 'httpx', 'requests', 'cv2', 'PIL'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip() == "", done.stdout + done.stderr
