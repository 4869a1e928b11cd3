"""`sonotune compare`: subjects on the same images; the verdict first, then what it rests on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.text import Text

from engine import api
from engine.cli.confirming import with_purpose
from engine.cli.console import RESEARCH_NOTE, new_table, output, print_json, say, shown
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.errors import UsageError
from engine.formatting import UNKNOWN, figure
from engine.questions.prompts import REPORT_ID
from engine.text import one_line
from engine.types import QUESTION_IDS, Split

PATH_CELLS, TEXT_CELLS = 26, 15
SHOWN_MEASURES = 5
"""Columns of figures that fit 80 cells beside the names of the subjects."""
STYLES = {"better": "bold green", "worse": "bold red", "not distinguishable": "bold", "not comparable": "yellow"}
HOW = (
    "Differences: subject minus baseline, with 95 % paired bootstrap intervals. The verdict takes the measure that was "
    "declared for the question (*): its interval must exclude 0 and p of the exact swap test, adjusted by Holm, must "
    "be below 0.05. All other figures stand beside it and decide nothing."
)


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(compare)


def compare(
    context: typer.Context,
    subjects: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C ...]",
            help="Runs by number or name, majority, majority_by_view, shuffled, base, base:MODEL or evaluation:ID; "
            "the first is what the others are held against.",
        ),
    ],
    question: Annotated[str | None, typer.Option(help="Q1 to Q8 or report [default: what all have].")] = None,
    split: Annotated[
        str | None, typer.Option(help="validation or test [default: validation, where all were measured on it].")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of a dataset.")] = None,
    common: Annotated[
        bool, typer.Option("--common", help="Where the images differ: compare those that all have.")
    ] = False,
    measure: Annotated[bool, typer.Option("--measure", help="Queue what is missing to have the same images.")] = False,
    test_purpose: Annotated[str, typer.Option(help="With --measure: why the test split is looked at.")] = "",
    limit: Annotated[int, typer.Option(min=0, max=LARGEST, help="Fixed and broken images to list.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Compare subjects on the same images: is one better, by how much, and on which images?

    "Not distinguishable" is an answer like any other: the exit code is 0.
    """
    part = _split(split)
    if question is not None and question not in (*QUESTION_IDS, REPORT_ID):
        raise UsageError(f"There is no question {question}", next_step=f"Choose: {', '.join(QUESTION_IDS)}.")
    workspace = workspace_of(context)
    if measure:
        _measure(workspace, subjects, question or "Q7", part or Split.VALIDATION, test_purpose, as_json)
        return
    found = api.compare(workspace, subjects, question=question, split=part, dataset=dataset, common=common)
    looks = api.looks_note(workspace, found.dataset, found.split)
    if as_json:
        print_json({**as_values(found), "test_looks": looks or None})
    else:
        _print(found, limit, looks)


def _split(text: str | None) -> Split | None:
    if text is not None and text not in tuple(Split):
        raise UsageError(f"There is no split {text}", next_step=f"Choose: {', '.join(Split)}.")
    return None if text is None else Split(text)


def _measure(
    workspace: api.Workspace, subjects: list[str], question: str, split: Split, purpose: str, as_json: bool
) -> None:
    queued = with_purpose(
        lambda word: api.measure_alike(workspace, subjects, question, split, test_purpose=word), purpose
    )
    if as_json:
        print_json({"evaluations": queued})
    elif queued:
        say(f"Evaluations queued: {len(queued)}. `sonotune compare` again once they have ended.")
    else:
        say("All of that is measured, or on its way.")


def as_values(found: api.Comparison) -> dict[str, Any]:
    """The comparison for JSON: fixed and broken images apart, and what it must not be used for."""
    values = asdict(found)
    for pair in values["pairs"]:
        changed = pair.pop("changed")
        pair["fixed"] = [case for case in changed if case["fixed"]]
        pair["broken"] = [case for case in changed if not case["fixed"]]
        pair["fixed_count"], pair["broken_count"] = len(pair["fixed"]), len(pair["broken"])
    return {**values, "note": RESEARCH_NOTE}


# ----- printing


def _print(found: api.Comparison, limit: int, looks: str) -> None:
    where = f"{found.question} on {found.split} of {found.dataset}"
    output.print(shown(f"{one_line(where)}: the same {found.n:,} images for all", "bold"))
    for pair in found.pairs:
        _say(one_line(api.verdict_line(found, pair)), STYLES[pair.standing])
    for note in found.notes:
        _say(f"! {note}", "yellow")
    if looks:
        name = one_line(found.dataset)
        _say(f"Test split of {name}: {looks}; `sonotune data looks {name}` says why.", "yellow")
    _print_figures(found)
    for pair in found.pairs:
        _print_pair(found, pair, limit)
    if found.others:
        _say(
            f"Also measured alike: {', '.join(' on '.join(each) for each in found.others)} (--question, --split).",
            "dim",
        )
    _say(f"Right: {found.decision}. {HOW} {RESEARCH_NOTE}", "dim")


def _say(text: str, style: str = "") -> None:
    output.print(shown(text, style))


def _print_figures(found: api.Comparison) -> None:
    names = api.compared_measures(found)[:SHOWN_MEASURES]
    table = new_table()
    table.add_column("subject", overflow="fold")
    for name in names:
        table.add_column(_head(name), justify="right")
    for place, subject in enumerate(found.subjects):
        marks = "".join(f"\n! {mark.kind}" for mark in subject.marks if mark.scope == "all")
        title = shown(one_line(subject.title)[:60], "bold" if subject.reference is None else "italic")
        title.append_text(shown(_about(found, subject, baseline=place == 0), "dim")).append_text(shown(marks, "yellow"))
        table.add_row(title, *(_figure(subject.score(name)) for name in names))
    output.print(table)


def _about(found: api.Comparison, subject: api.ComparedSubject, *, baseline: bool) -> str:
    threshold = "" if subject.threshold is None else f"\nP ≥ {subject.threshold:.3f}"
    by_text = all(pair.primary.startswith("text_") for pair in found.pairs)
    return ("\nbaseline" if baseline else "") + ("" if by_text else threshold)


def _head(name: str) -> Text:
    words = api.measure_words(name)
    return shown("\n".join(words.rsplit(" ", 1)) if len(words) > 10 else words)


def _figure(score: api.Score | None) -> Text:
    """A value, its interval and the cases behind it, one below the other."""
    if score is None or score.value is None:
        return shown(UNKNOWN, "dim")
    bounds = "" if score.low is None or score.high is None else f"\n{figure(score.low)}–{figure(score.high)}"
    return shown(figure(score.value)).append_text(shown(f"{bounds}\nn {score.n}", "dim"))


def _print_pair(found: api.Comparison, pair: api.ComparedPair, limit: int) -> None:
    baseline, subject = found.subjects[0], found.subjects[pair.subject]
    output.print(shown(f"{one_line(subject.title)} against {one_line(baseline.title)}", "bold"))
    if pair.differences:
        table = new_table(
            "measure", baseline.short, subject.short, "difference", "95 % interval", "n", right=range(1, 6)
        )
        for each in pair.differences:
            star = "*" if each.name == pair.primary else ""
            ends = f"{api.signed(each.low)} to {api.signed(each.high)}"
            cells = (figure(each.first), figure(each.second), api.signed(each.value), ends, str(each.n))
            table.add_row(shown(f"{api.measure_words(each.name)}{star}"), *cells)
        output.print(table)
    for line in api.pair_tests(pair):
        _say(line)
    _print_recipe(pair)
    _print_views(pair, baseline, subject)
    _print_changes("fixed", pair.fixed, limit)
    _print_changes("broken", pair.broken, limit)


def _print_recipe(pair: api.ComparedPair) -> None:
    if pair.recipe is None:
        _say(f"Recipes: {pair.recipe_note}", "dim")
        return
    _say("The recipes differ in:" if pair.recipe else "The recipes are the same.")
    for key, before, after in pair.recipe:
        _say(f"  {key}: {api.recipe_text(before)} → {api.recipe_text(after)}")


def _print_views(pair: api.ComparedPair, baseline: api.ComparedSubject, subject: api.ComparedSubject) -> None:
    heads = ("view", "n", f"{one_line(baseline.short)} right", f"{one_line(subject.short)} right", "fixed", "broken")
    table = new_table(*heads, right=range(1, len(heads)))
    for view in pair.views:
        counts = (view.n, view.right_before, view.right_after, view.fixed, view.broken)
        table.add_row(shown(one_line(view.view)[:28]), *map(str, counts))
    if table.row_count:
        output.print(table)


def _print_changes(word: str, cases: tuple[api.ChangedCase, ...], limit: int) -> None:
    """The first images that changed: what each subject said, and its P(abnormal) below."""
    if not cases or not limit:
        return
    count = f"first {limit} of {len(cases)}" if len(cases) > limit else str(len(cases))
    output.print(shown(f"{word}: {count}", "bold"))
    table = new_table("image", "target", "baseline said", "subject said")
    table.columns[0].overflow = "fold"
    for case in cases[:limit]:
        table.add_row(
            shown(_short(case.path, PATH_CELLS, end=True)),
            shown(_short(case.target, TEXT_CELLS)),
            _answer(case.before),
            _answer(case.after),
        )
    output.print(table)


def _answer(answer: api.ComparedAnswer) -> Text:
    said = shown(_short(answer.output, TEXT_CELLS) if answer.output.strip() else "(nothing)")
    facts = [] if answer.p_abnormal is None else [f"P {figure(answer.p_abnormal)}"]
    facts += [] if answer.outcome in ("right", "wrong") else [answer.outcome]
    return said.append_text(shown(f"\n{', '.join(facts)}", "dim")) if facts else said


def _short(text: str, cells: int, *, end: bool = False) -> str:
    """At most so many characters of a text; with `end` its end is kept, where paths differ."""
    line = one_line(text)
    if len(line) <= cells:
        return line
    return f"…{line[1 - cells :]}" if end else f"{line[: cells - 1]}…"
