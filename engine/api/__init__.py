"""Everything that a front end can ask of the engine. The terminal screens and the command line use this module alone.

Light, and lazy: a name is imported when it is first used (PEP 562), so that the terminal screens paint before pydantic
and the rest are loaded. A new name goes into both lists: type checkers read the imports, `_HOMES` is what runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.api.datasets import DatasetSummary as DatasetSummary
    from engine.api.datasets import check_dataset as check_dataset
    from engine.api.datasets import dataset_summaries as dataset_summaries
    from engine.api.datasets import dataset_summary as dataset_summary
    from engine.api.datasets import import_chat_file as import_chat_file
    from engine.api.datasets import import_phantom_dataset as import_phantom_dataset
    from engine.api.doctor import Finding as Finding
    from engine.api.doctor import examine as examine
    from engine.api.evaluating import evaluate_run as evaluate_run
    from engine.api.following import JobView as JobView
    from engine.api.following import follow_jobs as follow_jobs
    from engine.api.following import read_log as read_log
    from engine.api.launching import Launched as Launched
    from engine.api.launching import LaunchPlan as LaunchPlan
    from engine.api.launching import launch as launch
    from engine.api.launching import plan_launch as plan_launch
    from engine.api.reading import RunDetails as RunDetails
    from engine.api.reading import leaderboard as leaderboard
    from engine.api.reading import run_details as run_details
    from engine.api.reading import runs as runs
    from engine.errors import SonotuneError as SonotuneError
    from engine.errors import StoreError as StoreError
    from engine.errors import UsageError as UsageError
    from engine.jobs.control import cancel as cancel
    from engine.jobs.control import resume as resume
    from engine.jobs.control import stop as stop
    from engine.jobs.worker import WorkerStatus as WorkerStatus
    from engine.jobs.worker import ensure_worker as ensure_worker
    from engine.jobs.worker import run_worker as run_worker
    from engine.jobs.worker import stop_worker as stop_worker
    from engine.jobs.worker import worker_status as worker_status
    from engine.recipe import Recipe as Recipe
    from engine.recipe import find_recipe as find_recipe
    from engine.recipe import load_recipe as load_recipe
    from engine.recipe import preset_recipes as preset_recipes
    from engine.recipe import recipe_to_toml as recipe_to_toml
    from engine.store.records import EvaluationRow as EvaluationRow
    from engine.store.records import RunRow as RunRow
    from engine.text import one_line as one_line
    from engine.text import plain as plain
    from engine.types import ACTIVE as ACTIVE
    from engine.types import ENDED as ENDED
    from engine.types import Event as Event
    from engine.types import JobKind as JobKind
    from engine.types import Score as Score
    from engine.types import Split as Split
    from engine.types import State as State
    from engine.workspace import Workspace as Workspace

_HOMES = {
    "engine.api.datasets": (
        "DatasetSummary check_dataset dataset_summaries dataset_summary import_chat_file import_phantom_dataset"
    ),
    "engine.api.doctor": "Finding examine",
    "engine.api.evaluating": "evaluate_run",
    "engine.api.following": "JobView follow_jobs read_log",
    "engine.api.launching": "Launched LaunchPlan launch plan_launch",
    "engine.api.reading": "RunDetails leaderboard run_details runs",
    "engine.errors": "SonotuneError StoreError UsageError",
    "engine.jobs.control": "cancel resume stop",
    "engine.jobs.worker": "WorkerStatus ensure_worker run_worker stop_worker worker_status",
    "engine.recipe": "Recipe find_recipe load_recipe preset_recipes recipe_to_toml",
    "engine.store.records": "EvaluationRow RunRow",
    "engine.text": "one_line plain",
    "engine.types": "ACTIVE ENDED Event JobKind Score Split State",
    "engine.workspace": "Workspace",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [*_HOME_OF]  # noqa: PLE0604 - all of them are names


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value
