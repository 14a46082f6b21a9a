"""From a command line to an exit code: see EXIT_CODES."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NoReturn

import kinfold
from kinfold.base.errors import KinfoldError, Remark
from kinfold.base.text import shown
from kinfold.cli import COMMANDS
from kinfold.cli.options import common
from kinfold.cli.output import forget, say

INTERRUPTED = 130
EXIT_CODES = "exit codes: 0 done; 1 nothing was found, or a check failed; 2 wrong use or bad input; 130 interrupted"


class _Formatter(argparse.HelpFormatter):
    """Items of a list begin on lines of their own."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n".join(fill(item, width, indent) for item in re.split(r"\n(?=- )", text))


class _Parser(argparse.ArgumentParser):
    """Errors are one line, like all others; options are written out: a new one never changes what others mean."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            **{
                "allow_abbrev": False,
                "epilog": EXIT_CODES,
                "formatter_class": _Formatter,
                **options,
            }
        )

    def error(self, message: str) -> NoReturn:
        say(f"kinfold: error: {' '.join(message.split())} (see {self.prog} --help)")
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    return _parsers()[0]


def _parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """That of all commands, and those of each."""
    top = _Parser(prog="kinfold", description="Find every photo of the same thing.")
    top.add_argument("--version", action="version", version=f"kinfold {kinfold.__version__}")
    made: dict[str, argparse.ArgumentParser] = {}
    _add_commands(top, COMMANDS, "command", "", made)
    return top, made


def _add_commands(
    parser: argparse.ArgumentParser, modules: Mapping[str, str], dest: str, before: str,
    made: dict[str, argparse.ArgumentParser],
) -> None:  # fmt: skip
    """What each module is called by; one that has RECIPES stands for these."""
    # A command without its recipe is told by the parser; no command at all is answered by the help.
    commands = parser.add_subparsers(
        dest=dest, metavar=dest.upper(), parser_class=_Parser, required=bool(before)
    )
    for name, module in modules.items():
        command = importlib.import_module(module)
        recipes = getattr(command, "RECIPES", None)
        sub = commands.add_parser(
            name, help=command.SUMMARY, description=command.__doc__ or "",
            parents=[common(_Parser, again=bool(before))],
        )  # fmt: skip
        made[before + name] = sub
        if recipes:
            _add_commands(sub, recipes, "recipe", f"{name} ", made)
        else:
            command.add_arguments(sub)
            sub.set_defaults(run=command.run)


def run(arguments: list[str] | None = None) -> int:
    """Parse and run; every expected error becomes one line on standard error."""
    if arguments is None:
        _open_standard_streams()
    given = sys.argv[1:] if arguments is None else arguments
    code = _guarded(lambda: _run(given), debug="--debug" in given)
    # What is yet to be written may fail too; after a failure nobody asks for it.
    return _guarded(_flushed, debug=False) or code


def _run(arguments: list[str]) -> int:
    options = _parsed(arguments)
    if options.command is None:
        parser().print_help(sys.stderr)
        return 2
    if options.threads:
        kinfold.set_threads(options.threads)
    with warnings.catch_warnings():
        if not options.debug:
            warnings.simplefilter("ignore")
        if not options.quiet:
            warnings.simplefilter("always", Remark)
            warnings.showwarning = lambda message, *_: say(f"kinfold: {shown(str(message))}")
        return int(options.run(options))


def _flushed() -> int:
    if sys.stdout is not None:
        sys.stdout.flush()
    return 0


def _guarded(work: Callable[[], int], *, debug: bool) -> int:
    """Work's exit code, or that of what stopped it, which is told."""
    try:
        return work()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt as interrupt:
        if debug:
            traceback.print_exc()
        # What of the work is kept, where it is known.
        kept = getattr(interrupt, "kept", None)
        say("kinfold: interrupted" + (f"; {shown(str(kept))}" if kept else ""))
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        forget(sys.stdout)
        return 0
    except (KinfoldError, ValueError, OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        say(f"kinfold: error: {one_line(error)}")
        if work is _flushed:
            forget(sys.stdout)
        return 2


def _open_standard_streams() -> None:
    """Streams that were closed lead nowhere: else the next file that is opened takes their place, and their text."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _parsed(arguments: list[str]) -> argparse.Namespace:
    """The options; for a command or an option that there is not, one that is written alike."""
    first = arguments[0] if arguments else "-"
    if not first.startswith("-") and first not in COMMANDS:
        raise ValueError(
            f"there is no command {first!r}{_alike(first, COMMANDS)} (see kinfold --help)"
        )
    top, commands = _parsers()
    options, rest = top.parse_known_args(arguments)
    if rest:
        name = f"{options.command} {getattr(options, 'recipe', '')}".strip()
        command = commands.get(name, top)
        option = next((one for one in rest if one.startswith("--")), rest[0]).partition("=")[0]
        known = [text for action in command._actions for text in action.option_strings]
        hint = _alike(option, known) if option.startswith("-") else ""
        command.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    return options


def _alike(word: str, known: Any) -> str:
    near = get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def one_line(error: BaseException) -> str:
    """What went wrong, without line breaks; files are named."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename else ""
        return shown(f"{name}{error.strerror}")
    return " ".join(str(error).split()) or type(error).__name__
