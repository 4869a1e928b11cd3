"""How the runs came about: common settings, what differs, seeds, versions, machines."""

from __future__ import annotations

from collections.abc import Sequence

from engine.formatting import UNKNOWN, number
from engine.reporting.document.blocks import Block, Heading, Paragraph, Row, Table
from engine.reporting.model import Report
from engine.reporting.names import listed, subject_title
from engine.reporting.prose.methods import libraries
from engine.reporting.prose.settings import common_settings, differing_settings, trained, training_sentences
from engine.reporting.subject import Setup, Subject
from engine.text import one_line

REVISION = 12
"""Characters of a git revision where people read it; the JSON has all of it."""


def training_blocks(report: Report) -> list[Block]:
    """The section on training; nothing where no run was reported."""
    if not report.runs:
        return []
    runs = trained(report)
    blocks: list[Block] = [Heading(3, "Training")]
    unknown = [run for run in report.runs if run not in runs]
    if runs:
        who = "The run was" if len(runs) == 1 else f"The {len(runs)} runs were"
        models = listed(dict.fromkeys(one_line(run.model) for run in runs))
        sentences = [f"{who} tuned from {models}.", *training_sentences(common_settings(runs))]
        blocks.append(Paragraph([" ".join(sentences)]))
    differing = differing_settings(runs)
    if differing:
        heads = ["setting", *(subject_title(run) for run in runs)]
        words = tuple(range(1, len(heads)))
        blocks.append(Table("What differs between the runs.", heads, [Row([key, *v]) for key, v in differing], words))
    if unknown:
        names = listed(subject_title(run) for run in unknown)
        blocks.append(Paragraph([f"How these came about is not recorded here, only what they answered: {names}."]))
    if runs:
        blocks += [_table(runs), *_versions(runs)]
    return blocks


def _table(runs: Sequence[Subject]) -> Table:
    heads = [
        "run",
        "base model",
        "seed",
        "steps",
        "precision",
        "backend",
        "trained parameters",
        "final loss",
        "GPU",
        "code",
    ]
    rows = [Row(_cells(run, run.setup)) for run in runs if run.setup is not None]
    caption = "The runs: base, seed, optimiser steps, precision of the frozen base, hardware and revision of the code."
    return Table(caption, heads, rows, words=(1, 4, 5, 8, 9))


def _cells(run: Subject, setup: Setup) -> list[str]:
    share = ""
    if setup.trained_parameters and setup.total_parameters:
        share = f" ({100 * setup.trained_parameters / setup.total_parameters:.2g} %)"
    trained_parameters = UNKNOWN if setup.trained_parameters is None else f"{setup.trained_parameters:,}{share}"
    return [
        subject_title(run),
        one_line(run.model),
        str(setup.seed),
        f"{setup.steps:,}",
        one_line(setup.quantization or UNKNOWN),
        one_line(setup.backend or UNKNOWN),
        trained_parameters,
        number(setup.final_loss),
        one_line(setup.gpu or "none"),
        _revision(setup.git_revision),
    ]


def _revision(revision: str | None) -> str:
    if not revision:
        return UNKNOWN
    commit, plus, changes = one_line(revision).partition("+")
    return commit[:REVISION] + plus + changes


def _versions(runs: Sequence[Subject]) -> list[Block]:
    """One sentence where all runs had the same libraries, one for each set otherwise."""
    sets: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run in runs:
        if run.setup is not None and run.setup.versions:
            sets.setdefault(tuple(sorted(run.setup.versions.items())), []).append(subject_title(run))
    if len(sets) == 1:
        return [Paragraph([f"Versions: {libraries(dict(next(iter(sets))))}."])]
    return [Paragraph([f"Versions of {listed(names)}: {libraries(dict(found))}."]) for found, names in sets.items()]
