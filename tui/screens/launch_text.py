"""What the panes of the launch screen say, as paragraphs."""

from __future__ import annotations

from collections.abc import Mapping

from engine import api
from tui.screens.launch_model import RecipeForm
from tui.text import counted
from tui.widgets.lines import Paragraph

NAME_CELLS = 13
MOST_VIEWS = 14
"""As many as the data has that this was made for."""


def facts(form: RecipeForm, preflight: api.Preflight | None = None) -> str:
    """Where the values came from, how many differ, how many are wrong: for the line of the breadcrumbs.

    What is known to fit, or not to, has no problems; that takes their place.
    """
    changed, wrong = len(form.changed_keys()), form.check.count
    parts = [form.source.title]
    if form.source.preset and form.source.parent_run_id is not None:
        parts.append(f"clone of run {form.source.parent_run_id}")
    parts += [f"{changed} differ{'s' if changed == 1 else ''}"] if changed else []
    verdict = "" if preflight is None else api.short_verdict(preflight)
    parts.append(verdict or counted(wrong, "problem", "no"))
    return " · ".join(parts)


def help_paragraphs(form: RecipeForm, key: str) -> list[Paragraph]:
    """What a field is for, what is wrong with it, what it may hold, what it was."""
    field = form.fields[key]
    paragraphs: list[Paragraph] = []
    problem = form.problems(key)
    if problem:
        paragraphs.append([("! ", "bad"), (problem, "bad")])
    paragraphs.append([(f"{key}  ", "accent"), (field.description, "text")])
    default = "none" if field.default is None else api.field_text(field.default) or "empty"
    before = [f"{form.source.short}: {form.base(key).text or 'empty'}"] if form.differs(key) else []
    paragraphs.append([("valid: ", "dim"), (" · ".join([field.valid, f"default: {default}", *before]), "text")])
    offers = form.offers.words_for(key, form.values())
    if offers:
        paragraphs.append([("known: ", "dim"), (" · ".join(offers), "text")])
    return paragraphs


def preset_paragraphs(preset: api.Preset) -> list[Paragraph]:
    """What a preset is for."""
    paragraphs: list[Paragraph] = [
        [(f"{api.one_line(preset.name)}  ", "accent"), (preset.words or "Says nothing about itself.", "text")]
    ]
    if preset.recipe is not None:
        questions = ", ".join(preset.recipe.data.questions)
        paragraphs.append([("asks: ", "dim"), (f"{questions} of {preset.recipe.data.dataset}", "text")])
        paragraphs.append([("model: ", "dim"), (preset.recipe.model.id, "text")])
    return [*paragraphs, [("file: ", "dim"), ("/".join(preset.path.parts[-3:]), "dim")]]


def plan_paragraphs(
    form: RecipeForm, plan: api.LaunchPlan | api.SonotuneError | None, *, asked: bool
) -> list[Paragraph]:
    """What a launch would do here, then what differs; `asked`: an answer for other values is on its way."""
    return [*_plan(form, plan, asked), [], *_difference(form)]


def _plan(form: RecipeForm, plan: api.LaunchPlan | api.SonotuneError | None, asked: bool) -> list[Paragraph]:
    if form.check.recipe is None:
        return [[("cannot be launched", "bad")], *_problems(form)]
    if plan is None:
        return [[("what would run", "header")], [("Looking at this machine and the dataset…", "dim")]]
    if isinstance(plan, api.SonotuneError):
        title: Paragraph = [("! ", "bad"), (plan.title, "bad")]
        reason: list[Paragraph] = [[("  ", "text"), (plan.reason, "text")]] if plan.reason else []
        step: list[Paragraph] = [[("→ ", "accent"), (plan.next_step, "text")]] if plan.next_step else []
        return [[("cannot run here", "bad"), (" (looking again…)" if asked else "", "dim")], title, *reason, *step]
    head: Paragraph = [("what would run", "header"), (" (looking again…)" if asked else "", "dim")]
    return [head, *(_fact(name, words) for name, words in plan_facts(plan))]


def plan_facts(plan: api.LaunchPlan) -> list[tuple[str, str]]:
    """The plan in words, by name."""
    training = plan.recipe.training
    at_once = training.batch * training.accumulation
    passes = plan.steps * at_once / plan.training_samples
    images = " · ".join(f"{split} {count:,}" for split, count in plan.split_images.items())
    return [
        ("device", plan.device),
        ("backend", plan.backend),
        ("quantization", plan.quantization),
        ("because", plan.reason),
        ("model", plan.recipe.model.id),
        ("images", images),
        ("training", f"{plan.training_samples:,} samples: {', '.join(plan.recipe.data.questions)}"),
        *([("balance", plan.balance)] if plan.balance else []),
        ("views", views_words(plan.training_views)),
        ("steps", f"{plan.steps:,} of {at_once} samples, {api.number(passes)} passes"),
        ("evaluations", "\n".join(plan.evaluations) or "none after the training"),
    ]


def views_words(views: Mapping[str, int]) -> str:
    """How many views are trained on, and how many samples each has: one view alone would stand out."""
    listed = " · ".join(f"{api.one_line(view)} {count:,}" for view, count in list(views.items())[:MOST_VIEWS])
    rest = f" · and {len(views) - MOST_VIEWS} more" if len(views) > MOST_VIEWS else ""
    return f"{len(views)}: {listed}{rest}"


def _fact(name: str, words: str) -> Paragraph:
    return [(f"  {name}".ljust(NAME_CELLS + 3), "dim"), (words, "text")]


def _problems(form: RecipeForm) -> list[Paragraph]:
    """Every problem once, with all the fields that it is about."""
    keys: dict[str, list[str]] = {}
    for key, problems in form.check.problems.items():
        for problem in problems:
            keys.setdefault(problem, []).append(key)
    return [[("! ", "bad"), (f"{', '.join(at)}: ", "accent"), (problem, "text")] for problem, at in keys.items()]


def _difference(form: RecipeForm) -> list[Paragraph]:
    changed = form.changed_keys()
    if not changed:
        return [[(f"same as {form.source.short}", "header")]]
    lines: list[Paragraph] = [[(f"differs from {form.source.short} in {len(changed)}", "header")]]
    for key in changed:
        now, before = form.entry(key).text or "(empty)", form.base(key).text or "(empty)"
        lines.append([("≠ ", "accent"), (f"{key} ", "text"), (f"{before} → {now}", "bold")])
    return lines


def launched_words(name: str, launched: api.Launched, notice: str) -> str:
    """What was queued, in a few lines; `notice` says why it does not start yet."""
    evaluations = counted(len(launched.evaluations), "evaluation", "no")
    lines = [f"Run {launched.run_id} ({name}) is queued, with {evaluations}."]
    if launched.references:
        lines.append(f"Its figures will stand beside {counted(len(launched.references), 'reference row')}, queued too.")
    return "\n".join([*lines, *([notice] if notice else []), "o opens the run, 3 lists all runs."])


def fields_at_fault(form: RecipeForm) -> str:
    """Keys with a problem, in the order of the file, at most six of them."""
    keys = [key for key in form.fields if key in form.check.problems]
    return ", ".join(keys[:6]) + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")
