"""Tell where a photo was taken and what it shows, by the photos of the same thing in a gallery."""

from __future__ import annotations

import argparse

from kinfold.base.text import shown
from kinfold.cli.opened import opened
from kinfold.cli.options import add_query, count, metres
from kinfold.cli.output import check_writable, say, show, table, write_json

SUMMARY = "where a photo was taken, and tags for it"
# What the table calls the state of a photo's position.
_STATES = {"agrees": "agrees", "elsewhere": "ELSEWHERE", "unavailable": "-", "unsure": "unsure"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold locate``."""
    add_query(parser, "what to locate is in this part of the photo", "a page with a map")
    parser.add_argument(
        "--places",
        metavar="FILE",
        help="positions, tags, users and titles of photos, .csv or .json (default: places.csv or places.json "
        "beside the photos, if there is one)",
    )
    parser.add_argument(
        "--least-inliers",
        type=count,
        default=12,
        metavar="N",
        help="correspondences that two photos of the same thing have at least (default: 12)",
    )
    parser.add_argument(
        "--reach",
        type=metres,
        metavar="M",
        help="positions no farther than this from the place agree on it (default: 200)",
    )
    parser.add_argument(
        "--least",
        type=count,
        metavar="N",
        help="photos, of different users as far as these are known, that must agree (default: 2)",
    )


def run(options: argparse.Namespace) -> int:
    """Locate; print the place, the tags and the photos."""
    for target in (options.json, options.html):
        if target:
            check_writable(target)
    names = ("reach", "least")
    chosen = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    with opened(options.gallery, options.query) as gallery:
        found = gallery.locate(
            options.query,
            box=options.box,
            places=options.places,
            least_inliers=options.least_inliers,
            **chosen,
        )
        if options.html:
            from kinfold.report.location import write_location

            write_location(options.html, *gallery.location_content(found))
        value = found.to_dict(gallery.root)
    if options.json:
        write_json(options.json, {"gallery": options.gallery, "query": options.query, **value})
    if (strangers := found.places.strangers) and not options.quiet:
        rows = "1 row names" if strangers == 1 else f"{strangers} rows name"
        say(f"{shown(str(found.places.path))}: {rows} no photo of the gallery")
    if options.json != "-":
        _show(value)
        if options.html and not options.quiet:
            show(f"page: {shown(options.html)}")
    return 0 if found.location is not None else 1


def _show(value: dict[str, object]) -> None:
    from kinfold.report.location import metres as distance

    photos: list[dict[str, object]] = value["photos"]  # type: ignore[assignment]
    if value["located"]:
        agree = sum(photo["state"] == "agrees" for photo in photos)
        show(
            f"{value['latitude']:.6f}, {value['longitude']:.6f} within {distance(float(value['radius_m']))}: "  # type: ignore[arg-type]
            f"{agree} photos agree"
        )
    else:
        show(f"not enough evidence: {value['reason']}")
    for kind in ("suggested", "frequent"):
        tags: list[dict[str, object]] = value[f"{kind}_tags"]  # type: ignore[assignment]
        if tags:
            show(f"{kind} tags: {', '.join(str(tag['tag']) for tag in tags)}")
    if photos:
        lines = [["photo", "inliers", "position", "away", "file"]]
        for photo in photos:
            away = photo["distance_m"]
            lines.append(
                [
                    str(photo["path"]),
                    str(photo["inliers"]),
                    _STATES[str(photo["state"])],
                    "-" if away is None else distance(float(away)),  # type: ignore[arg-type]
                    str(photo["file"]),
                ]
            )
        show(table(lines, left=(0, 2, 4)))
