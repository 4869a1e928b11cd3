"""How much depends on the wording of a question: agreement, form, accuracy; of trained arms and the untuned model."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import DataError
from engine.questions.prompts import REPORT_ID
from engine.questions.vocabulary import NORMALITY
from engine.recipe import Recipe, recipe_values
from engine.scoring.figure_values import FIGURES
from engine.scoring.wordings import Estimate as Agreed
from engine.scoring.wordings import WordingAgreement, agreement, format_compliance
from engine.study.analysis.deciding import deciding_figure
from engine.study.analysis.figures import arm_figure, counts_of
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.shares import RATES, mean_over_seeds, outcome_share, unclear_share
from engine.study.analysis.subjects import SeedRow, Subject
from engine.study.analysis.words import estimate_words, named
from engine.study.results import Estimate, Point, Series, StudyChart, StudyTable
from engine.text import one_line

HEADS_AGREEMENT = ("question", "subject", "wordings", "n", "all agree", "kappa", "least agreement of two")
NOTE_AGREEMENT = (
    "Share of images with the same reading under all wordings, and Fleiss' kappa, which takes off what chance would "
    "give. A model that says the same of every image agrees with itself: read it beside accuracy."
)
NOTE_WORDINGS = (
    "By the text of the answer. An answer is in form where it has the form that its wording asks for; where the "
    "wording asks for none, where it can be read whole."
)

WORDING = ("data.prompt", "data.prompt_text", "training.seed")
"""Keys in which arms of one group may differ."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Arms of one question that differ in its wording alone."""

    question: str
    title: str
    """`trained`, `untuned`; with the first arm where there are several such groups."""
    untuned: bool
    subjects: tuple[tuple[str, Subject], ...]
    """Name of the wording, no two alike, and arm."""


def wordings_part(material: Material) -> PartResult:
    """Every question that was measured under several wordings."""
    groups = [group for question in material.questions for group in _groups(material, question)]
    if not groups:
        return PartResult()
    agreements = [row for group in groups for row in _agreement_rows(material, group)]
    tables = [_wordings_table(material, question, groups) for question in dict.fromkeys(g.question for g in groups)]
    if agreements:
        heads, words = HEADS_AGREEMENT, (1, 2, 6)
        title = "Agreement between wordings"
        tables.append(StudyTable("wordings-agreement", title, NOTE_AGREEMENT, heads, tuple(agreements), words))
    return PartResult(tuple(tables), tuple(_chart(material, group) for group in groups))


def _groups(material: Material, question: str) -> list[_Group]:
    """Trained arms, and untuned ones, under at least two wordings."""
    members: dict[tuple[bool, str], dict[tuple[str, str, int], Subject]] = defaultdict(dict)
    for subject in material.arms(material.target(question)):
        if (recipe := subject.recipe) is not None:
            untuned = material.cells[subject.name][0].cell.untuned
            wording = recipe.data.prompt, recipe.data.prompt_text, 0 if untuned else recipe.training.seed
            members[untuned, _all_but_wording(recipe, untuned)][wording] = subject
    several = [
        (untuned, _wording_names(each))
        for (untuned, _), each in members.items()
        if len({(prompt, text) for prompt, text, _ in each}) > 1
    ]
    kinds = Counter(untuned for untuned, _ in several)
    groups = []
    for untuned, subjects in several:
        title = "untuned" if untuned else "trained"
        title += f" ({subjects[0][1].name})" if kinds[untuned] > 1 else ""
        groups.append(_Group(question, title, untuned, subjects))
    return groups


def _wording_names(subjects: Mapping[tuple[str, str, int], Subject]) -> tuple[tuple[str, Subject], ...]:
    """Arms by their wording, or by their own name where several have a wording of one name."""
    prompts = Counter(prompt for prompt, _, _ in subjects)
    names = [subject.name if prompts[prompt] > 1 else prompt for (prompt, _, _), subject in subjects.items()]
    if len(set(names)) < len(names):  # an arm bears the name of the wording of another
        names = [subject.name for subject in subjects.values()]
    return tuple(zip(names, subjects.values(), strict=True))


def _all_but_wording(recipe: Recipe, untuned: bool) -> str:
    """What else tells two arms apart; of an untuned model that is the model."""
    parts = ("model.",) if untuned else ("data.", "model.", "lora.", "training.")
    kept = {key: value for key, value in recipe_values(recipe).items() if key.startswith(parts) and key not in WORDING}
    return json.dumps(kept, sort_keys=True)


def _wordings_table(material: Material, question: str, groups: list[_Group]) -> StudyTable:
    figure = deciding_figure(material.scaled, question)
    text = _text_figure(question)
    figures = tuple(dict.fromkeys((text, figure)))
    unclear = () if question == REPORT_ID else ("unclear",)
    heads = ("arm", "wording", "subject", "seeds", "n", *map(named, figures), "in form", *unclear, *RATES)
    rows = []
    for group in groups:
        if group.question != question:
            continue
        for wording, subject in group.subjects:
            estimates = [arm_figure(material, subject, each).estimate for each in figures]
            estimates.append(_in_form(material, subject))
            estimates += [unclear_share(material, subject)] if unclear else []
            estimates += [outcome_share(material, subject, outcome) for outcome in RATES.values()]
            counts = str(len(subject.seeds)), f"{counts_of(material, subject)[0]:,}"
            rows.append((subject.name, wording, group.title, *counts, *map(estimate_words, estimates)))
    name, title = f"wordings-{question}", f"{question} by wording"
    return StudyTable(name, title, NOTE_WORDINGS, heads, tuple(rows), words=(1, 2))


def _text_figure(question: str) -> str:
    """Accuracy of what is said, whatever a threshold makes of it."""
    return (
        "text_accuracy"
        if question == NORMALITY
        else "accuracy"
        if "accuracy" in FIGURES[question]
        else FIGURES[question][0]
    )


def _in_form(material: Material, subject: Subject) -> Estimate:
    """Share of outputs in the form asked for: that of the one seed with Wilson's interval, else resampled images."""
    wording = "" if subject.recipe is None else subject.recipe.data.prompt
    rows = []
    for each in subject.seeds:
        predictions = material.predictions(each.row)
        if len(subject.seeds) == 1:
            found = format_compliance(
                subject.question,
                wording,
                [prediction.raw_output for prediction in predictions],
                cut_off=[prediction.cut_off for prediction in predictions],
            )
            return Estimate(found.value, found.low, found.high, found.n)
        rows.append(
            [
                format_compliance(subject.question, wording, [each.raw_output], cut_off=[each.cut_off]).value or 0.0
                for each in predictions
            ]
        )
    return mean_over_seeds(material, rows)


def _agreement_rows(material: Material, group: _Group) -> list[tuple[str, ...]]:
    """A row for each seed that every wording has: none is picked. Reports have no single reading."""
    if group.question == REPORT_ID:
        return []
    by_seed = {wording: _by_seed(subject, group.untuned) for wording, subject in group.subjects}
    shared = sorted(set.intersection(*map(set, by_seed.values())))
    if not shared:
        names = ", ".join(one_line(wording) for wording in by_seed)
        material.warnings[f"Agreement of wordings, {group.question}: {names} have no measured seed in common."] = None
    rows: list[tuple[str, ...]] = []
    for seed in shared:
        cases = {wording: material.cases(found[seed].row) for wording, found in by_seed.items()}
        try:
            found = agreement(cases)
        except DataError as error:
            material.warnings[f"Agreement of wordings, {group.question}: {error.title}. {error.reason}"] = None
            continue
        title = group.title if group.untuned or material.scaled.seeds == 1 else f"{group.title}, seed {seed}"
        rows.append((group.question, title, ", ".join(found.wordings), *_agreed(found)))
    return rows


def _by_seed(subject: Subject, untuned: bool) -> dict[int, SeedRow]:
    """What was measured by its seed; that of an untuned model says nothing."""
    return {0 if untuned else each.seed: each for each in subject.seeds}


def _agreed(found: WordingAgreement) -> tuple[str, str, str, str]:
    least = min(found.pairs, key=lambda pair: pair.share.value if pair.share.value is not None else 1.0)
    return (
        f"{found.unanimous.n:,}",
        _words(found.unanimous),
        _words(found.kappa),
        f"{one_line(least.first)}, {one_line(least.second)}: {_words(least.share)}",
    )


def _words(found: Agreed) -> str:
    return estimate_words(Estimate(found.value, found.low, found.high, found.n))


def _chart(material: Material, group: _Group) -> StudyChart:
    figure = _text_figure(group.question)
    series = tuple(
        Series(wording, (Point(wording, arm_figure(material, subject, figure).estimate),))
        for wording, subject in group.subjects
    )
    title = f"{group.question} by wording, {group.title}"
    return StudyChart(
        f"wordings-{group.question}-{group.title}", title, "intervals", "", figure, series, panel="wordings"
    )
