"""`python tests/security`: feed hostile inputs to everything that reads untrusted data, and count what went wrong.

Inputs are drawn in rounds, each with a seed of its own and a fresh memory of what was tried: one round of a hundred
thousand would fill the memory. A failure is printed with the input, ready for the list `FOUND` of its target.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ["SONOTUNE_BACKGROUND_CHECK"] = "0"

HERE = Path(__file__).resolve().parent
sys.path[:0] = [path for path in (str(HERE), str(HERE.parents[1])) if path not in sys.path]

from rounds import Tried, named_round  # noqa: E402
from targets import NAMES, TITLES  # noqa: E402

ROUND = 2_000
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def main(arguments: list[str] | None = None) -> int:
    """Run the rounds of all targets; 0 where nothing failed."""
    parser = argparse.ArgumentParser(prog="tests/security", description="Fuzz everything that reads untrusted data.")
    parser.add_argument("--inputs", type=int, default=100_000, help="of each target")
    parser.add_argument("--targets", default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--seed", type=int, default=0, help="number of the first round")
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--write", type=Path, help="put the table into this file, between its marks")
    options = parser.parse_args(arguments)
    names = options.targets.split(",")
    rounds = -(-options.inputs // ROUND)
    sizes = [min(ROUND, options.inputs - number * ROUND) for number in range(rounds)]
    tried = {name: Tried() for name in names}
    began = time.monotonic()
    # Target by target within a round, so that a failure of any of them shows early. A process that dies ends it all: that
    # is a failure too, and the worst.
    work = [(name, options.seed + number, sizes[number]) for number in range(rounds) for name in names]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(named_round, each) for each in work]):
            name, done = future.result()
            known = set(tried[name].kinds)
            tried[name].add(done)
            for place in tried[name].kinds.keys() - known:
                print(f"FAILED {name}: {place}\n{tried[name].kinds[place]}", flush=True)
            print(f"{name}: {tried[name].inputs:,} inputs, {tried[name].failures} failures", flush=True)
    minutes = (time.monotonic() - began) / 60
    text = (
        table(tried) + f"\n\nFirst round {options.seed}, {options.jobs} processes side by side, {minutes:.0f} minutes."
    )
    print(text)
    if options.write:
        write(options.write, text)
    return int(any(each.failures for each in tried.values()))


def table(tried: dict[str, Tried]) -> str:
    """Target, inputs, failures, seconds."""
    rows = [
        f"| {TITLES[name]} | {each.inputs:,} | {each.failures} | {each.seconds:.0f} |" for name, each in tried.items()
    ]
    return "\n".join(["| target | inputs | failures | processor seconds |", "|---|---|---|---|", *rows])


def write(file: Path, text: str) -> None:
    """Replace what stands between the marks."""
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
