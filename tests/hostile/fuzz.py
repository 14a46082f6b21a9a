"""A child of the fuzzer: loads mutants of one kind and asks them everything, within a budget of time and memory.

Prints what went wrong, a JSON line each; the mutant that it is at lies in the file ``at``, for whoever finds it dead.
"""

from __future__ import annotations

import json
import linecache
import os
import re
import resource
import signal
import sys
import warnings
import zlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "io")]

from mutants import Mutant, random_one, systematic
from tiny import FACTORIES
from verbs import VARIANTS, verbs

import kinfold as kf
from kinfold.base.registry import class_of
from kinfold.io import kin

SECONDS = 10  # of processor time, for one mutant: a thousand times what it should take
MEMORY = 1 << 30


def ours(error: BaseException) -> bool:
    """Whether the library itself raised this: its message is for people."""
    if isinstance(error, kf.KinfoldError):
        return True
    if not isinstance(error, ValueError):
        return False
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    file, line = trace.tb_frame.f_code.co_filename, trace.tb_lineno
    raised = linecache.getline(file, line).strip().startswith("raise ")
    # The compiled module has no frames of its own; its messages begin with an argument's name.
    return "kinfold" in file and (raised or re.match(r"^\w+: expected", str(error)) is not None)


def attempt(kind: str, mutant: Mutant, path: Path, *, mmap: bool, tiny: bool) -> list[str]:
    """What is wrong with what becomes of a mutant."""
    kin.write(path, kind, mutant.params, mutant.arrays)
    try:
        thing = kf.load(path, mmap=mmap)
    except kf.FileFormatError:
        return []
    except Exception as error:
        return [f"load: {type(error).__name__}: {error}"]
    wrong = []
    try:
        for name, call in verbs(kind, thing, tiny=tiny):
            try:
                call()
            except Exception as error:
                if not ours(error):
                    wrong.append(f"{name}: {type(error).__name__}: {error}")
    except Exception as error:
        if not ours(error):
            wrong.append(f"asking: {type(error).__name__}: {error}")
    return wrong


def main(name: str, folder: Path, seed: int, each: int, count: int) -> None:
    """One in ``each`` of the systematic mutants of a kind or variant, then so many random ones."""
    warnings.simplefilter("ignore")
    os.fsync = lambda fd: None  # thousands of files that nobody will read again
    np.seterr(all="ignore")
    good = {**FACTORIES, **VARIANTS}[name]()
    kind, tiny = good.kind, name in FACTORIES
    params, arrays = good.params(), {name: np.array(a) for name, a in good.arrays().items()}
    for _, call in verbs(kind, class_of(kind).from_state(params, arrays), tiny=tiny):
        call()  # of what is sound: every verb answers
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))
    at, asked, random = (folder / "at").open("w"), 0, np.random.default_rng(seed)

    def mutants() -> Any:
        yield from islice(systematic(params, arrays), zlib.crc32(name.encode()) % each, None, each)
        for _ in range(count):
            yield random_one(params, arrays, random)

    for number, mutant in enumerate(mutants()):
        at.seek(0)
        at.truncate()
        at.write(f"{number}: {mutant.what}")
        at.flush()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        wrong = attempt(kind, mutant, folder / "mutant.kin", mmap=bool(number % 2), tiny=tiny)
        signal.setitimer(signal.ITIMER_PROF, 0)
        asked += 1
        for what in wrong:
            print(json.dumps({"mutant": f"{number}: {mutant.what}", "wrong": what}), flush=True)
    print(json.dumps({"asked": asked}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:]))
