"""How far estimates are from measured peaks: calibrated on a few cells, held against all the others.

`python -m engine.preflight.accuracy ROWS.json` prints the table of docs/preflight.md; with `--factors` it writes the
factors of the measurements that come with sonotune instead (`engine.preflight.fitted`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.preflight.calibration import (
    MEASUREMENT_SHARE,
    calibrate,
    card_key,
    design_row,
    pull_of,
    relative_error,
    terms_of,
)
from engine.preflight.coefficients import DEFAULTS
from engine.preflight.fitted import FACTORS, factors_json, fitted_factors
from engine.preflight.models import Measured
from engine.preflight.rows import read_rows, shipped_rows
from engine.training.backends import FOUR_BIT
from engine.training.model_files import repository_root

CELLS = 8
"""Cells that the estimate may be calibrated on."""
_HEADS = (
    *("model", "backend", "bits", "rows", "micro-batch", "checkpointing", "compiled"),
    *("measured GB", "uncalibrated", "calibrated", "error"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A measured peak beside its estimates."""

    row: Measured
    calibrated_on: bool
    """Whether it is one of the cells that the estimate was fitted to."""
    uncalibrated: float
    """Estimate without any measurement, in bytes."""
    calibrated: float

    @property
    def error(self) -> float:
        """Of the calibrated estimate, as a share of what was measured; negative where it was too low."""
        return relative_error(self.calibrated, self.row.reserved_peak)


def judge(rows: Sequence[Measured], cells: int = CELLS) -> list[Judged]:
    """Fit to `cells` of the rows and estimate all of them.

    Args:
        rows: measured peaks of one or several cards and backends.
        cells: how many may be fitted to, over all of them.
    """
    chosen = set(choose_cells(rows, cells))
    fitted = [row for number, row in enumerate(rows) if number in chosen]
    found = []
    for number, row in enumerate(rows):
        backend = row.layout.backend
        factors = calibrate(fitted, row.card, backend).factors
        terms = terms_of(row)
        found.append(Judged(row, number in chosen, terms.total(DEFAULTS[backend]), terms.total(factors)))
    return found


def choose_cells(rows: Sequence[Measured], cells: int) -> list[int]:
    """Numbers of the rows that say most about the factors, one after the other (a greedy D-optimal design).

    What was measured plays no part: the choice looks at the layouts alone, so it cannot pick those that fit well.
    """
    import numpy as np

    designs: list[np.ndarray] = []
    known: dict[tuple[str, str], np.ndarray] = {}
    for row in rows:
        terms, defaults = terms_of(row), DEFAULTS[row.layout.backend]
        values, _ = design_row(terms, defaults)
        designs.append(np.array(values) / terms.total(defaults) / MEASUREMENT_SHARE)
        known.setdefault(_group(row), np.linalg.inv(np.diag(1 / np.array(pull_of(defaults)) ** 2)))
    chosen: list[int] = []
    while len(chosen) < min(cells, len(rows)):
        left = [number for number in range(len(rows)) if number not in chosen]
        # The variance of a row's estimate before it is measured: what measuring it would take away.
        gains = {number: float(designs[number] @ known[_group(rows[number])] @ designs[number]) for number in left}
        best = max(left, key=lambda number: (gains[number], -number))
        spread, design = known[_group(rows[best])], designs[best]
        known[_group(rows[best])] = spread - np.outer(spread @ design, design @ spread) / (1 + gains[best])
        chosen.append(best)
    return sorted(chosen)


def _group(row: Measured) -> tuple[str, str]:
    return card_key(row.card), row.layout.backend


def table(judged: Sequence[Judged]) -> str:
    """A Markdown table of all rows, then the errors of those that nothing was fitted to in a sentence."""
    lines = [f"| {' | '.join(_HEADS)} |", "|" + "---|" * len(_HEADS), *map(_line, judged)]
    others = [abs(each.error) for each in judged if not each.calibrated_on]
    if others:
        within = sum(error <= 0.10 for error in others)
        lines += [
            "",
            f"{len(judged) - len(others)} cells to fit, {len(others)} others: {within} within 10 %, mean error "
            f"{sum(others) / len(others):.1%}, largest {max(others):.1%}.",
        ]
    return "\n".join(lines)


def _line(judged: Judged) -> str:
    row, layout = judged.row, judged.row.layout
    cells = [
        row.model,
        layout.backend,
        "4" if layout.quantization == FOUR_BIT else "16",
        f"packed, {row.workload.samples_per_image} an image" if layout.packed else "separate",
        str(layout.micro_batch),
        "on" if layout.checkpointing else "off",
        "yes" if layout.compiled else "no",
        f"{row.reserved_peak / 1e9:.1f}",
        f"{judged.uncalibrated / 1e9:.1f}",
        f"{judged.calibrated / 1e9:.1f}",
        "fitted" if judged.calibrated_on else f"{judged.error:+.1%}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table of a file of measurements, or write the factors that come with sonotune."""
    parser = argparse.ArgumentParser(prog="python -m engine.preflight.accuracy", description=__doc__)
    parser.add_argument(
        "rows", type=Path, nargs="*", help="JSON files of measured peaks [default: those that come with sonotune]"
    )
    parser.add_argument("--cells", type=int, default=CELLS, help="cells to calibrate on")
    parser.add_argument("--factors", action="store_true", help="write the fitted factors that come with sonotune")
    arguments = parser.parse_args()
    if arguments.factors:
        (repository_root() / FACTORS).write_text(factors_json(fitted_factors(shipped_rows())), encoding="utf-8")
        return
    rows = [row for file in arguments.rows for row in read_rows(file)] or list(shipped_rows())
    print(table(judge(rows, arguments.cells)))  # noqa: T201 - a command


if __name__ == "__main__":
    main()
