"""Tell what is in a gallery or a .kin file and how it was made; check every byte with --verify."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kinfold.base.errors import FileFormatError
from kinfold.base.text import shown
from kinfold.cli.opened import opened
from kinfold.cli.output import check_writable, show, write_json

SUMMARY = "what is in a gallery or file, and whether it is sound"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``kinfold info``."""
    parser.add_argument("path", help="a gallery's folder or a .kin file")
    parser.add_argument("--verify", action="store_true", help="read everything and check it")


def run(options: argparse.Namespace) -> int:
    """Print the facts."""
    path = Path(options.path)
    if options.json:
        check_writable(options.json)
    facts = (
        _file_facts(path, options.verify)
        if path.is_file()
        else _gallery_facts(path, options.verify)
    )
    if options.json:
        write_json(options.json, facts)
    if options.json != "-":
        for name, value in facts.items():
            show(f"{name.replace('_', ' ')}: {_text(value)}")
    return 0


def _gallery_facts(path: Path, verify: bool) -> dict[str, Any]:
    with opened(str(path)) as gallery:
        return gallery.info(verify=verify)


def _file_facts(path: Path, verify: bool) -> dict[str, Any]:
    from kinfold.io import kin

    try:
        header = kin.header(path)
        if verify:
            kin.verify(path)
    except FileFormatError as error:
        text = str(error)
        raise FileFormatError(text if str(path) in text else f"{path}: {text}") from None
    facts: dict[str, Any] = {
        "file": str(path),
        "kind": header.kind,
        "library": header.library,
        "bytes": path.stat().st_size,
        "params": header.params,
        "arrays": {
            name: {"dtype": t[0], "shape": list(t[1])} for name, t in header.tensors.items()
        },
    }
    if verify:
        facts["verified"] = True
    return facts


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"\n  {name}: {_text(item)}" for name, item in value.items())
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "".join("\n  " + ", ".join(_text(part) for part in item.values()) for item in value)
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    return shown(str(value))
