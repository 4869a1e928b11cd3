"""`sonotune launch`, `sonotune clone` and `sonotune evaluate`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from engine import api
from engine.cli.confirming import with_purpose
from engine.cli.console import output, print_json, say, shown
from engine.cli.following import say_if_paused, wait_for
from engine.cli.layers import Normalisation, layers_from
from engine.cli.options import LARGEST, AsJson, RunArgument, Wait, workspace_of
from engine.cli.preflight import warn_if_it_does_not_fit
from engine.errors import UsageError
from engine.questions.prompts import REPORT_ID
from engine.types import ENDED, QUESTION_IDS, JobKind, Split

Changes = Annotated[list[str] | None, typer.Option("--set", help="Change a key, as in training.seed=7.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would run, and stop.")]
Priority = Annotated[int, typer.Option(min=-LARGEST, max=LARGEST, help="Higher is dispatched first.")]
Purpose = Annotated[str, typer.Option("--test-purpose", help="Why the test split is looked at; it is recorded.")]
References = Annotated[bool, typer.Option(help="Also measure majority class and untuned model.")]


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.command()(launch)
    app.command()(clone)
    app.command()(evaluate)


def launch(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="A preset's name, or a TOML file.")],
    changes: Changes = None,
    wait: Wait = False,
    dry_run: DryRun = False,
    priority: Priority = 0,
    references: References = True,
    test_purpose: Purpose = "",
    as_json: AsJson = False,
) -> None:
    """Queue a training run with its evaluations, and start the worker."""
    workspace = workspace_of(context, create=not dry_run)
    loaded = api.load_recipe(api.find_recipe(recipe, workspace.root), changes or [])
    if dry_run:
        _print_plan(api.plan_launch(workspace, loaded), as_json)
    else:
        launched = with_purpose(
            lambda purpose: api.launch(
                workspace, loaded, priority=priority, references=references, test_purpose=purpose
            ),
            test_purpose,
        )
        warn_if_it_does_not_fit(workspace, loaded, recipe, changes or [])
        _tell(workspace, launched, wait, as_json)


def clone(
    context: typer.Context,
    run: RunArgument,
    changes: Changes = None,
    wait: Wait = False,
    dry_run: DryRun = False,
    priority: Priority = 0,
    references: References = True,
    test_purpose: Purpose = "",
    as_json: AsJson = False,
) -> None:
    """Launch the recipe of a run once more, with changes if need be (`--set name=...` names it)."""
    workspace = workspace_of(context)
    recipe = api.clone_recipe(workspace, run, changes or [])
    if dry_run:
        _print_plan(api.plan_launch(workspace, recipe), as_json)
    else:
        parent = api.run_details(workspace, run).run.id
        launched = with_purpose(
            lambda purpose: api.launch(
                workspace,
                recipe,
                priority=priority,
                references=references,
                parent_run_id=parent,
                test_purpose=purpose,
            ),
            test_purpose,
        )
        warn_if_it_does_not_fit(workspace, recipe, run, changes or [], "clone")
        _tell(workspace, launched, wait, as_json)


def _tell(workspace: api.Workspace, launched: api.Launched, wait: bool, as_json: bool) -> None:
    """Say what was queued, and see it to its end where that is wanted."""
    if as_json:
        print_json(asdict(launched))
    else:
        say(
            f"Run {launched.run_id} is queued. It goes on when this terminal closes; `sonotune show {launched.run_id}`."
        )
    if wait:
        jobs = [(JobKind.TRAINING, launched.run_id)]
        jobs += [(JobKind.EVALUATION, job) for job in (*launched.references, *launched.evaluations)]
        raise typer.Exit(0 if wait_for(workspace, jobs) else 1)
    say_if_paused(workspace)


def evaluate(
    context: typer.Context,
    run: RunArgument,
    split: Annotated[list[str] | None, typer.Option(help="validation or test; may be given twice.")] = None,
    question: Annotated[list[str] | None, typer.Option(help="Q1 to Q8 [default: those of the recipe].")] = None,
    normalisation: Normalisation = None,
    test_purpose: Purpose = "",
    wait: Wait = False,
    as_json: AsJson = False,
) -> None:
    """Queue an evaluation of a run; the test split brings the validation that its threshold comes from."""
    workspace = workspace_of(context)
    splits = [_choice(Split, each) for each in split or ["validation"]]
    unknown = [each for each in question or [] if each not in (*QUESTION_IDS, REPORT_ID)]
    if unknown:
        raise UsageError(f"There is no question {', '.join(unknown)}", next_step=f"Choose: {', '.join(QUESTION_IDS)}.")
    layers = layers_from(normalisation)
    run_id, evaluations = with_purpose(
        lambda purpose: api.evaluate_run(
            workspace, run, splits, question or [], test_purpose=purpose, normalisation=layers
        ),
        test_purpose,
    )
    if as_json:
        print_json({"run_id": run_id, "evaluations": evaluations})
    else:
        say(f"Evaluations queued: {len(evaluations)}." if evaluations else "All of that is measured, or on its way.")
    if wait and evaluations:
        jobs = [(JobKind.EVALUATION, job) for job in evaluations]
        if api.run_details(workspace, run_id).run.state not in ENDED:
            jobs.insert(0, (JobKind.TRAINING, run_id))  # should it fail, its evaluations would be waited for in vain
        raise typer.Exit(0 if wait_for(workspace, jobs) else 1)
    if evaluations:
        say_if_paused(workspace)


def _choice(kind: type[Split], text: str) -> Split:
    if text not in (Split.VALIDATION, Split.TEST):
        raise UsageError(f"Nothing is evaluated on the split {text}", next_step="Choose: validation or test.")
    return kind(text)


def views_words(views: dict[str, int]) -> str:
    """Views with their samples in one line."""
    return f"{len(views)}: " + " · ".join(f"{view} {count:,}" for view, count in views.items())


def preflight_values(plan: api.LaunchPlan) -> dict[str, Any]:
    """Memory and layout of a plan, by name."""
    if plan.preflight is None:
        return {"memory": f"no preflight: {plan.preflight_problem}"}
    return {"memory": api.preflight_verdict(plan.preflight), "layout": api.layout_line(plan.preflight.layout)}


def _print_plan(plan: api.LaunchPlan, as_json: bool) -> None:
    values: dict[str, Any] = {
        "name": plan.recipe.name,
        "model": plan.model_source,
        "device": plan.device,
        "backend": plan.backend,
        "quantization": plan.quantization,
        "why": plan.reason,
        **preflight_values(plan),
        "training samples": plan.training_samples,
        **({"balance": plan.balance} if plan.balance else {}),
        "views": plan.training_views if as_json else views_words(plan.training_views),
        "optimizer steps": plan.steps,
        "images": plan.split_images if as_json else " · ".join(f"{k} {n:,}" for k, n in plan.split_images.items()),
        "evaluations": plan.evaluations,
    }
    if as_json:
        print_json({**values, "recipe": api.recipe_to_toml(plan.recipe)})
        return
    table = Table.grid(padding=(0, 2))
    for name, value in values.items():
        table.add_row(shown(name, "bold"), shown(value))
    output.print(table)
