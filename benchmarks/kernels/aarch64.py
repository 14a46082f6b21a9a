"""What hand-written NEON saves in cycles, as LLVM's models of processors reckon it: no time is claimed.

    python -m benchmarks.kernels.aarch64 [--compiler aarch64-linux-gnu-g++] [--analyser llvm-mca-16]

Each kernel is compiled for aarch64 at the levels `neon` and `baseline` (which the compiler turns into vectors as far as
it can); of its loops that hold no other, the one that does most work an iteration is given to llvm-mca. Work is counted
in the loop's own instructions: products of pairs, look-ups of codes, words of sign codes.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

CPP = Path(__file__).resolve().parents[2] / "cpp"
FLAGS = [
    "-std=c++20",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-rtti",
]
FLAGS += ["-fno-exceptions", "-DKF_HAS_BASELINE=1", f"-I{CPP}", "-S", "-o", "-"]
LEVELS = {
    "neon": ["-march=armv8.2-a+dotprod", "-DKF_HAS_NEON=1", "-DKF_LEVEL=neon"],
    "baseline": ["-DKF_LEVEL=baseline"],
}
PROCESSORS = ("apple-m1", "neoverse-n1", "neoverse-v1")


class Kernel(NamedTuple):
    """A row of the table: where the loop is, and how much each instruction that a pattern finds does."""

    title: str
    file: str
    function: str
    work: dict[str, dict[str, float]]


KERNELS = (
    Kernel("8-bit products of a pair of 128 dimensions", "filter_u8", "filter_u8", {
        "neon": {r"sdot\s": 16 / 128}, "baseline": {r"sm[lu]\w+\s+v\d+\.4s": 4 / 128},
    }),
    Kernel("float32 products of a pair of 128 dimensions", "filter_f32", "Thresholds|filter_f32E", {
        "neon": {r"fmla\s+v\d+\.4s": 4 / 128}, "baseline": {r"fmul\s+v\d+\.4s": 4 / 128},
    }),
    Kernel("canonical distance, 128 dimensions", "distances", "SquaredL2", {
        "neon": {r"fmla\s+v\d+\.4s": 4 / 128}, "baseline": {r"fmul\s+v\d+\.4s": 4 / 128},
    }),
    # The compiler gathers bytes of tables one by one, into the lanes of a register.
    Kernel("8-bit product code of 16 bytes", "filter_product", "filter_productE", {
        "neon": {r"tbx\s": 16 / 48}, "baseline": {r"ldr\s+b\d+": 1 / 16},
    }),
    Kernel("its bound by the least of sixteen entries", "filter_product", "filter_productE", {
        "neon": {r"ushr\s": 16 / 16}, "baseline": {r"ldr\s+b\d+": 1 / 16},
    }),
    Kernel("4-bit product code of 16 bytes", "filter_product", "filter_product4", {
        "neon": {r"tbl\s": 8 / 16}, "baseline": {r"and\s+\w+, \w+, 15": 1 / 16},
    }),
    Kernel("sign code of 256 bits", "hamming_within", "hamming_within", {
        "neon": {r"cnt\s": 2 / 4}, "baseline": {r"cnt\s": 1 / 4},
    }),
)  # fmt: skip


def loops(assembly: str) -> list[tuple[str, list[str]]]:
    """Loops that hold no other, each with the function it is in."""
    lines = assembly.split("\n")
    at: dict[str, int] = {}
    function, within = "", []
    for i, line in enumerate(lines):
        if named := re.match(r"(_Z\w+|\.L\w+):", line):
            at[named[1]] = i
            function = named[1] if named[1].startswith("_Z") else function
        within.append(function)
    found = []
    for i, line in enumerate(lines):
        jump = re.match(r"\s+(?:b\.?\w*|t?cbn?z|tbn?z)\s+(?:.*,\s*)?(\.L\w+)", line)
        if jump and at.get(jump[1], i) < i:
            found.append((at[jump[1]], i))
    inner = [a for a in found if not any(b != a and a[0] <= b[0] and b[1] <= a[1] for b in found)]
    return [(within[end], lines[start : end + 1]) for start, end in inner]


def work_of(body: list[str], work: dict[str, float]) -> float:
    return sum(
        each * sum(bool(re.match(r"\s+" + p, line)) for line in body) for p, each in work.items()
    )


def cycles(body: list[str], processor: str, analyser: str) -> float:
    """Of an iteration, in a long run."""
    text = "\n".join(line for line in body if not line.startswith((".L", "\t.")))
    command = [
        analyser,
        "-mtriple=aarch64",
        f"-mcpu={processor}",
        "-mattr=+dotprod",
        "-iterations=200",
    ]
    out = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout
    total = re.search(r"Total Cycles:\s+(\d+)", out)
    assert total, out
    return int(total[1]) / 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compiler", default="aarch64-linux-gnu-g++")
    parser.add_argument("--analyser", default="llvm-mca-16")
    options = parser.parse_args()
    print("| cycles | " + " | ".join(f"{p}: neon, baseline" for p in PROCESSORS) + " |")
    print("|---|" + "---|" * len(PROCESSORS))
    for kernel in KERNELS:
        best = {}
        for level, flags in LEVELS.items():
            source = str(CPP / "kernels" / f"{kernel.file}.cpp")
            command = [options.compiler, *FLAGS, *flags, source]
            assembly = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            bodies = [body for name, body in loops(assembly) if re.search(kernel.function, name)]
            best[level] = max(bodies, key=lambda body: work_of(body, kernel.work[level]))
        cells = []
        for processor in PROCESSORS:
            each = [
                cycles(best[level], processor, options.analyser)
                / work_of(best[level], kernel.work[level])
                for level in LEVELS
            ]
            cells.append(f"{each[0]:.1f}, {each[1]:.1f} ({each[1] / each[0]:.1f} ×)")
        print(f"| {kernel.title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
