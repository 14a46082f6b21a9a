"""Render a small collection of street photos, index it, search with and without re-ranking, and write a page."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from kinfold.base.errors import GalleryError
from kinfold.cli.output import check_writable, say, show, table, write_json

SUMMARY = "try everything on photos that are rendered for the purpose"

_WAYS: dict[str, tuple[str, ...]] = {
    "search": (),
    "+ spatial": ("spatial",),
    "+ diffusion": ("diffusion",),
    "+ spatial, diffusion": ("spatial", "diffusion"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold demo``."""
    parser.add_argument(
        "-o", "--output", default="kinfold-demo", metavar="FOLDER", help="default: kinfold-demo"
    )
    parser.add_argument("--small", action="store_true", help="a tenth of the photos")


def run(options: argparse.Namespace) -> int:
    """Render, index, evaluate, write the page; tell where it is."""
    from kinfold.datasets.synthetic import render_collection
    from kinfold.evaluate import GroundTruth
    from kinfold.gallery import Gallery

    began = time.perf_counter()
    folder = Path(options.output)
    _check_folder(folder)
    if options.json:
        check_writable(options.json)
    remark = (lambda text: None) if options.quiet else say
    remark(f"rendering photos into {folder / 'jpg'}")
    size: dict[str, Any] = (
        {"scenes": 3, "distractors": 4, "size": (320, 240)} if options.small else {}
    )
    truth = GroundTruth.from_dict(render_collection(folder, verbose=not options.quiet, **size))
    remark(f"indexing {len(truth.imlist)} photos")
    path = folder / "city.kin"
    with Gallery.open(path) if path.exists() else Gallery.create(path) as gallery:
        gallery.update(
            folder / "jpg",
            files=[f"{name}.jpg" for name in truth.imlist],
            verbose=not options.quiet,
        )
        remark(f"searching with {len(truth)} queries")
        found = dict(zip(_WAYS, gallery.evaluate_ways(truth, list(_WAYS.values()))))
        report = folder / "report.html"
        _write_page(gallery, truth, folder, report, found["+ spatial, diffusion"])
    seconds = time.perf_counter() - began
    if options.json:
        figures = {name: judged.to_dict() for name, judged in found.items()}
        write_json(
            options.json, {"report": str(report), "seconds": seconds, "evaluations": figures}
        )
    if options.json != "-":
        lines = [["", "mAP", "P@1", "P@5"]]
        for name, judged in found.items():
            means = [judged.map, judged.mp_at_k[1], judged.mp_at_k[5]]
            lines.append([name, *(f"{value:.3f}" for value in means)])
        show(table(lines))
        show(f"\n{len(truth.imlist)} photos, {seconds:.0f} s. Look at the answer: {report}")
        show(f"Next: kinfold search {path} {folder}/jpg/{truth.qimlist[0]}.jpg --html answer.html")
        show("      kinfold index YOUR-PHOTOS -o mine.kin")
    return 0


def _check_folder(folder: Path) -> None:
    """The folder is new, or an earlier demo's: nobody's own photos are written over."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "ground_truth.json").is_file():
        raise GalleryError(f"{folder}: is not empty; choose another folder with -o")
    folder.mkdir(parents=True, exist_ok=True)


def _write_page(gallery: Any, truth: Any, folder: Path, report: Path, judged: Any) -> None:
    """The page of one query: of those that are answered well, the one with most to find."""
    import numpy as np

    from kinfold.gallery.page import Truth
    from kinfold.report.answer import write_answer

    scores = np.nan_to_num(judged.average_precision)
    best = int(np.lexsort((-scores, -judged.found))[0])
    query = gallery.describe(
        folder / "jpg" / f"{truth.qimlist[best]}.jpg", box=truth.gnd[best].get("bbx")
    )
    ranked = gallery.rank(query)
    hits = gallery.hits(query, ranked, 20)
    ids = gallery.ids_of(truth.imlist)
    entry = truth.gnd[best]
    marks = Truth(
        {ids[i] for i in entry["ok"].tolist()},
        {ids[i] for i in entry["junk"].tolist()},
        float(scores[best]),
    )
    write_answer(
        report,
        gallery.answer(
            query, ranked, hits, facts={"Re-ranking": "spatial, diffusion"}, truth=marks
        ),
    )
