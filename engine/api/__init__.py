"""Everything that a front end can ask of the engine. The terminal screens and the command line use this module alone.

Light, and lazy: a name is imported when it is first used (PEP 562), so that the terminal screens paint before pydantic
and the rest are loaded. A new name goes into both lists: type checkers read the imports, `_HOMES` is what runs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.api.annotating import add_note as add_note
    from engine.api.annotating import notes as notes
    from engine.api.annotating import rename_run as rename_run
    from engine.api.annotating import tag_run as tag_run
    from engine.api.answers import AnswerCounts as AnswerCounts
    from engine.api.answers import answer_counts as answer_counts
    from engine.api.board_export import board_cell as board_cell
    from engine.api.board_export import board_count as board_count
    from engine.api.board_export import board_row_name as board_row_name
    from engine.api.board_export import board_text_row as board_text_row
    from engine.api.board_export import export_board as export_board
    from engine.api.boards import board as board
    from engine.api.boards import board_columns as board_columns
    from engine.api.boards import board_filter_columns as board_filter_columns
    from engine.api.boards import board_groups as board_groups
    from engine.api.boards import choose_board_columns as choose_board_columns
    from engine.api.boards import chosen_board_columns_from as chosen_board_columns_from
    from engine.api.boards import pins as pins
    from engine.api.boards import pins_from as pins_from
    from engine.api.boards import set_pins as set_pins
    from engine.api.browsing import ImageList as ImageList
    from engine.api.browsing import ImageQuery as ImageQuery
    from engine.api.browsing import ViewSummary as ViewSummary
    from engine.api.browsing import browse as browse
    from engine.api.browsing import dataset_problems as dataset_problems
    from engine.api.browsing import view_summary as view_summary
    from engine.api.choices import EvaluationChoice as EvaluationChoice
    from engine.api.choices import EvaluationChoices as EvaluationChoices
    from engine.api.choices import evaluation_choices as evaluation_choices
    from engine.api.cloning import clone_recipe as clone_recipe
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
    from engine.api.live import Live as Live
    from engine.api.live import LogTail as LogTail
    from engine.api.live import Overview as Overview
    from engine.api.live import RunView as RunView
    from engine.api.live import eta_seconds as eta_seconds
    from engine.api.one_image import ImageDetails as ImageDetails
    from engine.api.one_image import QuestionAnswer as QuestionAnswer
    from engine.api.one_image import image_details as image_details
    from engine.api.one_image import locate_image as locate_image
    from engine.api.priorities import first_priority as first_priority
    from engine.api.queueing import DeviceQueue as DeviceQueue
    from engine.api.queueing import EndedJob as EndedJob
    from engine.api.queueing import QueueItem as QueueItem
    from engine.api.queueing import QueueJob as QueueJob
    from engine.api.queueing import QueueView as QueueView
    from engine.api.queueing import RunningJob as RunningJob
    from engine.api.queueing import queue_view as queue_view
    from engine.api.queueing import queue_view_from as queue_view_from
    from engine.api.reading import RunDetails as RunDetails
    from engine.api.reading import leaderboard as leaderboard
    from engine.api.reading import run_details as run_details
    from engine.api.reading import runs as runs
    from engine.api.recipe_files import RecipeFileTakenError as RecipeFileTakenError
    from engine.api.recipe_files import recipe_file as recipe_file
    from engine.api.recipe_files import save_recipe as save_recipe
    from engine.api.recipes import Preset as Preset
    from engine.api.recipes import RecipeCheck as RecipeCheck
    from engine.api.recipes import RecipeOffers as RecipeOffers
    from engine.api.recipes import check_recipe as check_recipe
    from engine.api.recipes import recipe_offers as recipe_offers
    from engine.api.upgrading import bring_up_to_date as bring_up_to_date
    from engine.data.preview import Preview as Preview
    from engine.data.preview import PreviewMode as PreviewMode
    from engine.data.preview import load_preview as load_preview
    from engine.data.preview_loader import PreviewLoader as PreviewLoader
    from engine.errors import OutdatedError as OutdatedError
    from engine.errors import SonotuneError as SonotuneError
    from engine.errors import StoreError as StoreError
    from engine.errors import UsageError as UsageError
    from engine.filtering import FilterError as FilterError
    from engine.filtering import Suggestion as Suggestion
    from engine.filtering import complete_filter as complete_filter
    from engine.formatting import duration as duration
    from engine.formatting import figure as figure
    from engine.formatting import number as number
    from engine.formatting import short_duration as short_duration
    from engine.formatting import size as size
    from engine.jobs.control import cancel as cancel
    from engine.jobs.control import resume as resume
    from engine.jobs.control import stop as stop
    from engine.jobs.devices import Device as Device
    from engine.jobs.devices import known_devices as known_devices
    from engine.jobs.liveness import LOST as LOST
    from engine.jobs.liveness import LOST_AFTER_SECONDS as LOST_AFTER_SECONDS
    from engine.jobs.liveness import is_lost as is_lost
    from engine.jobs.liveness import shown_state as shown_state
    from engine.jobs.moving import Move as Move
    from engine.jobs.moving import move_job as move_job
    from engine.jobs.pausing import pause_notice as pause_notice
    from engine.jobs.pausing import pause_queue as pause_queue
    from engine.jobs.pausing import queue_paused as queue_paused
    from engine.jobs.pausing import unpause_queue as unpause_queue
    from engine.jobs.worker import WorkerStatus as WorkerStatus
    from engine.jobs.worker import ensure_worker as ensure_worker
    from engine.jobs.worker import run_worker as run_worker
    from engine.jobs.worker import stop_worker as stop_worker
    from engine.jobs.worker import worker_status as worker_status
    from engine.recipe import Recipe as Recipe
    from engine.recipe import find_recipe as find_recipe
    from engine.recipe import load_recipe as load_recipe
    from engine.recipe import preset_recipes as preset_recipes
    from engine.recipe import recipe_diff as recipe_diff
    from engine.recipe import recipe_to_toml as recipe_to_toml
    from engine.recipe import recipe_values as recipe_values
    from engine.recipe.fields import RecipeField as RecipeField
    from engine.recipe.fields import field_text as field_text
    from engine.recipe.fields import field_value as field_value
    from engine.recipe.fields import recipe_fields as recipe_fields
    from engine.store.board import Board as Board
    from engine.store.board import empty_board as empty_board
    from engine.store.board import sort_board as sort_board
    from engine.store.board_columns import Better as Better
    from engine.store.board_columns import BoardColumn as BoardColumn
    from engine.store.board_columns import Unit as Unit
    from engine.store.board_groups import BoardGroup as BoardGroup
    from engine.store.board_groups import GroupKey as GroupKey
    from engine.store.board_plan import BoardQuery as BoardQuery
    from engine.store.image_filter import IMAGE_FILTER_COLUMNS as IMAGE_FILTER_COLUMNS
    from engine.store.images import ImageItem as ImageItem
    from engine.store.reader_live import CurveBatch as CurveBatch
    from engine.store.reader_live import RunListRow as RunListRow
    from engine.store.records import EvaluationRow as EvaluationRow
    from engine.store.records import Note as Note
    from engine.store.records import RunRow as RunRow
    from engine.store.run_filter import RUN_FILTER_COLUMNS as RUN_FILTER_COLUMNS
    from engine.text import one_line as one_line
    from engine.text import plain as plain
    from engine.types import ACTIVE as ACTIVE
    from engine.types import ENDED as ENDED
    from engine.types import Event as Event
    from engine.types import JobKind as JobKind
    from engine.types import Problem as Problem
    from engine.types import Score as Score
    from engine.types import Split as Split
    from engine.types import State as State
    from engine.types import Verdict as Verdict
    from engine.workspace import Workspace as Workspace

_HOMES = {
    "engine.api.answers": "AnswerCounts answer_counts",
    "engine.api.board_export": "board_cell board_count board_row_name board_text_row export_board",
    "engine.api.boards": (
        "board board_columns board_filter_columns board_groups choose_board_columns chosen_board_columns_from "
        "pins pins_from set_pins"
    ),
    "engine.api.browsing": "ImageList ImageQuery ViewSummary browse dataset_problems view_summary",
    "engine.api.datasets": (
        "DatasetSummary check_dataset dataset_summaries dataset_summary import_chat_file import_phantom_dataset"
    ),
    "engine.api.doctor": "Finding examine",
    "engine.api.evaluating": "evaluate_run",
    "engine.api.following": "JobView follow_jobs read_log",
    "engine.api.one_image": "ImageDetails QuestionAnswer image_details locate_image",
    "engine.api.launching": "Launched LaunchPlan launch plan_launch",
    "engine.api.live": "Live LogTail Overview RunView eta_seconds",
    "engine.api.upgrading": "bring_up_to_date",
    "engine.api.reading": "RunDetails leaderboard run_details runs",
    "engine.data.preview": "Preview PreviewMode load_preview",
    "engine.data.preview_loader": "PreviewLoader",
    "engine.errors": "OutdatedError SonotuneError StoreError UsageError",
    "engine.jobs.control": "cancel resume stop",
    "engine.jobs.worker": "WorkerStatus ensure_worker run_worker stop_worker worker_status",
    "engine.recipe": "Recipe find_recipe load_recipe preset_recipes recipe_diff recipe_to_toml recipe_values",
    "engine.recipe.fields": "RecipeField field_text field_value recipe_fields",
    "engine.filtering": "FilterError Suggestion complete_filter",
    "engine.store.board": "Board empty_board sort_board",
    "engine.store.board_columns": "Better BoardColumn Unit",
    "engine.store.board_groups": "BoardGroup GroupKey",
    "engine.store.board_plan": "BoardQuery",
    "engine.store.image_filter": "IMAGE_FILTER_COLUMNS",
    "engine.store.images": "ImageItem",
    "engine.store.records": "EvaluationRow Note RunRow",
    "engine.formatting": "duration figure number short_duration size",
    "engine.store.reader_live": "CurveBatch RunListRow",
    "engine.store.run_filter": "RUN_FILTER_COLUMNS",
    "engine.text": "one_line plain",
    "engine.types": "ACTIVE ENDED Event JobKind Problem Score Split State Verdict",
    "engine.workspace": "Workspace",
    "engine.api.annotating": "add_note notes rename_run tag_run",
    "engine.api.choices": "EvaluationChoice EvaluationChoices evaluation_choices",
    "engine.api.cloning": "clone_recipe",
    "engine.api.priorities": "first_priority",
    "engine.api.recipe_files": "RecipeFileTakenError recipe_file save_recipe",
    "engine.api.recipes": "Preset RecipeCheck RecipeOffers check_recipe recipe_offers",
    "engine.api.queueing": "DeviceQueue EndedJob QueueItem QueueJob QueueView RunningJob queue_view queue_view_from",
    "engine.jobs.devices": "Device known_devices",
    "engine.jobs.liveness": "LOST LOST_AFTER_SECONDS is_lost shown_state",
    "engine.jobs.moving": "Move move_job",
    "engine.jobs.pausing": "pause_notice pause_queue queue_paused unpause_queue",
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
