"""Everything that a front end can ask of the engine. The terminal screens and the command line use this module alone.

Light: heavy libraries are imported by job processes, or inside the one function that needs them.
"""

from __future__ import annotations

from engine.api.datasets import (
    DatasetSummary,
    check_dataset,
    dataset_summaries,
    dataset_summary,
    import_chat_file,
    import_phantom_dataset,
)
from engine.api.doctor import Finding, examine
from engine.api.evaluating import evaluate_run
from engine.api.following import JobView, follow_jobs, read_log
from engine.api.launching import Launched, LaunchPlan, launch, plan_launch
from engine.api.reading import RunDetails, leaderboard, run_details, runs
from engine.errors import SonotuneError, UsageError
from engine.jobs.control import cancel, resume, stop
from engine.jobs.worker import ensure_worker, run_worker, stop_worker, worker_status
from engine.recipe import Recipe, find_recipe, load_recipe, preset_recipes, recipe_to_toml
from engine.store.records import RunRow
from engine.types import Score, State
from engine.workspace import Workspace

__all__ = [
    "DatasetSummary",
    "Finding",
    "JobView",
    "LaunchPlan",
    "Launched",
    "Recipe",
    "RunDetails",
    "RunRow",
    "Score",
    "SonotuneError",
    "State",
    "UsageError",
    "Workspace",
    "cancel",
    "check_dataset",
    "dataset_summaries",
    "dataset_summary",
    "ensure_worker",
    "evaluate_run",
    "examine",
    "find_recipe",
    "follow_jobs",
    "import_chat_file",
    "import_phantom_dataset",
    "launch",
    "leaderboard",
    "load_recipe",
    "plan_launch",
    "preset_recipes",
    "read_log",
    "recipe_to_toml",
    "resume",
    "run_details",
    "run_worker",
    "runs",
    "stop",
    "stop_worker",
    "worker_status",
]
