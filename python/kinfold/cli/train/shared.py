"""What recipes have in common: options, where a training is kept, and how its outcome is told."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any

from kinfold.base.errors import KinfoldError, MissingExtraError
from kinfold.base.extras import require
from kinfold.base.text import shown
from kinfold.cli.options import count
from kinfold.cli.output import check_writable, say, show, write_json
from kinfold.io import atomic


def add_training(
    parser: argparse.ArgumentParser, *, epochs: int, batch: int, rate: float | None,
    output: str = "net.safetensors", what: str = "the weights",
) -> None:  # fmt: skip
    """Where the result goes, how long and how fast is learnt, and on what. A rate of None is the network's own."""
    parser.add_argument(
        "-o", "--output", default=output, metavar="FILE", help=f"{what} (default: {output})"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a training that was interrupted"
    )
    for name, kind, value, means in (
        ("--epochs", count, epochs, "times that everything is seen"),
        ("--batch", count, batch, "of what is learnt from at once"),
        ("--rate", float, rate, "of learning"),
    ):
        parser.add_argument(
            name, type=kind, default=value, metavar="N",
            help=f"{means} (default: {'that of the network' if value is None else f'{value:g}'})",
        )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)"
    )
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:1, mps (default: cpu)"
    )
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "bfloat16", "float16"),
        help="of the forward pass (default: float32)",
    )  # fmt: skip
    parser.add_argument("--tensorboard", action="store_true", help="write its event files, too")


@dataclass
class Training:
    """A training that a command runs.

    output : the weights
    folder : checkpoints, curves
    measured : what the recipe measured, by name
    """

    options: argparse.Namespace
    output: Path
    folder: Path
    began: float = field(default_factory=time.perf_counter)
    measured: dict[str, Any] = field(default_factory=dict)

    def loop(self) -> dict[str, Any]:
        """Options that go to ``learn.loop.train`` as they are."""
        given = self.options
        return {
            "epochs": given.epochs, "rate": given.rate, "seed": given.seed, "precision": given.precision,
            "folder": self.folder, "resume": given.resume, "verbose": not given.quiet,
            "logs": ("csv", "tensorboard") if given.tensorboard else ("csv",),
        }  # fmt: skip

    def remark(self, text: str) -> None:
        """Say something, unless quiet."""
        if not self.options.quiet:
            say(text)

    def finish(self, history: Any, recipe: str) -> int:
        """Put the weights where they were asked for, draw the curves, tell what came out."""
        best = self.folder / "best.safetensors"
        if not best.is_file():
            self.tell(history, recipe)
            return 1
        atomic.write_bytes(self.output, best.read_bytes())
        use = f"kinfold index PHOTOS --weights {quote(shown(str(self.output)))}"
        self.tell(history, recipe, wrote="weights", use=use)
        return 0

    def tell(self, history: Any, recipe: str, *, wrote: str | None = None, use: str = "") -> None:
        """Draw the curves, tell what came out.

        wrote : what the output holds; None where nothing was written
        use : what to do with it
        """
        try:
            from kinfold.report.training import write_curves

            write_curves(self.folder / "curves.png", history.epochs)
        except MissingExtraError:
            pass
        seconds = time.perf_counter() - self.began
        told = {
            "recipe": recipe, wrote or "weights": str(self.output) if wrote else None,
            "folder": str(self.folder), "seconds": round(seconds, 1), "best": history.best,
            "stopped": history.stopped, "epochs": [asdict(line) for line in history.epochs],
            "measured": self.measured,
        }  # fmt: skip
        if self.options.json:
            write_json(self.options.json, told)
        if not self.options.quiet and self.options.json != "-":
            for name, value in self.measured.items():
                show(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
            if wrote:
                show(f"{wrote} in {shown(str(self.output))} after {seconds / 60:.1f} min; {use}")
            else:
                show("no epoch was better than what was there before: nothing was written")


@contextmanager
def training(
    options: argparse.Namespace, *, keeps: Sequence[str] = ("last.safetensors",)
) -> Iterator[Training]:
    """A training whose files may be written; what an interruption leaves is told.

    keeps : what it keeps in its folder, from any of which it goes on
    """
    output = Path(options.output)
    if options.json:
        check_writable(options.json)
    check_writable(output)
    from kinfold.base.threads import get_threads
    from kinfold.features.forward import as_device

    as_device(options.device)
    folder = output.with_name(output.name + ".training")
    kept = [folder / name for name in keeps]
    if any(place.exists() for place in kept) and not options.resume:
        raise KinfoldError(
            f"{folder}: holds an earlier training: --resume goes on with it; to begin anew, choose another "
            "output or delete that folder"
        )
    if options.resume and not any(place.exists() for place in kept):
        raise KinfoldError(f"{folder}: holds no training to resume")
    torch = require("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(get_threads())
    try:
        yield Training(options, output, folder)
    except KeyboardInterrupt as interrupt:
        if any(place.exists() for place in kept):
            interrupt.kept = "--resume goes on from where it was"  # type: ignore[attr-defined]
        raise
    finally:
        torch.set_num_threads(threads)


def before_and_after(history: Any, name: str) -> Mapping[str, float]:
    """The score before training, and that of the best epoch."""
    after = history.before if history.best < 0 else history.epochs[history.best].score
    return {f"{name} before": history.before, f"{name} after": after}
