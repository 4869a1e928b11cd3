"""The limitations of what is reported; each is written only where it is true."""

from __future__ import annotations

import json
from collections.abc import Callable

from engine.reporting.model import Report
from engine.reporting.names import counted, listed, subject_title
from engine.reporting.subject import Subject
from engine.types import IMPORTED, Mark, Reference, Split

FEW = 20
"""Cases of the rarer class below which its share is not much more than a guess (as in `engine.evaluation.marking`)."""
DEMO_MODELS = ("base-model", "base-model-large")
"""Folders of the embedded models, which have nothing of Qwen's weights."""


def limitations(report: Report) -> list[str]:
    """One sentence each."""
    checks: tuple[Callable[[Report], str], ...] = (
        _phantoms, _demo_model, _few_cases, _validation, _looks, _best_of_many, _seeds, _thresholds, _sample,
        _near_duplicates, _patients, _missing, _machines, _imported, _other_data, _unfinished,
    )  # fmt: skip
    return [sentence for sentence in (check(report) for check in checks) if sentence]


def _phantoms(report: Report) -> str:
    if report.data.kind != "phantoms":
        return ""
    return (
        "The images are drawn phantoms, not ultrasound of patients: no figure here says anything about clinical images."
    )


def _demo_model(report: Report) -> str:
    models = {subject.model for subject in report.subjects if subject.model}
    if not any(model.rstrip("/").rpartition("/")[2] in DEMO_MODELS for model in models):
        return ""
    return "The base is the small demonstration model that comes with sonotune; it has none of Qwen3-VL's weights."


def _few_cases(report: Report) -> str:
    group = report.group
    if group.abnormal is None:
        return f"Only {counted(group.n, 'case')} were measured: the intervals are wide." if group.n < 50 else ""
    normal = group.n - group.abnormal
    rare, what = min((group.abnormal, "abnormal"), (normal, "normal"))
    if rare >= FEW:
        return ""
    rate = "sensitivity" if what == "abnormal" else "specificity"
    return (
        f"Only {counted(rare, f'{what} case')} were measured: {rate} is hardly known, and the bootstrap intervals of "
        "balanced accuracy and AUROC are narrower than they should be."
    )


def _validation(report: Report) -> str:
    if report.group.split == Split.TEST:
        return ""
    chosen = " and thresholds" if report.group.question == "Q7" else ""
    return f"These are figures on the {report.group.split} split, on which settings{chosen} are chosen: they flatter."


def _looks(report: Report) -> str:
    if not report.looks or len(report.looks) < 2:
        return ""
    return (
        f"The test split has been looked at {len(report.looks)} times: whoever chooses by what was seen there has "
        "tuned on it."
    )


def _best_of_many(report: Report) -> str:
    if report.group.runs <= 1:
        return ""
    if len(report.runs) < report.group.runs and not report.chosen:
        kept = f"; shown are the {len(report.runs)} with the highest figures"
    elif len(report.runs) < report.group.runs:
        kept = f"; shown are {len(report.runs)} that were chosen by name"
    else:
        kept = ""
    return (
        f"{report.group.runs:,} runs were measured on these cases{kept}: the best of several is partly the luckiest, "
        "and its figure will be lower on new images."
    )


def _seeds(report: Report) -> str:
    """Two runs that differ in the seed alone show how much of a difference is chance."""
    settings: dict[str, set[int]] = {}
    for run in report.runs:
        if run.setup is not None and run.setup.recipe:
            same = {k: v for k, v in run.setup.recipe.items() if k not in ("name", "description", "training.seed")}
            settings.setdefault(json.dumps(same, sort_keys=True, default=str), set()).add(run.setup.seed)
    if not settings or any(len(seeds) > 1 for seeds in settings.values()):
        return ""
    return (
        "Each setting was trained with one seed: the intervals hold the chance of the cases, not that of the training."
    )


def _thresholds(report: Report) -> str:
    runs = [run for run in report.runs if run.has_mark(Mark.THRESHOLD)]
    if not runs:
        return ""
    return f"Nobody has chosen a threshold on validation cases for {_names(runs)}: P(abnormal) of 0.5 decides there."


def _sample(report: Report) -> str:
    if not report.method.case_limit:
        return ""
    return f"Only a sample of at most {report.method.case_limit:,} cases of the split was measured."


def _near_duplicates(report: Report) -> str:
    """What leaked; and where the check was not done since the images were imported, that more may have."""
    leaked = [run for run in report.runs if run.has_mark(Mark.LEAK)]
    sentences = []
    if leaked:
        sentences.append(
            f"Images of the {report.group.split} split have near-duplicates in the training split of {_names(leaked)}."
        )
    if not report.data.checked and report.data.kind != "phantoms":
        sentences.append(
            f"Whether {'more of ' if leaked else ''}these images have near-duplicates in the training split is not "
            "known: the check of all images was not done, or it is outdated."
        )
    return " ".join(sentences)


def _patients(report: Report) -> str:
    if report.data.kind == "phantoms":
        return ""
    return (
        "The data hold no patient identifiers: frames of one examination may stand in training and in what is measured."
    )


def _missing(report: Report) -> str:
    there = {subject.reference for subject in report.references}
    missing = [
        words
        for reference, words in (
            (Reference.MAJORITY, "the majority class"),
            (Reference.MAJORITY_BY_VIEW, "the majority of each view"),
            (Reference.BASE, "the untuned base"),
        )
        if reference not in there
    ]
    without = [run for run in report.runs if run.grey_evaluation is None]
    sentences = [f"No row is there for {listed(missing)}."] if missing else []
    if without:
        sentences.append(f"Whether it looks at the image was not tested for {_names(without)}.")
    return " ".join(sentences)


def _machines(report: Report) -> str:
    stacks = {
        (run.setup.backend, run.setup.quantization)
        for run in report.runs
        if run.setup is not None and run.setup.backend
    }
    if len(stacks) < 2:
        return ""
    return "The runs were trained with different backends or precisions: a difference between them may be one of those."


def _imported(report: Report) -> str:
    runs = [run for run in report.runs if run.setup is not None and run.setup.kind == IMPORTED]
    if not runs:
        return ""
    return f"The answers of {_names(runs)} come from another tool: prompt, decoding and training could not be checked."


def _other_data(report: Report) -> str:
    """Trained on other data than those that the page describes: then images measured may have been trained on."""
    runs = [
        run
        for run in report.runs
        if run.setup is not None
        and run.setup.kind != IMPORTED
        and report.data.split_fingerprint
        and run.setup.split_fingerprint != report.data.split_fingerprint
    ]
    if not runs:
        return ""
    return (
        f"{_names(runs)} learned from another split or another import of the data: images measured here may have been "
        "among those that were trained on."
    )


def _unfinished(report: Report) -> str:
    runs = [
        run
        for run in report.runs
        if run.setup is not None and run.setup.planned_steps and run.setup.steps < run.setup.planned_steps
    ]
    return f"Training was stopped before its end: {_names(runs)}." if runs else ""


def _names(runs: list[Subject]) -> str:
    return listed(subject_title(run) for run in runs)
