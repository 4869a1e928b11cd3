"""Studies as text: the board, one study with its arms, a plan, figures and answers."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.text import Text

from engine import api
from engine.cli.console import RESEARCH_NOTE, new_table, output, say, shown
from engine.formatting import figure

STAGE_STYLES = {
    "done": "bold", "running": "green", "measuring": "green", "queued": "cyan", "missing": "dim", "failed": "red",
    "interrupted": "yellow",
}  # fmt: skip
ANSWER_STYLES = {
    "yes": "green", "better": "green", "no": "red", "worse": "red", "cannot be decided": "yellow", "waiting": "dim",
}  # fmt: skip


def print_list(listed: Sequence[api.ListedStudy]) -> None:
    """All studies, a row each, then the files that cannot be used."""
    table = new_table("study", "title", "scale", "runs", "answer so far")
    for each in listed:
        if each.state is not None:
            state = each.state
            table.add_row(
                shown(state.name, "bold"), shown(api.one_line(state.title)), shown(state.scale), _counts(state),
                _answers_so_far(each),
            )  # fmt: skip
    output.print(table)
    for each in listed:
        for problem in each.problems:
            say(f"{api.one_line(each.path.name)}: {api.one_line(problem)}", "yellow")
    output.print(shown("sonotune study show NAME · study launch NAME --wait · study report NAME", "dim"))


def _counts(state: api.StudyState) -> Text:
    """`3 of 5 done, 1 running`."""
    counts = {str(stage): count for stage, count in state.counts.items() if count}
    text = shown(f"{counts.pop('done', 0)} of {len(state.cells)} done", "bold" if state.complete else "")
    for stage, count in counts.items():
        text.append(", ").append(f"{count} {stage}", style=STAGE_STYLES[stage])
    if state.cells_done and not state.complete:
        text.append(f", {state.references_done} of {state.references} reference rows", style="yellow")
    return text


def _answers_so_far(listed: api.ListedStudy) -> Text:
    if listed.result is None:
        measured = listed.state is not None and any(cell.targets_done for cell in listed.state.cells)
        return shown(f"`study show {listed.name}` works it out" if measured else "–", "dim")
    lines = api.summaries(listed.result)
    if not lines:
        return shown("–", "dim")
    more = f" (+{len(lines) - 1} more)" if len(lines) > 1 else ""
    return shown(f"{'' if listed.result.complete else 'so far: '}{lines[0]}{more}")


def print_study(listed: api.ListedStudy, state: api.StudyState) -> None:
    """What a study asks and by which rule, and how far its cells are."""
    output.print(shown(api.one_line(f"{state.title} ({state.name})"), "bold"))
    output.print(shown(api.one_line(state.question)))
    output.print(shown(f"scale {state.scale}, {state.scale_reason}; scales: {', '.join(state.scales)}", "dim"))
    output.print(shown(api.one_line(state.machine), "dim"))
    if state.note:
        output.print(shown(api.one_line(state.note), "dim"))
    output.print(shown(f"decided on the {state.split} split of {api.one_line(state.dataset)}", "dim"))
    varies = ", ".join(listed.varies) or "nothing"
    output.print(shown(f"arms differ in: {api.one_line(varies)}", "dim"))
    for rule in listed.rules:
        output.print(shown(f"· {api.one_line(rule)}"))
    print_warnings(state.warnings)
    if state.dataset_problem:
        drawn = "; a launch draws it" if state.can_draw else ""
        output.print(shown(f"{state.dataset_problem}{drawn}", "yellow"))
    _print_cells(state)
    if state.left_out:
        output.print(shown(f"optional, left out: {api.one_line(', '.join(state.left_out))} (--arm NAME)", "dim"))
    if state.added:
        output.print(shown(f"added since the first launch: {api.one_line(', '.join(state.added))}", "dim"))


def print_warnings(warnings: Sequence[str]) -> None:
    """What must be known before believing an answer."""
    for warning in warnings:
        output.print(shown(f"! {api.one_line(warning)}", "bold yellow"))


def _print_cells(state: api.StudyState) -> None:
    table = new_table("arm", "seed", "changes", "state", "run", "measured", right=(1, 4, 5))
    for cell in state.cells:
        changes = ", ".join(f"{key}={_value(value)}" for key, value in cell.changes.items())
        stage = shown(cell.stage, STAGE_STYLES[cell.stage])
        if cell.progress is not None:
            stage.append(f" {cell.progress:.0%}")
        if cell.trouble:
            stage.append_text(shown(f"\n{api.one_line(cell.trouble)}", "dim"))
        table.add_row(
            shown(api.one_line(cell.arm), "bold"), shown("–" if cell.untuned else cell.seed), shown(changes or "–"),
            stage, shown("untuned" if cell.untuned else cell.run_id or "–"),
            shown(f"{cell.targets_done}/{cell.targets}"),
        )  # fmt: skip
    output.print(table)


def _value(value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else api.one_line(value)
    return text if len(text) <= 40 else text[:39] + "…"


def print_plan(plan: api.StudyPlan) -> None:
    """What a launch would do, a row a cell, and what is missing for it."""
    state = plan.state
    output.print(shown(api.one_line(f"{state.title} at scale {state.scale} ({state.scale_reason})"), "bold"))
    for line in dict.fromkeys(_place(cell) for cell in plan.cells):
        output.print(shown(line, "dim"))
    table = new_table("arm", "seed", "what", "model", "samples", "steps", "to measure", right=(1, 4, 5))
    for column in table.columns:
        column.overflow = "fold"
    for cell in plan.cells:
        table.add_row(
            shown(api.one_line(cell.arm), "bold"),
            shown("–" if cell.action == "untuned" else cell.seed),
            shown(cell.action),
            shown(api.one_line(cell.model)).append("" if cell.model_here else "\nnot here", style="yellow"),
            shown("–" if cell.samples is None else f"{cell.samples:,}"),
            shown("–" if cell.steps is None else f"{cell.steps:,}"),
            shown(_measurements(cell)),
        )
    output.print(table)
    for note in dict.fromkeys(note for cell in plan.cells for note in cell.notes):
        output.print(shown(f"· {api.one_line(note)}", "dim"), soft_wrap=True)
    for need in plan.needs:
        output.print(shown(f"! {api.one_line(need)}", "bold yellow"), soft_wrap=True)
    if plan.needs:
        output.print(shown("It cannot be launched here until that is mended."))
    if state.left_out:
        output.print(shown(f"optional, left out: {api.one_line(', '.join(state.left_out))} (--arm NAME)", "dim"))
    print_warnings(state.warnings)


def _place(cell: api.PlannedCell) -> str:
    how = f"{cell.backend}, quantization {cell.quantization}" if cell.backend else "cannot run here"
    return api.one_line(f"on {cell.device}: {how}" + (f" ({cell.reason})" if cell.reason else ""))


def _measurements(cell: api.PlannedCell) -> str:
    """What would be measured, by split: `Q1 Q2 Q3 on validation, 15 degraded`."""
    clean: dict[str, list[str]] = {}
    degraded = 0
    for words in cell.measure:
        question, _, rest = words.partition(" on ")
        if ", " in rest:
            degraded += 1
        else:
            clean.setdefault(rest, []).append(question)
    parts = [f"{' '.join(questions)} on {split}" for split, questions in clean.items()]
    parts += [f"{degraded} degraded"] if degraded else []
    return ", ".join(parts) or f"nothing: all {cell.measured} are there"


def print_figures(result: api.StudyResult) -> None:
    """The deciding figure of every arm and reference row, question by question."""
    print_warnings(result.warnings)
    if not result.figures:
        return
    table = new_table("arm", "question", "figure", "value", "95 % interval", "n", "seeds", "know first", right=(3, 5))
    for each in result.figures:
        value = each.estimate
        interval = "–" if value.low is None or value.high is None else f"{figure(value.low)}–{figure(value.high)}"
        spread = "" if each.spread is None else f" (sd {figure(each.spread)})"
        table.add_row(
            shown(api.one_line(each.arm), "italic" if each.reference else "bold"), shown(each.question),
            shown(each.figure), shown("–" if value.value is None else figure(value.value)), shown(interval),
            shown(value.n), shown("–" if each.reference or each.untuned else f"{len(each.seeds)}{spread}"),
            shown(api.one_line(", ".join(each.marks)), "yellow"),
        )  # fmt: skip
    output.print(table)


def print_answers(result: api.StudyResult) -> None:
    """The answers; of an unfinished study marked as such."""
    if not result.complete:
        output.print(shown(f"Unfinished: {len(result.missing)} parts are missing, so answers are of now.", "yellow"))
        for missing in result.missing[:5]:
            output.print(shown(f"  {api.one_line(missing)}", "dim"))
        if len(result.missing) > 5:
            output.print(shown(f"  and {len(result.missing) - 5} more", "dim"))
    for ask, answers in api.by_ask(result.answers).items():
        output.print(shown(api.one_line(ask), "bold"))
        for answer in answers:
            output.print(Padding(_answer(answer), (0, 0, 0, 2), expand=False))
    output.print(shown(f"Intervals: 95 %. {RESEARCH_NOTE}", "dim"))


def _answer(answer: api.Answer) -> Text:
    """The word of an answer, and the sentence that it stands on; a word with which that begins is not said twice."""
    word, sentence = api.answer_word(answer), api.one_line(answer.sentence)
    text = shown(sentence if sentence.lower().startswith(word) else f"{word}: {sentence}")
    text.stylize(ANSWER_STYLES.get(word, ""), 0, len(word))
    return text
