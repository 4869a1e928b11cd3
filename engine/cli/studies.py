"""`sonotune study`: experiments of several runs that answer a question together."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from engine import api
from engine.cli.console import RESEARCH_NOTE, output, print_json, progress_bar, say, shown
from engine.cli.following import say_if_paused
from engine.cli.options import LARGEST, AsJson, Wait, workspace_of
from engine.cli.studies_following import wait_for_study
from engine.cli.studies_text import print_answers, print_figures, print_list, print_plan, print_study
from engine.errors import DataError

StudyName = Annotated[str, typer.Argument(metavar="NAME", help="Name of a study, or a TOML file.")]
Scale = Annotated[str | None, typer.Option(help="demo, full ... [default: full with an NVIDIA GPU, else demo].")]


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    group = typer.Typer(
        help="Experiments of several runs that answer a question.", no_args_is_help=True, rich_markup_mode=None
    )
    group.callback()(_study)
    group.command("list")(list_studies)
    group.command()(show)
    group.command()(launch)
    group.command()(report)
    app.add_typer(group, name="study")


def _study() -> None:
    """A study is a file: a base recipe, arms that differ in declared keys, and the rule that decides.

    To write your own, copy one of assets/studies into assets/studies of your workspace and change it.
    """


def list_studies(context: typer.Context, scale: Scale = None, as_json: AsJson = False) -> None:
    """List all studies: how far each is, and what is answered so far."""
    listed = api.study_list(workspace_of(context), scale)
    if as_json:
        print_json([_listed_json(each) for each in listed])
    else:
        print_list(listed)


def show(context: typer.Context, name: StudyName, scale: Scale = None, as_json: AsJson = False) -> None:
    """Show a study: its question, its arms, how far each is, and the answers."""
    workspace = workspace_of(context)
    listed = api.listed_study(workspace, name, scale)
    assert listed.state is not None  # noqa: S101 - a file that cannot be used has raised
    begun = any(cell.targets_done for cell in listed.state.cells)
    result: api.StudyResult | None = None
    trouble: api.SonotuneError | None = None
    try:
        result = api.study_result(workspace, name, scale) if begun else None
    except api.SonotuneError as error:
        trouble = error  # said once the state is shown: how far a study is does not depend on its answers
    if as_json:
        print_json({**_listed_json(listed), "result": None if result is None else asdict(result)})
    else:
        print_study(listed, listed.state)
        if result is not None:
            print_figures(result)
            print_answers(result)
        _next_step(listed.state)
    if trouble is not None:
        raise trouble


def launch(
    context: typer.Context,
    name: StudyName,
    scale: Scale = None,
    arm: Annotated[list[str] | None, typer.Option(help="Only this arm; needed for optional ones. Repeatable.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, max=50, help="Seeds of each arm; more extend the study.")] = None,
    priority: Annotated[int, typer.Option(min=-LARGEST, max=LARGEST, help="Higher is dispatched first.")] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run and where, and stop.")] = False,
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue all that is missing of a study; runs that are done already are reused."""
    workspace = workspace_of(context, create=not dry_run)
    arms = arm or []
    if dry_run:
        plan = api.plan_study(workspace, name, scale=scale, arms=arms, seeds=seeds)
        if as_json:
            print_json({**asdict(plan), "needs": plan.needs})
        else:
            print_plan(plan)
        return
    with progress_bar("Drawing phantoms") as progress:
        launched = api.launch_study(
            workspace, name, scale=scale, arms=arms, seeds=seeds, priority=priority, progress=progress
        )
    if as_json:
        print_json(asdict(launched))
    else:
        _tell(launched, wait)
    if wait:
        raise typer.Exit(_wait(workspace, name, launched.scale, _Part(tuple(arms), seeds), quiet=as_json))
    say_if_paused(workspace)


def report(
    context: typer.Context,
    name: StudyName,
    scale: Scale = None,
    output_folder: Annotated[
        Path | None, typer.Option("--output", help="Folder to write to [default: reports/study-NAME-SCALE].")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also beside files of others, or over a report that was changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the report of a study, finished or not: HTML, Markdown, CSV, JSON and plots."""
    workspace = workspace_of(context)
    result = api.study_result(workspace, name, scale)
    exported = _export(workspace, name, result, output_folder, replace=replace)
    if as_json:
        print_json({**_paths(asdict(exported)), "complete": result.complete, "note": RESEARCH_NOTE})
        return
    for warning in result.warnings:
        output.print(shown(f"! {api.one_line(warning)}", "bold"))
    output.print(shown(api.one_line(exported.title), "bold"))
    output.print(shown(exported.html), soft_wrap=True)
    say(RESEARCH_NOTE)


def _export(
    workspace: api.Workspace, name: str, result: api.StudyResult, folder: Path | None = None, *, replace: bool = False
) -> api.ExportedStudy:
    definition = api.study_definition(workspace, name, result.scale)
    return api.export_study(workspace, result, folder, definition=definition, replace=replace)


@dataclass(frozen=True, slots=True)
class _Part:
    """What of a study was launched: only some arms, or fewer seeds than it has; all where nothing is named."""

    arms: tuple[str, ...]
    seeds: int | None

    def is_done(self, state: api.StudyState, result: api.StudyResult) -> bool:
        """Whether all of it is done. Of a part no answer is asked, so what only an answer lacks does not count."""
        numbers: Counter[str] = Counter()
        cells = []
        for cell in state.cells:
            numbers[cell.arm] += 1
            cells += [cell] if self.seeds is None or numbers[cell.arm] <= self.seeds else []
        cells = [cell for cell in cells if not self.arms or cell.arm in self.arms]
        if len(cells) == len(state.cells):
            return state.complete and result.complete
        references = state.references_done == state.references
        return references and all(cell.stage == api.Stage.DONE for cell in cells)


def _wait(workspace: api.Workspace, name: str, scale: str, part: _Part, *, quiet: bool) -> int:
    """See a study to its end, say what it has found, and write its report; the exit code.

    0 only where all that was launched is done: a reference row that failed leaves a question without an answer.
    """
    state = wait_for_study(workspace, name, scale)
    result = api.study_result(workspace, name, scale)
    if not quiet:
        print_figures(result)
        print_answers(result)
    _write_report(workspace, name, result)
    if part.is_done(state, result):
        return 0
    for cell in state.cells:
        if cell.trouble:
            say(f"{api.one_line(cell.name)}: {cell.stage}, {api.one_line(cell.trouble)}", "bold red")
    for missing in result.missing:
        say(f"missing: {api.one_line(missing)}", "yellow")
    if state.references_done < state.references:
        say(f"Reference rows: {state.references_done} of {state.references} are measured.", "yellow")
    say(f"Not all of it is done. `sonotune study launch {name} --scale {scale} --wait` goes on with what is missing.")
    return 1


def _write_report(workspace: api.Workspace, name: str, result: api.StudyResult) -> None:
    """Into the usual folder. One that somebody has edited is left alone: the study has not failed for that."""
    try:
        say(f"Report: {_export(workspace, name, result).html}")
    except DataError as error:
        say(f"The report was not written. {api.one_line(error.title)}: {api.one_line(error.reason)}", "bold yellow")
        command = f"sonotune study report {name} --scale {result.scale}"
        say(f"`{command} --output FOLDER` writes it elsewhere, `{command} --replace` over what is there.")


def _tell(launched: api.StudyLaunched, wait: bool) -> None:
    say(f"{api.one_line(launched.title)} at scale {launched.scale} ({launched.scale_reason})", "bold")
    parts = [
        (launched.queued, "to train"),
        (launched.resumed, "to go on"),
        (launched.waiting, "on their way already"),
        (launched.reused, "reused"),
    ]
    runs = ", ".join(f"{len(ids)} {words}" for ids, words in parts if ids) or "none"
    say(f"Runs: {runs}. Measurements queued: {len(launched.evaluations)}, reference rows: {len(launched.references)}.")
    if launched.looks_before is not None:
        before = {0: "nobody has looked at before", 1: "was looked at once before"}.get(
            launched.looks_before, f"was looked at {launched.looks_before} times before"
        )
        say(f"It looks at the test split, which {before}; its question goes into the ledger.")
    for warning in launched.warnings:
        say(f"! {api.one_line(warning)}", "bold yellow")
    if launched.left_out:
        say(f"Left out unless named with --arm: {api.one_line(', '.join(launched.left_out))}.")
    if wait:
        return
    show = f"`sonotune study show {launched.study} --scale {launched.scale}`"
    if launched.anything or launched.waiting:
        say(f"It goes on when this terminal closes; {show}.")
    else:
        say(f"Nothing is missing. {show} has the answers.")


def _next_step(state: api.StudyState) -> None:
    if not state.complete and not state.working:
        say(f"`sonotune study launch {state.name} --scale {state.scale}` queues what is missing.")


def _listed_json(listed: api.ListedStudy) -> dict[str, Any]:
    return {**asdict(listed), "path": str(listed.path)}


def _paths(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: [str(each) for each in value] if isinstance(value, tuple) else str(value) for key, value in values.items()
    }
