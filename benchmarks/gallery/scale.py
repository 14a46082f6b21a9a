"""What a large gallery takes: bytes on disk, time to open, memory, and milliseconds of a query.

    python -m benchmarks.gallery.scale --n 1000 10000 100000 [--photos 60] [--queries 40]

Galleries of the default engines, multiplied from real photos as in growth.py; each is opened in a process of its own,
which is asked with real photos that are described. *anonymous*: memory that is not of mapped files, which the system
takes back where it is short. Segments are small in these galleries: bytes of their features are those of the real
photos, and verification is timed in a gallery of these. *--search*: what the settings say, "Flat" or "auto".
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import kinfold as kf
from benchmarks import data
from benchmarks.gallery.growth import described, multiplied
from benchmarks.measure import heading, row

COLUMNS = (
    "photos", "search", "B a photo: inverted file", "vectors", "lists, graph", "table", "open, s", "first query, s",
    "memory, MB", "anonymous, MB", "after queries, MB", "anonymous, MB", "query, ms: median", "p95",
)  # fmt: skip


def memory() -> list[float]:
    """Resident memory of this process and what of it is anonymous, in MB."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return [int(told[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]


def asked(gallery: kf.Gallery, files: list[Path], **options: Any) -> list[float]:
    """Milliseconds of each query, by the processor's time, once it is described."""
    spent = []
    for file in files:
        query = gallery.describe(file)
        began = time.process_time()
        gallery.rank(query, top=20, **options)
        spent.append((time.process_time() - began) * 1e3)
    return spent


def opened(path: Path, files: list[Path]) -> None:
    """Print what opening and asking a gallery takes."""
    kf.set_threads(1)
    began = time.process_time()
    with kf.Gallery.open(path) as gallery:
        _ = gallery.parts
        open_s, before = time.process_time() - began, memory()
        first, *spent = asked(gallery, files, rerank=())
        found = [open_s, first / 1e3, *before, *memory(), *np.quantile(spent, [0.5, 0.95])]
    print(json.dumps([float(x) for x in found]))


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--n", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--photos", type=int, default=60, help="that are described and multiplied")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--search", nargs="+", default=["Flat", "auto"])
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    files = sorted((data.SHARED / "photos" / "jpg").glob("*.jpg"))
    files = files[:: max(1, len(files) // (options.photos + options.queries))]
    few = files[: options.photos]
    fresh = files[options.photos : options.photos + options.queries]
    if options.ask:
        opened(options.ask, fresh)
        return
    kf.set_threads(1)
    with tempfile.TemporaryDirectory() as first:
        model, segments = described(few, Path(first))
        real = Path(first) / "few.kin" / "segments"
        size = sum(file.stat().st_size for file in real.iterdir()) / len(few)
        print(f"features: {size:,.0f} bytes a photo")
        with kf.Gallery.open(Path(first) / "few.kin") as gallery:
            for top in (20, 100):
                ms = asked(gallery, fresh, rerank=("spatial",), verify_top=min(top, len(few)))
                middle, high = np.quantile(ms, [0.5, 0.95])
                print(f"verification of {min(top, len(few))}: {middle:.0f} ms, p95 {high:.0f}")
        print(heading(list(COLUMNS)))
        for n in options.n:
            with tempfile.TemporaryDirectory() as place:
                multiplied(model, segments, n, Path(place)).close()
                path = Path(place) / "large.kin"
                parts = {
                    file.name.split("-")[0]: file.stat().st_size / n
                    for file in (path / "parts").iterdir()
                }
                table = (path / "photos.sqlite").stat().st_size / n
                bytes_ = [parts["asmk"], parts["index"], parts["near"] + parts["graph"], table]
                for search in options.search:
                    if search == "auto" and n < 50_000:
                        continue
                    with kf.Gallery.open(path) as gallery:
                        gallery.update(search=search, verbose=False)
                    command = [sys.executable, __file__, "--ask", str(path)]
                    command += ["--photos", str(options.photos), "--queries", str(options.queries)]
                    told = subprocess.run(command, capture_output=True, text=True, check=True)
                    figures = [f"{x:,.2f}" for x in json.loads(told.stdout)]
                    print(row([n, search, *(f"{x:,.0f}" for x in bytes_), *figures]), flush=True)


if __name__ == "__main__":
    main()
