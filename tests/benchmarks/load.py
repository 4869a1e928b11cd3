"""A runs.db with 10,000 runs, 5 million points and a million predictions: `.venv/bin/python tests/benchmarks/load.py`.

Screens, commands, polls, writes and maintenance on it, beside a small one with 200 runs of the same shape, in one run:
the last ratio of a line is large / small, and says what the size costs on this machine however busy it is. A budget is
that of the design; figures that have none say so. Takes ten minutes and up to 3 GB in a temporary folder.

    load.py [--runs 10000] [--points 5000000] [--predictions 1000000] [--images 15446] [--folder DIR] [--only PART ...]

`--folder` keeps the two workspaces there, and takes those that it finds; parts are: commands, screens, polls, writes,
maintenance.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from first_paint import WORKBENCH
from load_screens import PRESSES, SCREENS
from load_work import DatabaseCommands, cost_of_polls, cost_of_writes
from seeding_load import seed_load
from terminal import REPOSITORY, Terminal

from engine.store.reader import Reader
from engine.workspace import Workspace

PAINT_MS, KEY_MS, BOARD_MS = 500.0, 50.0, 300.0
"""Budgets of the design: first paint, key to paint at the 95th percentile, the leaderboard of 10,000 runs on screen."""
POLL_MS = 0.03 * 500
"""3 % of a core at two polls a second."""
ROUNDS = 3
PARTS = ("commands", "screens", "polls", "writes", "maintenance")
COMMANDS = (
    ("runs",),
    ("runs", "--json"),
    ("show", "1"),
    ("leaderboard",),
    ("compare", "evaluation:3", "evaluation:4"),
)
SMALL = {"runs": 200, "points": 100_000, "predictions": 30_000, "images": 2_400}


def tell(what: str, large: float, small: float | None, budget: float | None = None) -> None:
    """One line: milliseconds on the large database, beside its budget and the small one."""
    held = "no budget" if budget is None else f"budget {budget:.0f} ms, ratio {large / budget:.2f}"
    beside = "" if small is None else f"; small {small:.1f} ms, large / small {large / max(small, 1e-6):.2f}"
    print(f"RESULT {what}: {large:.1f} ms ({held}{beside})", flush=True)


def command(workspace: Workspace, *words: str, codes: Collection[int] = (0,)) -> float:
    """Milliseconds of a command, from spawn to exit with one of these codes."""
    code = "import sys; from engine.cli import main; main(['--workspace', sys.argv[1], *sys.argv[2:]])"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "SONOTUNE_CONFIG": os.devnull}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, str(workspace.root), *words], capture_output=True, text=True, env=environment
    )
    if done.returncode not in codes:
        raise RuntimeError(f"sonotune {' '.join(words)} failed: {done.stdout[-500:]} {done.stderr[-500:]}")
    return 1e3 * (time.perf_counter() - started)


def painted(workspace: Workspace, word: bytes) -> float:
    """Milliseconds from the spawn of the workbench until a word has come."""
    with Terminal(WORKBENCH, str(workspace.root)) as terminal:
        return 1e3 * terminal.read_until(word)


def opened(workspace: Workspace) -> float:
    """Milliseconds to open runs.db for reading and to ask for one run."""
    started = time.perf_counter()
    with Reader(workspace) as reader:
        reader.run(1)
    return 1e3 * (time.perf_counter() - started)


def pair(work: Callable[[Workspace], float], large: Workspace, small: Workspace) -> tuple[float, float]:
    """Medians on both, turn by turn; a first pair fills the caches and does not count."""
    rounds = [(work(large), work(small)) for _ in range(ROUNDS + 1)][1:]
    return statistics.median(each for each, _ in rounds), statistics.median(each for _, each in rounds)


def commands(large: Workspace, small: Workspace) -> None:
    """Opening, first paint, commands."""
    tell("opening runs.db and reading one run", *pair(opened, large, small))
    tell("first paint of the program", *pair(partial(painted, word=b"help"), large, small), PAINT_MS)
    for words in COMMANDS:
        tell(f"sonotune {' '.join(words)}", *pair(lambda each, words=words: command(each, *words), large, small))  # type: ignore[misc]


def screen(workspace: Workspace, name: str) -> dict[str, float]:
    """Milliseconds to the first frame, to the last one of the data, and of keys."""
    program = Path(__file__).with_name("load_screens.py")
    done = subprocess.run([sys.executable, program, str(workspace.root), name], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found = json.loads(done.stdout)
    keys = sorted(1e3 * each for each in found["pressed"])
    return {
        "first": 1e3 * found["first"],
        "complete": 1e3 * found["complete"],
        "median": statistics.median(keys),
        "late": keys[int(0.95 * (len(keys) - 1))],
    }


def screens(large: Workspace, small: Workspace) -> None:
    """Every screen: first frame, its data, keys."""
    for name in SCREENS:
        big, little = screen(large, name), screen(small, name)
        if name != "Runs":  # its first frame is that of the program
            tell(f"{name}: first frame", big["first"], little["first"], PAINT_MS)
        board = BOARD_MS if name == "Leaderboard" else None
        tell(f"{name}: all its data on screen", big["complete"], little["complete"], board)
        tell(f"{name}: key to paint, median of {PRESSES}", big["median"], little["median"])
        tell(f"{name}: key to paint, p95", big["late"], little["late"], KEY_MS)


def polls(large: Workspace, small: Workspace) -> None:
    """What the poller of each screen does after a write."""
    big, little = cost_of_polls(large), cost_of_polls(small)
    for name, cost in big.items():
        tell(f"poll: {name}", cost, little[name], POLL_MS)


def writes(large: Workspace, small: Workspace) -> None:
    """What a job pays for a step and for a batch of predictions."""
    big, little = cost_of_writes(large), cost_of_writes(small)
    for name, (cost, budget) in big.items():
        tell(name, cost, little[name][0], budget)


def maintenance(large: Workspace, small: Workspace) -> None:
    """`sonotune db ...`, as far as this version has it."""
    for each in DatabaseCommands(large, command).lines():
        print(f"RESULT {each}", flush=True)


def seeded(folder: Path, sizes: dict[str, int]) -> Workspace:
    """A workspace of these sizes, made where it is not there."""
    workspace = Workspace(folder)
    if not workspace.database.exists():
        started = time.perf_counter()
        load = seed_load(workspace, **sizes)
        said = f"{load.runs:,} runs, {load.points:,} points, {load.predictions:,} predictions"
        size = workspace.database.stat().st_size / 2**20
        print(f"RESULT seeded {said}: {size:.0f} MiB in {time.perf_counter() - started:.0f} s", flush=True)
    return workspace


def main() -> int:
    """Seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("runs", 10_000), ("points", 5_000_000), ("predictions", 1_000_000), ("images", 15_446)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    sizes = {name: getattr(given, name) for name in SMALL}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        large, small = seeded(folder / "large", sizes), seeded(folder / "small", SMALL)
        for part in given.only:
            globals()[part](large, small)
    return 0


if __name__ == "__main__":
    sys.exit(main())
