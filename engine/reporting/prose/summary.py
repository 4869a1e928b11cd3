"""The summary: the best run beside everything that tells what its figure is worth."""

from __future__ import annotations

from engine.questions.vocabulary import NORMALITY
from engine.reporting.document.blocks import Strong, Words
from engine.reporting.model import Report
from engine.reporting.names import (
    counted,
    deciding_score,
    interval_text,
    listed,
    measure_title,
    question_title,
    short_title,
    subject_title,
)
from engine.reporting.prose.warnings import NO_RESULT, believable
from engine.reporting.subject import Subject
from engine.types import Reference


def summary(report: Report) -> list[Words]:
    """Paragraphs, the most important first."""
    if not report.runs:
        return [["No tuned run was measured here; only reference rows are shown."], _beside(report, None)]
    measure = measure_title(report.primary)
    believed = believable(report.runs)
    paragraphs: list[Words] = []
    first = report.runs[0]
    if not believed:
        paragraphs.append([Strong("None of the runs is a result: "), _why(report.runs), "."])
    elif first is not believed[0]:
        paragraphs.append(
            [Strong(f"The highest {measure} is not a result: "), f"{subject_title(first)} {_marks(first)}."]
        )
    best = believed[0] if believed else first
    paragraphs.append(_best(report, best, measure, full=bool(believed)))
    paragraphs.append(_beside(report, best))
    verdict = _verdicts(report, best)
    return [*paragraphs, verdict] if verdict else paragraphs


def summary_text(report: Report) -> str:
    """The summary in plain words; untrusted."""
    paragraphs = ["".join(part if isinstance(part, str) else part.text for part in words) for words in summary(report)]
    return "\n".join(paragraphs)


def best_run(report: Report) -> Subject | None:
    """The run that the summary is about: the first without a mark that forbids it, else the first."""
    return next(iter(believable(report.runs)), report.runs[0] if report.runs else None)


def _best(report: Report, best: Subject, measure: str, *, full: bool) -> Words:
    score = deciding_score(best, report.primary)
    group = report.group
    abnormal = "" if group.abnormal is None else f", {group.abnormal:,} of them abnormal"
    cases = (
        f"{counted(group.n, 'case')} of {question_title(group.question)} on {group.split} of {group.dataset}{abnormal}"
    )
    if score is None:
        return [Strong(subject_title(best)), f": {measure} is undefined ({cases})."]
    # Without probabilities the text decides, also under the plain names (`engine.evaluation.scores`).
    spoken = score.name != report.primary or (group.question == NORMALITY and not best.reliability)
    by_text = ", by the generated text" if spoken else ""
    many = len(report.runs) > 1
    unmarked = " without such a mark" if full and best is not report.runs[0] else ""
    other = f" the highest of {len(report.runs)} runs{unmarked}"
    return [
        Strong(subject_title(best)),
        f" has {'an' if measure[0].lower() in 'aeiou' else 'a'} {measure} of ",
        Strong(interval_text(score).replace("(", "(95 % interval ", 1)),
        f"{by_text},{other} ({cases})." if many else f"{by_text} ({cases}).",
    ]


def _beside(report: Report, best: Subject | None) -> Words:
    """The figures of the references, and what is missing among them."""
    parts = []
    missing = []
    for reference in Reference:
        rows = [subject for subject in report.references if subject.reference == reference]
        row = _nearest(rows, best)
        if row is None:
            if reference != Reference.SHUFFLED:
                missing.append(_wanted(reference))
        elif reference != Reference.SHUFFLED:
            parts.append(f"{short_title(row)} {interval_text(deciding_score(row, report.primary))}")
    if best is not None:
        grey = best.grey(report.primary) or best.score("grey")
        if grey is None:
            missing.append("the control with grey images")
        else:
            parts.append(f"the same run on grey images {interval_text(grey)}")
    said = f"Beside it: {'; '.join(parts)}." if parts else ""
    lost = f"Not measured: {listed(missing)}; without them nobody can say what the figure is worth." if missing else ""
    return [said, " " if said and lost else "", Strong(lost)] if lost else [said]


def _wanted(reference: Reference) -> str:
    return {
        Reference.MAJORITY: "the majority class",
        Reference.MAJORITY_BY_VIEW: "the majority of each view",
        Reference.BASE: "the untuned base",
    }.get(reference, str(reference))


def _nearest(rows: list[Subject], best: Subject | None) -> Subject | None:
    """Of several untuned models the one that the best run was tuned from, in its precision if there is one."""
    if best is None or not rows:
        return rows[0] if rows else None
    return max(rows, key=lambda row: (row.model == best.model, row.quantization == best.quantization, -row.evaluation))


def _verdicts(report: Report, best: Subject) -> Words | None:
    """What the paired tests say of the run that the page is about."""
    if not report.pairs:
        return None
    first = report.pairs[0].first
    words: list[str | Strong] = [f"On the same images, against {first}: "]
    for place, pair in enumerate(report.pairs[:4]):
        words += ["; " if place else "", f"{pair.second}: ", Strong(pair.standing)]
    rest = len(report.pairs) - 4
    return [*words, f"; and {rest} more below." if rest > 0 else "."]


def _why(runs: tuple[Subject, ...]) -> str:
    return "; ".join(f"{subject_title(run)} {_marks(run)}" for run in runs)


def _marks(run: Subject) -> str:
    kinds = [mark.kind for mark in run.marks if mark.kind in NO_RESULT]
    return f"is marked “{listed(dict.fromkeys(kinds))}”"
