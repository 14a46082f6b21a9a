"""Render a small collection of street photos, index it, search with and without re-ranking, and write a page."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from shlex import quote
from typing import Any

from kinfold.base.errors import GalleryError
from kinfold.base.text import shown
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
    remark(f"rendering photos into {shown(str(folder / 'jpg'))}")
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
        evaluations = dict(zip(_WAYS, gallery.evaluate_ways(truth, list(_WAYS.values()))))
        report = folder / "report.html"
        facts = {
            "Photos": str(len(gallery)),
            "Queries": str(len(truth)),
            "Engine": gallery.settings.engine,
        }
        facts |= {"Average precision": "trapezoid rule, junk left out (Oxford's protocol)"}
        _write_report(gallery, truth, folder, report, evaluations, facts)
    seconds = time.perf_counter() - began
    if options.json:
        figures = {name: judged.to_dict() for name, judged in evaluations.items()}
        write_json(
            options.json, {"report": str(report), "seconds": seconds, "evaluations": figures}
        )
    if options.json != "-":
        lines = [["", "mAP", "P@1", "P@5"]]
        for name, judged in evaluations.items():
            means = [judged.map, judged.mp_at_k[1], judged.mp_at_k[5]]
            lines.append([name, *(f"{value:.3f}" for value in means)])
        show(table(lines))
        show(
            f"\n{len(truth.imlist)} photos, {seconds:.0f} s. Look at the answers: {shown(str(report))}"
        )
        query = folder / "jpg" / f"{truth.qimlist[0]}.jpg"
        words = " ".join(shown(quote(str(word))) for word in (path, query))
        show(f"Next: kinfold search {words} --html answer.html")
        show("      kinfold index YOUR-PHOTOS -o mine.kin")
    return 0


def _check_folder(folder: Path) -> None:
    """The folder is new, or an earlier demo's: nobody's own photos are written over."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder}: is a file, not a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "ground_truth.json").is_file():
        raise GalleryError(f"{folder}: is not empty; choose another folder with -o")
    folder.mkdir(parents=True, exist_ok=True)


def _write_report(
    gallery: Any,
    truth: Any,
    folder: Path,
    report: Path,
    evaluations: dict[str, Any],
    facts: dict[str, str],
) -> None:
    """Figures of each way, every query, and three answers before and after the second look."""
    import numpy as np

    from kinfold.report.evaluation import Row, write_evaluation

    rows = [
        Row(
            name,
            judged.map,
            judged.mp_at_k,
            average_precision=dict(zip(judged.queries, judged.average_precision.tolist())),
        )
        for name, judged in evaluations.items()
    ]
    first, last = next(iter(evaluations)), list(evaluations)[-1]
    # What the second look gains most on, and what stays hardest.
    before, after = (np.nan_to_num(evaluations[way].average_precision) for way in (first, last))
    chosen = [*np.argsort(before - after, kind="stable")[:2].tolist(), int(after.argmin())]
    answers = []
    for i in dict.fromkeys(chosen):
        photo = folder / "jpg" / f"{truth.qimlist[i]}.jpg"
        query = gallery.describe(photo, box=truth.gnd[i].get("bbx"))
        answers += [
            _answer(gallery, truth, query, i, way, float(evaluations[way].average_precision[i]))
            for way in (first, last)
        ]
    write_evaluation(report, "Every photo of the same thing", rows, answers, facts)


def _answer(gallery: Any, truth: Any, query: Any, i: int, way: str, precision: float) -> Any:
    """What the page shows of one query under one way of searching."""
    from dataclasses import replace

    from kinfold.gallery.views.page import Truth

    ranked = gallery.rank(query, rerank=_WAYS[way])
    ids, entry = gallery.ids_of(truth.imlist), truth.gnd[i]
    positives, junk = ({ids[j] for j in entry[kind].tolist()} for kind in ("ok", "junk"))
    marks = Truth(positives, junk, precision)
    shown = gallery.answer(query, ranked, gallery.hits(query, ranked, 8), truth=marks)
    return replace(shown, title=way)
