"""All numbers of a study for other programs: one tidy table, and everything as JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from engine.reporting.model import NOTE
from engine.reporting.study.answers import verdict_word
from engine.reporting.study.forms import defined, title_of
from engine.reporting.study.limits import limitations
from engine.reporting.study.model import StudyPage
from engine.study.results import Estimate, StudyResult
from engine.text_cells import spreadsheet_cell

MADE_BY = "sonotune study report"
FORMAT = 1
HEADS = (
    "record", "name", "question", "figure", "arm", "reference", "than", "x", "seed", "run", "evaluation", "value",
    "low", "high", "n", "sd_over_seeds", "p", "p_holm", "family", "answer", "text", "study", "scale", "dataset",
    "split", "cases_fingerprint", "complete", "note",
)  # fmt: skip
"""`record` says what a row is: figure, seed, answer, point (of a chart) or cell (of a further table)."""


def figures_csv(result: StudyResult) -> str:
    """Every number in a row of its own; empty where a figure is undefined, or where a column does not apply."""
    whole = {
        "study": result.study, "scale": result.scale, "dataset": result.dataset, "split": result.split,
        "cases_fingerprint": result.cases_fingerprint, "complete": "yes" if result.complete else "no", "note": NOTE,
    }  # fmt: skip
    lines = io.StringIO()
    writer = csv.DictWriter(lines, HEADS, lineterminator="\n")
    writer.writeheader()
    for row in _rows(result):
        writer.writerow({name: spreadsheet_cell(_finite(value)) for name, value in {**row, **whole}.items()})
    return lines.getvalue()


def _rows(result: StudyResult) -> Iterator[dict[str, Any]]:
    yield from _figures(result)
    yield from _answers(result)
    yield from _points(result)
    yield from _cells(result)


def _figures(result: StudyResult) -> Iterator[dict[str, Any]]:
    for each in result.figures:
        who = {
            "question": each.question, "figure": each.figure, "arm": each.arm,
            "reference": "yes" if each.reference else "no",
        }  # fmt: skip
        text = ", ".join(each.marks)
        yield {"record": "figure", **who, **_estimate(each.estimate), "sd_over_seeds": each.spread, "text": text}
        for seed in each.seeds:
            ids = {"seed": seed.seed, "run": seed.run_id, "evaluation": seed.evaluation_id}
            yield {"record": "seed", **who, **ids, "value": seed.value, "n": each.estimate.n}


def _answers(result: StudyResult) -> Iterator[dict[str, Any]]:
    for each in result.answers:
        yield {
            "record": "answer", "name": each.ask, "question": each.question, "figure": each.figure, "arm": each.arm,
            "than": each.than, **(_estimate(each.difference) if each.difference else {}), "p": each.p,
            "p_holm": each.p_adjusted, "family": each.family, "answer": verdict_word(each), "text": each.sentence,
        }  # fmt: skip


def _points(result: StudyResult) -> Iterator[dict[str, Any]]:
    for chart in result.charts:
        for series in chart.series:
            for point in series.points:
                yield {
                    "record": "point", "name": chart.name, "figure": chart.y_label, "arm": series.name, "x": point.x,
                    **_estimate(point.estimate), "text": chart.x_label,
                }  # fmt: skip


def _cells(result: StudyResult) -> Iterator[dict[str, Any]]:
    """Cells of further tables are text as it is shown: their units are in their heads."""
    for table in result.tables:
        for row in table.rows:
            for head, cell in list(zip(table.heads, row, strict=False))[1:]:
                yield {"record": "cell", "name": table.name, "figure": head, "arm": row[0], "text": cell}


def _estimate(estimate: Estimate) -> dict[str, Any]:
    found = defined(estimate)
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def study_json(page: StudyPage, files: Mapping[str, str]) -> str:
    """Everything as one JSON document.

    Args:
        page: what is said.
        files: SHA-256 by name of the other files, by which a later export knows that nobody has changed them.
    """
    content = {
        "made_by": MADE_BY,
        "format": FORMAT,
        "note": NOTE,
        "title": title_of(page.result),
        "complete": page.result.complete,
        "limitations": limitations(page),
        **asdict(page),
        "files": dict(files),
    }
    return json.dumps(_finite(content), indent=1, ensure_ascii=True, allow_nan=False, default=str) + "\n"


def _finite(value: Any) -> Any:
    """The same with None for what is no finite number: NaN is no JSON, and no figure."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
