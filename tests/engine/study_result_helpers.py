"""Results of studies as an analysis hands them over, made by hand: with every part, unfinished, and hostile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from engine.study.results import (
    Answer,
    ArmFigure,
    Estimate,
    Point,
    SeedValue,
    Series,
    StudyChart,
    StudyResult,
    StudyTable,
)

ARMS = ("none", "basic", "advanced")
REFERENCES = ("majority", "majority_by_view", "untuned")
QUESTIONS = ("Q7", "Q6")
FIGURES = {"Q7": "auroc", "Q6": "macro_recall"}
DEGRADATIONS = ("speckle", "blur", "shadow", "low gain", "low resolution")
HOSTILE = (
    "<script>alert(1)</script> [x](http://evil.example) | `b` ![i](http://evil.example/i.png) *s* $x^2$ \x1b[31m\u202e"
)
DEFINITION = """\
# Experiment 6 <b>bold</b> ``` | $x^2$
name = "augmentation"
varies = ["data.augment"]
"""
_VALUES = {
    ("none", "Q7"): 0.71, ("basic", "Q7"): 0.83, ("advanced", "Q7"): 0.845, ("majority", "Q7"): 0.5,
    ("majority_by_view", "Q7"): 0.62, ("untuned", "Q7"): 0.52, ("none", "Q6"): 0.66, ("basic", "Q6"): 0.69,
    ("advanced", "Q6"): 0.997, ("majority", "Q6"): 1 / 3, ("majority_by_view", "Q6"): 0.41, ("untuned", "Q6"): 0.3,
}  # fmt: skip


def estimate(value: float | None, half: float = 0.06, n: int = 240) -> Estimate:
    """A figure with an interval around it, within 0 to 1; undefined for None."""
    if value is None:
        return Estimate(None, None, None, n)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)


def difference(value: float, half: float = 0.05, n: int = 240) -> Estimate:
    """A difference with its interval, which may be negative."""
    return Estimate(value, value - half, value + half, n)


def arm_figure(arm: str, question: str, *, seeds: int = 3, marks: tuple[str, ...] = ()) -> ArmFigure:
    """The deciding figure of an arm or a reference row."""
    reference = arm in REFERENCES
    value = _VALUES[arm, question]
    place = (*ARMS, *REFERENCES).index(arm)
    values = () if reference else tuple(
        SeedValue(42 + seed, 10 * place + seed + 1, 100 * (QUESTIONS.index(question) + 1) + 10 * place + seed,
                  min(1.0, value + 0.01 * (seed - (seeds - 1) / 2)))
        for seed in range(seeds)
    )  # fmt: skip
    return ArmFigure(
        arm=arm,
        question=question,
        figure=FIGURES[question],
        estimate=estimate(value, 0.0 if arm == "majority" else 0.05),
        seeds=values,
        spread=None if reference or seeds < 2 else 0.01,
        marks=marks,
        reference=reference,
    )


def figures(seeds: int = 3) -> tuple[ArmFigure, ...]:
    """Three arms and three references for two questions; one arm has collapsed."""
    return tuple(
        arm_figure(arm, question, seeds=seeds, marks=("collapsed",) if (arm, question) == ("none", "Q6") else ())
        for question in QUESTIONS
        for arm in (*ARMS, *REFERENCES)
    )


def answers() -> tuple[Answer, ...]:
    """One of every kind, with every way of coming out."""
    auroc, recall = "auroc", "macro_recall"
    return (
        Answer("Is the basic arm better than none?", "better", "Q7", auroc, "basic", "none",
               "basic is better than none by 0.12 (0.07 to 0.17).", True, difference(0.12), 0.0004, 0.0016, 4),
        Answer("Does augmentation change the figure?", "each", "Q7", auroc, "advanced", "basic",
               "advanced and basic are not distinguishable: 0.015 (-0.035 to 0.065).", None, difference(0.015), 0.41,
               0.82, 4),
        Answer("Does augmentation change the figure?", "each", "Q6", recall, "none", "untuned",
               "none has collapsed: it can't be called better.", False, difference(0.36), 0.0002, 0.0008, 4),
        Answer("Is basic no worse than advanced by 0.05?", "non_inferior", "Q7", auroc, "basic", "advanced",
               "Cannot be decided: the interval holds -0.05.", None, difference(-0.015), None, None, bound=-0.05),
        Answer("Is advanced no worse than basic by 0.05?", "non_inferior", "Q7", auroc, "advanced", "basic",
               "advanced is not worse than basic by 0.05.", True, difference(0.015), None, None, bound=-0.05),
        Answer("Is advanced acceptable?", "at_least", "Q7", auroc, "advanced", "",
               "Its whole interval lies above 0.75.", True, estimate(0.845, 0.05), None, None, bound=0.75),
        Answer("Is none acceptable?", "at_least", "Q7", auroc, "none", "",
               "Its whole interval lies below 0.8.", False, estimate(0.71, 0.05), None, None, bound=0.8),
        Answer("Is advanced better than the majority class?", "better", "Q6", recall, "advanced", "majority",
               "Undefined: one class has no case.", None, Estimate(None, None, None, 240), 0.04, 0.08, 4),
    )  # fmt: skip


def tables() -> tuple[StudyTable, ...]:
    """Cost with words and figures, and one without a note."""
    return (
        StudyTable(
            "cost", "Cost", "Mean over the seeds; memory of the host, as there is no GPU.",
            ("arm", "backend", "training", "samples/s", "memory"),
            (("none", "eager", "2 min 10 s", "5.1", "1.2 GiB"), ("basic", "eager", "2 min 30 s", "4.4", "1.2 GiB"),
             ("advanced", "eager", "3 min 01 s", "3.6", "1.3 GiB")),
            words=(1,),
        ),
        StudyTable("robustness", "Mean drop on degraded images", "", ("arm", "drop", "n"),
                   (("none", "–", "240"), ("basic", "−0.04 (−0.09 to 0.01)", "240"))),
    )  # fmt: skip


def curve_chart(kind: str, arms: Sequence[str] = ARMS) -> StudyChart:
    """Figure by severity of one degradation."""
    steep = 0.02 * (1 + DEGRADATIONS.index(kind))
    series = tuple(
        Series(arm, tuple(Point(severity, estimate(0.85 - 0.04 * place - steep * severity)) for severity in range(4)))
        for place, arm in enumerate(arms)
    )
    return StudyChart(f"robustness-{kind.replace(' ', '-')}", kind, "curves", "severity", "AUROC", series,
                      "Severity 0: images as they are.", panel="robustness")  # fmt: skip


def scatter_chart(arms: Sequence[str] = ARMS) -> StudyChart:
    """A trade-off: close points, so that labels have to give way."""
    series = tuple(
        Series(arm, (Point(5.0 - 0.04 * place, estimate(0.83 + 0.004 * (place % 4)), arm),))
        for place, arm in enumerate(arms)
    )
    return StudyChart("tradeoff", "AUROC against speed", "scatter", "samples a second", "AUROC", series)


def forgetting_chart() -> StudyChart:
    """Two ways of training, question by question."""
    series = tuple(
        Series(name, tuple(Point(f"Q{q}", estimate(0.9 - 0.05 * q - drop * (q % 3), n=118 + q)) for q in range(1, 9)))
        for name, drop in (("one question alone", 0.0), ("all eight, equal epochs", 0.03))
    )
    return StudyChart("forgetting", "Alone and together", "intervals", "question", "figure that decides", series,
                      "Higher is better.")  # fmt: skip


def charts() -> tuple[StudyChart, ...]:
    """Five panels of curves, a scatter, intervals."""
    return (*(curve_chart(kind) for kind in DEGRADATIONS), scatter_chart(), forgetting_chart())


def rich() -> StudyResult:
    """A complete study with every part."""
    found = figures()
    return StudyResult(
        study="augmentation",
        title="Augmentation",
        question="Do changed training images raise accuracy, or robustness to degraded images and rare cases?",
        scale="demo",
        machine="any machine, 2 cores, about 11 minutes",
        note="Drawn phantoms and the embedded model; 160 steps each.",
        dataset="phantoms",
        dataset_fingerprint="d" * 64,
        split_fingerprint="5" * 64,
        cases_fingerprint="c" * 64,
        split="validation",
        n=240,
        abnormal=60,
        varies=("data.augment",),
        seeds=3,
        figures=found,
        answers=answers(),
        tables=tables(),
        charts=charts(),
        warnings=("The rule of decision was changed on 2026-11-02, after 2 runs had been measured.",),
        missing=(),
        looks=2,
        evaluations=tuple(sorted({seed.evaluation_id for figure in found for seed in figure.seeds} | {301, 302, 303})),
    )


def incomplete() -> StudyResult:
    """As `rich`, but an arm is not done: a figure is undefined, and an answer waits."""
    whole = rich()
    waiting = Answer("Does augmentation change the figure?", "each", "Q7", "auroc", "advanced", "none",
                     "Waiting for advanced, seed 44.", None, waiting=True)  # fmt: skip
    kept = tuple(
        replace(each, estimate=Estimate(None, None, None, 0), seeds=(), spread=None) if each.arm == "advanced" else each
        for each in whole.figures
    )
    return replace(
        whole,
        figures=kept,
        answers=(whole.answers[0], waiting),
        charts=(),
        missing=("advanced, seed 44: training", "advanced, seed 44: Q6 on validation"),
    )


def barely_begun() -> StudyResult:
    """Nothing is done yet."""
    return replace(rich(), figures=(), answers=(), tables=(), charts=(), warnings=(), evaluations=(), n=0,
                   abnormal=None, missing=("none, seed 42: training",), cases_fingerprint="", looks=0)  # fmt: skip


def hostile() -> StudyResult:
    """As `rich`, with text that tries to be markup wherever text can stand."""
    whole = rich()
    renamed = {arm: f"{HOSTILE} {arm}" for arm in ARMS}
    return replace(
        whole,
        study=HOSTILE,
        title=HOSTILE,
        question=HOSTILE,
        scale=HOSTILE,
        machine=HOSTILE,
        note=HOSTILE,
        dataset=HOSTILE,
        figures=tuple(
            replace(each, arm=renamed.get(each.arm, each.arm), marks=(HOSTILE,) if not each.reference else ())
            for each in whole.figures
        ),
        answers=tuple(
            replace(each, ask=HOSTILE, sentence=HOSTILE, arm=renamed.get(each.arm, each.arm), than=HOSTILE)
            for each in whole.answers
        ),
        tables=(StudyTable(HOSTILE, HOSTILE, HOSTILE, (HOSTILE, HOSTILE), ((HOSTILE, "=1+1"), ("1. x", "- y"))),),
        charts=tuple(
            replace(
                chart, name=f"../{HOSTILE}", title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE, note=HOSTILE,
                series=tuple(
                    replace(each, name=f"{HOSTILE} {each.name}",
                            points=tuple(replace(point, label=HOSTILE) for point in each.points))
                    for each in chart.series
                ),
            )
            for chart in whole.charts
        ),
        warnings=(HOSTILE,),
        missing=(HOSTILE,),
    )  # fmt: skip


def many_arms(count: int = 13) -> StudyResult:
    """A study with many arms of long names, for one question."""
    names = [f"other questions, wording {place}, untuned" if place % 3 == 2 else f"wording {place}"
             for place in range(1, count + 1)]  # fmt: skip
    found = tuple(
        ArmFigure(name, "Q7", "auroc", estimate(0.55 + 0.3 * math.sin(place) ** 2, 0.05), (), None, ())
        for place, name in enumerate(names)
    )
    references = tuple(each for each in figures() if each.reference and each.question == "Q7")
    charts_of = (*(curve_chart(kind, names) for kind in DEGRADATIONS[:3]), scatter_chart(names))
    return replace(rich(), figures=(*found, *references), answers=answers()[:1], tables=(), charts=charts_of)
