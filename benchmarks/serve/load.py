"""A server of a large gallery under load: how soon it answers, how fast, what is lost, what memory it takes.

    python -m benchmarks.serve.load --n 100000 [--photos 60] [--keep FOLDER]

The gallery is that of ``benchmarks/gallery/growth.py``: real photos, described by the default engines and multiplied.
Its photos hold few features each, but for those among the first hundred answers of a query, which hold those of the
photo that they were copied from: so verification has as much to do as with real ones. Queries are the real photos, sent
as files with a box of a third of them or more each way, another box in each request, so that nothing is answered from
what was kept. *first answer*: from the start of the process. *p50, p95*: milliseconds of one client after another, from
before the photo is sent until the answer is read. *CPU*: milliseconds of server and decoders a request. *lost*:
of a thousand requests by sixteen clients at once, those without an answer. Memory is that of the server and its
decoders, before these and after.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.gallery.growth import SEGMENT, described, multiplied
from benchmarks.measure import heading, row
from kinfold.gallery.photos import PhotoTable
from kinfold.gallery.segment import PhotoSegment
from kinfold.gallery.store import PHOTOS

CLIENTS, QUERIES = 16, 16
WAYS: dict[str, list[str]] = {
    "none": [],
    "spatial": ["spatial"],
    "spatial, diffusion": ["spatial", "diffusion"],
}


def made(n: int, described_photos: int, place: Path) -> None:
    """The gallery, and the queries' photos beside it."""
    files = sorted((data.SHARED / "photos" / "jpg").glob("*.jpg"))
    files = files[:: len(files) // described_photos][:described_photos]
    with tempfile.TemporaryDirectory() as first:
        model, segments = described(files, Path(first))
    (place / "queries").mkdir(parents=True)
    queries = [
        Path(shutil.copy(file, place / "queries"))
        for file in files[:: max(1, described_photos // QUERIES)]
    ]
    with multiplied(model, segments, n, place) as gallery:
        fill(gallery, segments, queries)


def fill(gallery: kf.Gallery, segments: list[PhotoSegment], queries: list[Path]) -> None:
    """Give the photos that the queries' verification looks at the features of the photos they are copies of."""
    rows = [(segment, at) for segment in segments for at in range(len(segment))]
    wanted: set[int] = set()
    for query in queries:
        wanted |= set(
            gallery.rank(gallery.describe(query), rerank=None, top=200).ids[:200].tolist()
        )
    ids, store = sorted(wanted), gallery._store
    with PhotoTable(gallery.path / PHOTOS, write=True) as table, table.transaction():
        for at in range(0, len(ids), SEGMENT):
            some = ids[at : at + SEGMENT]
            # The copies of one photo follow each other at that distance, anew for each two thousand.
            origins = [rows[(id - 1) % 2000 % len(rows)] for id in some]
            part = PhotoSegment.of(
                some,
                [tuple(s.frames[at].tolist()) for s, at in origins],
                [s.features(at) for s, at in origins],
            )
            name = store.add(
                "segments", ".kin",
                lambda to, part=part: kf.io.kin.write(to, part.kind, part.params(), part.arrays()),
            )  # fmt: skip
            for line, id in enumerate(some):
                table.update(id, {"segment": name, "row": line})


@contextmanager
def served(place: Path) -> Iterator[tuple[subprocess.Popen[str], int, float]]:
    """A server in a process of its own, its port, and the time at which it was started."""
    command = [sys.executable, "-m", "kinfold", "serve", str(place / "large.kin"), "--port", "0"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r":(\d+)/ serves", process.stderr.readline())
        assert found
        yield process, int(found[1]), began
    finally:
        process.terminate()
        process.wait(60)


def ask(port: int, photo: bytes, options: dict[str, Any]) -> tuple[int, float, Any]:
    """Status, seconds, and the answer."""
    body = (
        b'--X\r\nContent-Disposition: form-data; name="photo"; filename="q.jpg"\r\n\r\n' + photo
        + b'\r\n--X\r\nContent-Disposition: form-data; name="options"\r\n\r\n' + json.dumps(options).encode()
        + b"\r\n--X--\r\n"
    )  # fmt: skip
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(
            "POST", "/api/search", body, {"Content-Type": "multipart/form-data; boundary=X"}
        )
        answer = connection.getresponse()
        told = json.loads(answer.read())
        return answer.status, time.perf_counter() - began, told
    finally:
        connection.close()


def boxes(file: Path, random: np.random.Generator) -> list[float]:
    """A box of a third of the photo or more each way, another each time."""
    from PIL import Image

    with Image.open(file) as image:
        size = np.array(image.size)
    share = random.uniform(1 / 3, 0.8, 2)
    start = random.uniform(0, 1 - share) * size
    return [*start.tolist(), *(start + share * size).tolist()]


def busy(process: subprocess.Popen[str]) -> float:
    """Seconds of processor that the server and its decoders took."""
    ticks = 0
    for pid in _processes(process):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _processes(process: subprocess.Popen[str]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [process.pid, *map(int, children)]


def memory(process: subprocess.Popen[str]) -> int:
    """Bytes of the server and of its decoders, without what is mapped from files."""
    total = 0
    for pid in _processes(process):
        text = Path(f"/proc/{pid}/status").read_text()
        total += 1024 * sum(int(n) for n in re.findall(r"RssAnon:\s+(\d+)", text))
    return total


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--photos", type=int, default=60, help="that are described and multiplied")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--each", type=int, default=60, help="requests of a way, one after another")
    parser.add_argument(
        "--keep", type=Path, help="make the gallery there, or take the one that is there"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary) / "load"
        if not (place / "large.kin").exists():
            made(options.n, options.photos, place)
        files = sorted((place / "queries").iterdir())
        photos, seeds = [file.read_bytes() for file in files], count()

        def one(number: int, rerank: list[str]) -> tuple[int, float, Any]:
            at = number % len(files)
            return ask(
                port,
                photos[at],
                {"box": boxes(files[at], np.random.default_rng(next(seeds))), "rerank": rerank},
            )

        with served(place) as (process, port, began):
            up = time.perf_counter() - began
            status, _, answer = one(0, WAYS["none"])
            assert status == 200, answer
            first = time.perf_counter() - began
            print(
                f"{options.n:,} photos; listening after {up:.2f} s, first answer after {first:.2f} s",
                flush=True,
            )
            print(heading(["second looks", "requests", "p50, ms", "p95, ms", "CPU, ms"]))
            for name, rerank in WAYS.items():
                for number in range(len(files)):
                    one(number, rerank)
                spent = busy(process)
                found = [one(number, rerank) for number in range(options.each)]
                spent = 1000 * (busy(process) - spent) / len(found)
                assert {status for status, _, _ in found} == {200}
                times = 1000 * np.array([seconds for _, seconds, _ in found])
                half, most = np.quantile(times, [0.5, 0.95])
                print(
                    row([name, len(found), f"{half:.0f}", f"{most:.0f}", f"{spent:.0f}"]),
                    flush=True,
                )
            before, began = memory(process), time.perf_counter()
            with ThreadPoolExecutor(CLIENTS) as pool:
                told = list(
                    pool.map(
                        lambda number: one(number, WAYS["spatial"])[0], range(options.requests)
                    )
                )
            spent, middle = time.perf_counter() - began, memory(process)
            lost = sum(status != 200 for status in told)
            print(
                f"{len(told)} requests by {CLIENTS} clients in {spent:.0f} s, {lost} lost; memory "
                f"{before / 1e6:.0f} MB before, {middle / 1e6:.0f} MB after ({os.cpu_count()} cores)"
            )


if __name__ == "__main__":
    main()
