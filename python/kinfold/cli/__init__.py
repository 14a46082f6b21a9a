"""Commands. Each is one file; nothing heavy is imported before a command runs."""

from __future__ import annotations

# Command -> the module that adds its arguments and runs it.
COMMANDS: dict[str, str] = {
    "index": "kinfold.cli.index",
    "watch": "kinfold.cli.watch",
    "search": "kinfold.cli.search",
    "groups": "kinfold.cli.groups",
    "dedup": "kinfold.cli.dedup",
    "locate": "kinfold.cli.locate",
    "serve": "kinfold.cli.serve",
    "eval": "kinfold.cli.eval",
    "bench": "kinfold.cli.bench",
    "shard": "kinfold.cli.shard",
    "train": "kinfold.cli.train",
    "mcp": "kinfold.cli.mcp",
    "import": "kinfold.cli.import_vectors",
    "export": "kinfold.cli.export_vectors",
    "info": "kinfold.cli.info",
    "demo": "kinfold.cli.demo",
    "figures": "kinfold.cli.figures",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    from kinfold.cli.run import run

    return run(arguments)
