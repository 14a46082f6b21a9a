"""From a command line to an exit code: 0 done, 1 nothing found or a check failed, 2 wrong use or bad input."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
import warnings
from typing import NoReturn

import kinfold
from kinfold.base.errors import KinfoldError
from kinfold.cli import COMMANDS
from kinfold.cli.output import say

INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Errors are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        say(f"kinfold: error: {message} (see {self.prog} --help)")
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    common = _Parser(add_help=False)
    common.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="results as JSON, to a file or standard output",
    )
    common.add_argument(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="threads at most (default: all, or KINFOLD_THREADS)",
    )
    common.add_argument("--quiet", action="store_true", help="no progress and no remarks")
    common.add_argument("--debug", action="store_true", help="show where an error arose")
    top = _Parser(prog="kinfold", description="Find every photo of the same thing.")
    top.add_argument("--version", action="version", version=f"kinfold {kinfold.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for name, module in COMMANDS.items():
        command = importlib.import_module(module)
        text = command.__doc__ or ""
        sub = commands.add_parser(name, help=command.SUMMARY, description=text, parents=[common])
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return top


def run(arguments: list[str] | None = None) -> int:
    """Parse and run; every expected error becomes one line on standard error."""
    debug = "--debug" in (sys.argv[1:] if arguments is None else arguments)
    try:
        options = parser().parse_args(arguments)
        if options.command is None:
            parser().print_help(sys.stderr)
            return 2
        if options.threads:
            kinfold.set_threads(options.threads)
        with warnings.catch_warnings():
            if not debug:
                warnings.simplefilter("ignore")
            code = int(options.run(options))
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        if debug:
            traceback.print_exc()
        say("kinfold: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; without this, Python complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KinfoldError, ValueError, OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        say(f"kinfold: error: {one_line(error)}")
        return 2


def one_line(error: BaseException) -> str:
    """What went wrong, without line breaks; files are named."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
