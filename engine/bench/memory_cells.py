"""`python -m engine.bench.memory_cells --keep FOLDER --output FILE`: peaks of GPU memory for the preflight's
calibration.

One process for each model that has to be loaded; a cell that does not fit is left out with a line that says so.
Prints one JSON line a cell and writes all of them to FILE in the form that `engine.preflight.rows` reads.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from engine.bench.cells import Cell, by_process, read_cells, standard_cells, write_cells
from engine.bench.data import import_data, write_data
from engine.bench.plan import DATASET, SEED
from engine.bench.running import run_process
from engine.preflight.models import Measured
from engine.preflight.rows import measured_row, rows_json
from engine.workspace import Workspace

IMAGES = 32
PREFIX = "CELL "
"""Begins the lines of a child that hold a result."""


def main() -> int:
    """Measure the standard cells, or those of a file; 1 where none could be measured."""
    parser = argparse.ArgumentParser(prog="python -m engine.bench.memory_cells", description=__doc__)
    parser.add_argument("--keep", type=Path, required=True, help="folder for model, images and logs")
    parser.add_argument("--output", type=Path, help="JSON file for all rows")
    parser.add_argument("--cells", type=Path, help="JSON file of cells in place of the standard ones")
    parser.add_argument("--sizes", default="", help="only these, as in 2b,8b")
    parser.add_argument("--backends", default="", help="only these, as in transformers")
    parser.add_argument("--compiled", action="store_true", help="compile the blocks of the transformers cells")
    parser.add_argument("--timeout", type=float, default=1500, help="seconds for one process")
    given = parser.parse_args()
    cells = read_cells(given.cells) if given.cells else standard_cells(given.compiled)
    cells = [cell for cell in cells if _wanted(cell.size, given.sizes) and _wanted(cell.backend, given.backends)]
    rows = measure_cells(cells, given.keep.resolve(), given.timeout)
    if given.output is not None:
        given.output.write_text(rows_json(rows), encoding="utf-8")
    return 0 if rows else 1


def measure_cells(cells: list[Cell], folder: Path, timeout: float) -> list[Measured]:
    """Measure cells, and print each as it comes.

    Args:
        cells: what is measured.
        folder: for model, images and logs; what lies there already is taken.
        timeout: seconds for the process of one model.
    """
    workspace = Workspace(folder / "workspace")
    import_data(workspace, DATASET, write_data(folder / f"data-{IMAGES}-{SEED}", IMAGES, SEED))
    rows: list[Measured] = []
    for number, group in enumerate(by_process(cells)):
        file = folder / f"cells-{number}.json"
        write_cells(group, file)
        base = folder / "models" / f"{group[0].size}-random"
        base.parent.mkdir(exist_ok=True)
        if not (base / "config.json").is_file():
            run_process(["-m", "engine.bench.model", group[0].size, str(base)], folder / "model.log", timeout, _say)
        words = ["-m", "engine.bench.cell_process", str(file), str(base), str(workspace.root)]
        log = folder / f"cells-{number}.log"
        code, last = run_process(words, log, timeout, _say)
        found = [line.removeprefix(PREFIX) for line in log.read_text().splitlines() if line.startswith(PREFIX)]
        for line in found:
            sys.stdout.write(line + "\n")
            values = json.loads(line)
            if "skipped" not in values and values["reserved_peak"]:  # without a GPU there is no peak to calibrate by
                rows.append(measured_row(values))
        if code != 0:
            _say(f"{group[0].process} ended with code {code}: {' '.join(last)[-300:]}")
        sys.stdout.flush()
    return rows


def _wanted(value: str, chosen: str) -> bool:
    return not chosen or value in chosen.split(",")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
