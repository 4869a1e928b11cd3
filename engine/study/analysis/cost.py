"""What each arm costs: time, speed and memory of its training and of its answers, beside what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import TypeVar

from engine.formatting import UNKNOWN, duration, number, size
from engine.store.records import EvaluationRow, RunRow
from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.figures import arm_figure
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.words import count_words, named
from engine.study.results import Point, Series, StudyChart, StudyTable
from engine.types import State

T = TypeVar("T")
GIB = 2**30

HEADS = (
    "arm",
    "seeds",
    "backend",
    "quantization",
    "trained parameters",
    "steps",
    "training time",
    "samples/s",
    "tokens/s, training",
    "tokens/s, answers",
    "s an image",
    "peak memory",
    "load time",
    "answers",
)
NOTE = (
    "Means over the seeds. Training time is without loading and measuring. Memory is the most that the training (of an "
    "untuned arm: the answering) reserved on the GPU; `host` where there was none, and then of the whole process. "
    "Figures of different machines do not compare."
)


def cost_part(material: Material) -> PartResult:
    """A table of costs, and the deciding figure of the first question against speed and against memory."""
    arms = [arm for arm in material.cells if _runs(material, arm) or _rows(material, arm)]
    if not arms:
        return PartResult()
    table = StudyTable("cost", "Cost", NOTE, HEADS, tuple(_row(material, arm) for arm in arms), words=(2, 3))
    return PartResult((table,), tuple(_charts(material, arms)))


def _row(material: Material, arm: str) -> tuple[str, ...]:
    runs, rows = _runs(material, arm), _rows(material, arm)
    return (
        arm,
        str(len(runs) or 1),
        _texts([*(run.backend for run in runs), *(row.backend for row in rows if not runs)]),
        _texts(run.quantization for run in runs) if runs else material.cells[arm][0].cell.recipe.model.quantization,
        count_words(_whole(_mean(runs, lambda run: run.trained_parameters))) if runs else "0",
        count_words(_whole(_mean(runs, lambda run: run.step))) if runs else "0",
        duration(_mean(runs, lambda run: run.train_seconds)),
        number(_mean(runs, lambda run: run.samples_per_second)),
        number(_mean(runs, lambda run: run.tokens_per_second)),
        number(_mean(rows, lambda row: row.tokens_per_second)),
        number(_mean(rows, lambda row: row.seconds_per_image)),
        _memory_words(material, arm),
        duration(_mean(_jobs(material, arm), lambda job: job.load_seconds)),
        count_words(sum(row.n or 0 for row in rows)),
    )


def _charts(material: Material, arms: Sequence[str]) -> Iterable[StudyChart]:
    """Trade-offs, of the arms for which both sides are known."""
    target = material.target(material.questions[0])
    figure = deciding_figure(material.scaled, target.question)
    worth = {each.name: arm_figure(material, each, figure).estimate for each in material.arms(target)}
    speed = {arm: _mean(_runs(material, arm), lambda run: run.samples_per_second) for arm in arms}
    memory = {arm: None if (found := _memory(material, arm)[0]) is None else found / GIB for arm in arms}
    title = f"{target.question} {named(figure)}"
    for name, what, label, values in (
        ("cost-speed", "training speed", "samples a second", speed),
        ("cost-memory", "peak memory", "GiB", memory),
    ):
        points = [(arm, x) for arm in arms if (x := values[arm]) is not None and arm in worth]
        if points:
            series = tuple(Series(arm, (Point(x, worth[arm], arm),)) for arm, x in points)
            yield StudyChart(name, f"{title} against {what}", "scatter", label, figure, series, panel="cost")


def _runs(material: Material, arm: str) -> list[RunRow]:
    runs = [cell.run for cell in material.cells[arm]]
    return [run for run in runs if run is not None and run.state is State.SUCCEEDED]


def _clean(material: Material, arm: str) -> list[EvaluationRow]:
    """What was measured on the images as they are, on any split."""
    return [
        row
        for cell in material.cells[arm]
        for target, row in cell.measured.items()
        if not target.degradation and row.state is State.SUCCEEDED
    ]


def _rows(material: Material, arm: str) -> list[EvaluationRow]:
    rows = [row for row in _clean(material, arm) if row.split == material.measure.split]
    material.used.update(row.id for row in rows)
    return rows


def _jobs(material: Material, arm: str) -> Sequence[RunRow | EvaluationRow]:
    """The trainings of an arm; its measurements where nothing was trained."""
    return _runs(material, arm) or _rows(material, arm)


def _memory(material: Material, arm: str) -> tuple[float | None, bool]:
    """Mean peak in bytes, and whether it is that of a GPU."""
    jobs = _jobs(material, arm)
    on_gpu = _mean(jobs, lambda job: job.peak_vram_reserved_bytes or job.peak_vram_allocated_bytes)
    return (on_gpu, True) if on_gpu else (_mean(jobs, lambda job: job.peak_rss_bytes), False)


def _memory_words(material: Material, arm: str) -> str:
    found, on_gpu = _memory(material, arm)
    return size(found) + ("" if on_gpu or found is None else " host")


def _mean(rows: Iterable[T], value: Callable[[T], float | None]) -> float | None:
    known = [found for row in rows if (found := value(row)) is not None]
    return fmean(known) if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _texts(values: Iterable[str | None]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value)) or UNKNOWN
