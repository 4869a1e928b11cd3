"""Which model is asked, and how: everything that a run's own evaluations would use. Light, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import JobError, RecipeError, UsageError
from engine.recipe import Recipe, load_recipe, preset_recipes, recipe_from_json
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.training.model_files import resolve_model
from engine.training.whole import standing
from engine.types import ENDED, IMPORTED, State
from engine.workspace import Workspace

OTHER_MAX_NEW_TOKENS = 256
"""Of an answer to a question that the recipe does not ask: a report of eight sections fits."""


@dataclass(frozen=True, slots=True)
class AskSubject:
    """A base model, with the adapter of a run or alone."""

    name: str
    """Of the run, or of the model; untrusted text."""
    run_id: int | None
    """None for the untuned model."""
    model: str
    """Base model as the recipe writes it."""
    source: str
    """Its folder, or its id on the model hub."""
    quantization: str
    """`none` or `4bit`."""
    adapter: Path | None
    adapter_sha256: str | None
    dataset: str
    """Whose training answers are the candidates of label scoring."""
    split_fingerprint: str
    """Of the dataset's split that the run was trained on; "" for the untuned model."""
    questions: tuple[str, ...]
    """That the run was trained on; empty for the untuned model."""
    prompt: str
    """Name of the wording that it was trained with."""
    prompt_text: str
    """The wording itself where it is the user's; "" for a named one."""
    image_size: int
    """Longest side in pixels, as in its evaluations."""
    max_new_tokens: int
    settings_of: str
    """Where the settings come from, in words."""

    def limit_for(self, question: str | None) -> int:
        """The longest answer in tokens: that of its evaluations, or more for a question that they do not ask.

        Args:
            question: Q1 to Q8 or report; None for one's own words.
        """
        own = question is not None and question in self.questions
        return self.max_new_tokens if own else max(self.max_new_tokens, OTHER_MAX_NEW_TOKENS)


def ask_subject(workspace: Workspace, run: int | str | None = None, model: str | None = None) -> AskSubject:
    """A run with its adapter, or with `model` the untuned base of that name.

    Args:
        workspace: with the run.
        run: number or name.
        model: folder of a base model (from the workspace or the repository), or its id on the model hub.

    Raises:
        UsageError: neither was named, or both.
        JobError: there is no such run, or it has no adapter to ask.
        ModelError: the base model is not there.
        RecipeError: this version of sonotune cannot read the run's recipe.
    """
    if (run is None) == (model is None):
        raise UsageError(
            "Name one model to ask", "A run and an untuned model are two subjects.", "Give RUN, or --base MODEL."
        )
    if run is None:
        return _untuned(workspace, str(model))
    with Reader(workspace) as reader:
        return _tuned(workspace, reader.run(run))


def _tuned(workspace: Workspace, run: RunRow) -> AskSubject:
    if run.kind == IMPORTED:
        raise JobError(
            f"Run {run.id} cannot be asked",
            "Its predictions were imported from another tool: there is no adapter here to answer with.",
            "Choose a run that was trained here: `sonotune runs` lists them.",
        )
    adapter = workspace.job_folder(run.directory) / "adapter"
    if not standing(adapter).is_dir():
        raise _without_adapter(run)
    recipe = recipe_from_json(run.recipe, f"recipe of run {run.id}")
    return AskSubject(
        name=run.name,
        run_id=run.id,
        model=run.model,
        source=resolve_model(run.model, workspace.root),
        quantization=run.quantization or _quantization(recipe),
        adapter=adapter,
        adapter_sha256=run.adapter_sha256,
        dataset=run.dataset,
        split_fingerprint=run.split_fingerprint,
        questions=tuple(recipe.data.questions),
        prompt=recipe.data.prompt,
        prompt_text=recipe.data.prompt_text,
        image_size=recipe.data.image_size,
        max_new_tokens=recipe.evaluation.max_new_tokens,
        settings_of=f"the recipe of run {run.id}",
    )


def _without_adapter(run: RunRow) -> JobError:
    if run.state not in ENDED:
        step = f"Wait for its end (`sonotune show {run.id}`), or ask the untuned model: --base {run.model}."
        return JobError(f"Run {run.id} has no adapter yet", f"It is {run.state}.", step)
    again = "Launch it anew." if run.state == State.CANCELLED else f"`sonotune resume {run.id}` goes on with it."
    return JobError(f"Run {run.id} has no adapter to ask", f"It is {run.state}: {run.reason}.", again)


def _untuned(workspace: Workspace, model: str) -> AskSubject:
    """The base model, asked as the runs on it are: their settings, else those of a preset for it."""
    source = resolve_model(model, workspace.root)
    recipe, quantization, settings_of = _settings(workspace, model)
    return AskSubject(
        name=f"{model} (untuned)",
        run_id=None,
        model=model,
        source=source,
        quantization=quantization,
        adapter=None,
        adapter_sha256=None,
        dataset=recipe.data.dataset,
        split_fingerprint="",
        questions=(),
        prompt=recipe.data.prompt,
        prompt_text=recipe.data.prompt_text,
        image_size=recipe.data.image_size,
        max_new_tokens=recipe.evaluation.max_new_tokens,
        settings_of=settings_of,
    )


def _settings(workspace: Workspace, model: str) -> tuple[Recipe, str, str]:
    reader = Reader.open_or_none(workspace)
    if reader is not None:
        with reader:
            for run in reader.runs():
                if run.model == model and run.kind != IMPORTED:
                    recipe = recipe_from_json(run.recipe, f"recipe of run {run.id}")
                    return recipe, run.quantization or _quantization(recipe), f"the recipe of run {run.id}"
    for name, file in preset_recipes(workspace.root).items():
        try:
            recipe = load_recipe(file)
        except RecipeError:
            continue  # whoever launches it is told; here it is only one of several places to look
        if recipe.model.id == model:
            return recipe, _quantization(recipe), f"the preset {name}"
    return Recipe(name="untuned"), "none", "the defaults of a recipe"


def _quantization(recipe: Recipe) -> str:
    return "none" if recipe.model.quantization == "auto" else recipe.model.quantization
