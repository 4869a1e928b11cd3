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
    from engine.api.answer_table import NormalisedAnswers as NormalisedAnswers
    from engine.api.answer_table import normalised_answers as normalised_answers
    from engine.api.answer_table import normalised_answers_csv as normalised_answers_csv
    from engine.api.answer_table import only_left_alone as only_left_alone
    from engine.api.answers import AnswerCounts as AnswerCounts
    from engine.api.answers import answer_counts as answer_counts
    from engine.api.ask_images import ask_image as ask_image
    from engine.api.ask_images import dataset_image as dataset_image
    from engine.api.ask_images import listed_image as listed_image
    from engine.api.asking import AskAnswered as AskAnswered
    from engine.api.asking import AskEvent as AskEvent
    from engine.api.asking import AskFailed as AskFailed
    from engine.api.asking import AskLoaded as AskLoaded
    from engine.api.asking import AskSession as AskSession
    from engine.api.asking import AskToken as AskToken
    from engine.api.augment_preview import AnswerChange as AnswerChange
    from engine.api.augment_preview import AnswerFate as AnswerFate
    from engine.api.augment_preview import ChangeChoice as ChangeChoice
    from engine.api.augment_preview import ChangedPreview as ChangedPreview
    from engine.api.augment_preview import change_choices as change_choices
    from engine.api.augment_preview import changed_preview as changed_preview
    from engine.api.benchmarking import BENCH_BASELINES as BENCH_BASELINES
    from engine.api.benchmarking import EVALUATION_SIDES as EVALUATION_SIDES
    from engine.api.benchmarking import TRAINING_SIDES as TRAINING_SIDES
    from engine.api.benchmarking import BenchRequest as BenchRequest
    from engine.api.benchmarking import BenchResult as BenchResult
    from engine.api.benchmarking import SideResult as SideResult
    from engine.api.benchmarking import benchmark as benchmark
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
    from engine.api.case_browsing import CASE_OUTCOMES as CASE_OUTCOMES
    from engine.api.case_browsing import CASE_SORTS as CASE_SORTS
    from engine.api.case_browsing import DIFFERENCES as DIFFERENCES
    from engine.api.case_browsing import NOT_RIGHT as NOT_RIGHT
    from engine.api.case_browsing import CaseList as CaseList
    from engine.api.case_browsing import CaseQuery as CaseQuery
    from engine.api.case_browsing import cases as cases
    from engine.api.case_browsing import parse_cell as parse_cell
    from engine.api.case_checks import CaseQuality as CaseQuality
    from engine.api.case_checks import case_quality as case_quality
    from engine.api.case_detail import CaseDetails as CaseDetails
    from engine.api.case_detail import CaseReply as CaseReply
    from engine.api.case_detail import case_details as case_details
    from engine.api.case_detail import decided as decided
    from engine.api.case_export import case_as_json as case_as_json
    from engine.api.case_export import cases_as_json as cases_as_json
    from engine.api.case_export import cases_where as cases_where
    from engine.api.case_export import export_cases as export_cases
    from engine.api.case_export import said_text as said_text
    from engine.api.case_subjects import CaseSubject as CaseSubject
    from engine.api.case_subjects import Decision as Decision
    from engine.api.case_subjects import case_evaluations as case_evaluations
    from engine.api.case_subjects import find_case_evaluation as find_case_evaluation
    from engine.api.choices import EvaluationChoice as EvaluationChoice
    from engine.api.choices import EvaluationChoices as EvaluationChoices
    from engine.api.choices import evaluation_choices as evaluation_choices
    from engine.api.cloning import clone_recipe as clone_recipe
    from engine.api.coherence_rules import CoherenceExample as CoherenceExample
    from engine.api.coherence_rules import CoherenceRule as CoherenceRule
    from engine.api.coherence_view import CoherenceView as CoherenceView
    from engine.api.coherence_view import UsedAnswers as UsedAnswers
    from engine.api.coherence_view import annotated_coherence as annotated_coherence
    from engine.api.coherence_view import coherence as coherence
    from engine.api.comparing import compare as compare
    from engine.api.comparing import measure_alike as measure_alike
    from engine.api.confusions import CellCount as CellCount
    from engine.api.confusions import Confusion as Confusion
    from engine.api.confusions import ConfusionTable as ConfusionTable
    from engine.api.confusions import ViewOutcomes as ViewOutcomes
    from engine.api.confusions import confusion as confusion
    from engine.api.confusions import find_views as find_views
    from engine.api.confusions import is_nt as is_nt
    from engine.api.confusions import label_text as label_text
    from engine.api.data_quality import MeasuredOnSplit as MeasuredOnSplit
    from engine.api.data_quality import MeasuredSplitError as MeasuredSplitError
    from engine.api.data_quality import Resplit as Resplit
    from engine.api.data_quality import check_images as check_images
    from engine.api.data_quality import compare_files as compare_files
    from engine.api.data_quality import measured_on_split as measured_on_split
    from engine.api.data_quality import resplit_dataset as resplit_dataset
    from engine.api.datasets import DatasetSummary as DatasetSummary
    from engine.api.datasets import check_dataset as check_dataset
    from engine.api.datasets import dataset_summaries as dataset_summaries
    from engine.api.datasets import dataset_summary as dataset_summary
    from engine.api.datasets import import_chat_file as import_chat_file
    from engine.api.datasets import import_phantom_dataset as import_phantom_dataset
    from engine.api.datasets import import_source as import_source
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
    from engine.api.ledger import Look as Look
    from engine.api.ledger import UnconfirmedTestError as UnconfirmedTestError
    from engine.api.ledger import looks as looks
    from engine.api.ledger import looks_so_far as looks_so_far
    from engine.api.live import Live as Live
    from engine.api.live import LogTail as LogTail
    from engine.api.live import Overview as Overview
    from engine.api.live import RunView as RunView
    from engine.api.live import eta_seconds as eta_seconds
    from engine.api.look_notes import looks_note as looks_note
    from engine.api.maintenance import Checked as Checked
    from engine.api.maintenance import Compacted as Compacted
    from engine.api.maintenance import Fault as Fault
    from engine.api.maintenance import Restored as Restored
    from engine.api.maintenance import back_up_database as back_up_database
    from engine.api.maintenance import check_database as check_database
    from engine.api.maintenance import compact_database as compact_database
    from engine.api.maintenance import restore_database as restore_database
    from engine.api.measured_outcome import after_measuring as after_measuring
    from engine.api.measuring import own_wording as own_wording
    from engine.api.measuring_memory import MeasureEvent as MeasureEvent
    from engine.api.measuring_memory import MemoryMeasurement as MemoryMeasurement
    from engine.api.one_image import ImageDetails as ImageDetails
    from engine.api.one_image import QuestionAnswer as QuestionAnswer
    from engine.api.one_image import image_details as image_details
    from engine.api.one_image import locate_image as locate_image
    from engine.api.prediction_files import ImportedPart as ImportedPart
    from engine.api.prediction_files import ImportedPredictions as ImportedPredictions
    from engine.api.prediction_files import import_predictions as import_predictions
    from engine.api.preflight_words import MemoryPart as MemoryPart
    from engine.api.preflight_words import beside_estimate as beside_estimate
    from engine.api.preflight_words import change_words as change_words
    from engine.api.preflight_words import launch_command as launch_command
    from engine.api.preflight_words import layout_facts as layout_facts
    from engine.api.preflight_words import layout_line as layout_line
    from engine.api.preflight_words import measured_facts as measured_facts
    from engine.api.preflight_words import measured_verdict as measured_verdict
    from engine.api.preflight_words import measuring_progress as measuring_progress
    from engine.api.preflight_words import memory_parts as memory_parts
    from engine.api.preflight_words import preflight_verdict as preflight_verdict
    from engine.api.preflight_words import short_verdict as short_verdict
    from engine.api.preflight_words import time_facts as time_facts
    from engine.api.preflighting import measured_peaks as measured_peaks
    from engine.api.preflighting import preflight as preflight
    from engine.api.preflighting import record_peak as record_peak
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
    from engine.api.reading_answers import AnswerReading as AnswerReading
    from engine.api.reading_answers import answer_readings as answer_readings
    from engine.api.reading_answers import image_readings as image_readings
    from engine.api.recipe_files import RecipeFileTakenError as RecipeFileTakenError
    from engine.api.recipe_files import recipe_file as recipe_file
    from engine.api.recipe_files import save_recipe as save_recipe
    from engine.api.recipes import Preset as Preset
    from engine.api.recipes import RecipeCheck as RecipeCheck
    from engine.api.recipes import RecipeOffers as RecipeOffers
    from engine.api.recipes import check_recipe as check_recipe
    from engine.api.recipes import recipe_offers as recipe_offers
    from engine.api.report_groups import ReportQuery as ReportQuery
    from engine.api.reporting import ExportedReport as ExportedReport
    from engine.api.reporting import build_report as build_report
    from engine.api.reporting import export_report as export_report
    from engine.api.rolled_up import rolled_up_words as rolled_up_words
    from engine.api.studies import ListedStudy as ListedStudy
    from engine.api.studies import listed_study as listed_study
    from engine.api.studies import study_definition as study_definition
    from engine.api.studies import study_list as study_list
    from engine.api.study_export import ExportedStudy as ExportedStudy
    from engine.api.study_export import export_study as export_study
    from engine.api.study_export import study_report_folder as study_report_folder
    from engine.api.study_files import OpenStudy as OpenStudy
    from engine.api.study_files import open_study as open_study
    from engine.api.study_finding import found_study as found_study
    from engine.api.study_following import follow_study as follow_study
    from engine.api.study_launching import StudyLaunched as StudyLaunched
    from engine.api.study_launching import launch_study as launch_study
    from engine.api.study_planning import PlannedCell as PlannedCell
    from engine.api.study_planning import StudyPlan as StudyPlan
    from engine.api.study_planning import plan_study as plan_study
    from engine.api.study_results import cached_study_result as cached_study_result
    from engine.api.study_results import study_result as study_result
    from engine.api.study_states import Stage as Stage
    from engine.api.study_states import StudyCell as StudyCell
    from engine.api.study_states import StudyState as StudyState
    from engine.api.study_states import study_state as study_state
    from engine.api.unattended import install_unit as install_unit
    from engine.api.unattended import logout_words as logout_words
    from engine.api.unattended import pause_notice_or_none as pause_notice_or_none
    from engine.api.unattended import stop_unattended as stop_unattended
    from engine.api.unattended import unattended_findings as unattended_findings
    from engine.api.unattended import uninstall_unit as uninstall_unit
    from engine.api.unattended import unit_words as unit_words
    from engine.api.upgrading import bring_up_to_date as bring_up_to_date
    from engine.ask.inputs import AskImage as AskImage
    from engine.ask.inputs import AskQuestion as AskQuestion
    from engine.ask.inputs import ask_question as ask_question
    from engine.ask.inputs import question_choices as question_choices
    from engine.ask.places import ASK_DEVICES as ASK_DEVICES
    from engine.ask.places import BusyDeviceError as BusyDeviceError
    from engine.ask.reading import ReadAnswer as ReadAnswer
    from engine.ask.subject import AskSubject as AskSubject
    from engine.ask.subject import ask_subject as ask_subject
    from engine.ask.wire import Answered as Answered
    from engine.comparison.choosing import OtherImagesError as OtherImagesError
    from engine.comparison.model import ChangedCase as ChangedCase
    from engine.comparison.model import ComparedAnswer as ComparedAnswer
    from engine.comparison.model import ComparedPair as ComparedPair
    from engine.comparison.model import ComparedSubject as ComparedSubject
    from engine.comparison.model import Comparison as Comparison
    from engine.comparison.model import Standing as Standing
    from engine.comparison.model import ViewChange as ViewChange
    from engine.comparison.standings import RowStanding as RowStanding
    from engine.comparison.standings import Standings as Standings
    from engine.comparison.words import compared_measures as compared_measures
    from engine.comparison.words import pair_tests as pair_tests
    from engine.comparison.words import recipe_text as recipe_text
    from engine.comparison.words import signed as signed
    from engine.comparison.words import verdict_line as verdict_line
    from engine.data.preview import Preview as Preview
    from engine.data.preview import PreviewMode as PreviewMode
    from engine.data.preview import load_preview as load_preview
    from engine.data.preview_loader import PreviewLoader as PreviewLoader
    from engine.data.quality.background import CheckState as CheckState
    from engine.data.quality.background import CheckStatus as CheckStatus
    from engine.data.quality.background import background_check_status as background_check_status
    from engine.data.quality.background import check_log as check_log
    from engine.data.quality.background import start_background_check as start_background_check
    from engine.data.quality.background import stop_background_check as stop_background_check
    from engine.data.quality.checking import CheckOutcome as CheckOutcome
    from engine.data.quality.duplicates import NearDuplicates as NearDuplicates
    from engine.data.quality.duplicates import Pair as Pair
    from engine.data.quality.flags import FlagKind as FlagKind
    from engine.data.quality.flags import ImageFlag as ImageFlag
    from engine.data.quality.flags import ImageFlags as ImageFlags
    from engine.data.quality.flags import image_flags as image_flags
    from engine.data.quality.model import OddAnswer as OddAnswer
    from engine.data.quality.model import QualityFinding as QualityFinding
    from engine.data.quality.model import QualityReport as QualityReport
    from engine.data.quality.model import RareAnswer as RareAnswer
    from engine.data.quality.model import Severity as Severity
    from engine.data.quality.report import quality_report as quality_report
    from engine.errors import OutdatedError as OutdatedError
    from engine.errors import RecipeError as RecipeError
    from engine.errors import SonotuneError as SonotuneError
    from engine.errors import StoreError as StoreError
    from engine.errors import StudyError as StudyError
    from engine.errors import UsageError as UsageError
    from engine.evaluation.error_patterns import workspace_patterns as workspace_patterns
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
    from engine.jobs.liveness import STALLED as STALLED
    from engine.jobs.liveness import is_lost as is_lost
    from engine.jobs.liveness import shown_state as shown_state
    from engine.jobs.liveness import stalled_since as stalled_since
    from engine.jobs.moving import Move as Move
    from engine.jobs.moving import move_job as move_job
    from engine.jobs.notify import try_notification as try_notification
    from engine.jobs.notify_settings import notify_settings as notify_settings
    from engine.jobs.pausing import pause_notice as pause_notice
    from engine.jobs.pausing import pause_queue as pause_queue
    from engine.jobs.pausing import queue_paused as queue_paused
    from engine.jobs.pausing import unpause_queue as unpause_queue
    from engine.jobs.stalling import what_to_do as what_to_do
    from engine.jobs.systemd import UnitStatus as UnitStatus
    from engine.jobs.systemd import unit_status as unit_status
    from engine.jobs.worker import WorkerStatus as WorkerStatus
    from engine.jobs.worker import ensure_worker as ensure_worker
    from engine.jobs.worker import run_worker as run_worker
    from engine.jobs.worker import stop_worker as stop_worker
    from engine.jobs.worker import worker_status as worker_status
    from engine.preflight.models import Preflight as Preflight
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
    from engine.scoring.verdicts import measure_words as measure_words
    from engine.store.board import Board as Board
    from engine.store.board import empty_board as empty_board
    from engine.store.board import sort_board as sort_board
    from engine.store.board_columns import Better as Better
    from engine.store.board_columns import BoardColumn as BoardColumn
    from engine.store.board_columns import Unit as Unit
    from engine.store.board_columns import main_scores as main_scores
    from engine.store.board_groups import BoardGroup as BoardGroup
    from engine.store.board_groups import GroupKey as GroupKey
    from engine.store.board_plan import BoardQuery as BoardQuery
    from engine.store.cases import CaseAnswer as CaseAnswer
    from engine.store.cases import CaseItem as CaseItem
    from engine.store.cases import Label as Label
    from engine.store.cases_filter import CASE_FILTER_COLUMNS as CASE_FILTER_COLUMNS
    from engine.store.image_filter import IMAGE_FILTER_COLUMNS as IMAGE_FILTER_COLUMNS
    from engine.store.images import ImageItem as ImageItem
    from engine.store.reader_live import CurveBatch as CurveBatch
    from engine.store.reader_live import RunListRow as RunListRow
    from engine.store.records import EvaluationRow as EvaluationRow
    from engine.store.records import Note as Note
    from engine.store.records import RunRow as RunRow
    from engine.store.run_filter import RUN_FILTER_COLUMNS as RUN_FILTER_COLUMNS
    from engine.study.answering import answer_word as answer_word
    from engine.study.answering import by_ask as by_ask
    from engine.study.answering import summaries as summaries
    from engine.study.results import Answer as Answer
    from engine.study.results import ArmFigure as ArmFigure
    from engine.study.results import Estimate as Estimate
    from engine.study.results import StudyChart as StudyChart
    from engine.study.results import StudyResult as StudyResult
    from engine.study.results import StudyTable as StudyTable
    from engine.text import one_line as one_line
    from engine.text import plain as plain
    from engine.training.layout import stored_layout_words as stored_layout_words
    from engine.training.measure_memory.wire import MeasureStage as MeasureStage
    from engine.training.measure_memory.wire import MeasureStep as MeasureStep
    from engine.training.measure_memory.wire import MemoryMeasured as MemoryMeasured
    from engine.types import ACTIVE as ACTIVE
    from engine.types import ENDED as ENDED
    from engine.types import Event as Event
    from engine.types import JobKind as JobKind
    from engine.types import Mark as Mark
    from engine.types import Outcome as Outcome
    from engine.types import Prediction as Prediction
    from engine.types import Problem as Problem
    from engine.types import Reference as Reference
    from engine.types import Score as Score
    from engine.types import Split as Split
    from engine.types import State as State
    from engine.types import Verdict as Verdict
    from engine.user_files import settings_file as settings_file
    from engine.workspace import Workspace as Workspace

_HOMES = {
    "engine.api.annotating": "add_note notes rename_run tag_run",
    "engine.api.answer_table": "NormalisedAnswers normalised_answers normalised_answers_csv only_left_alone",
    "engine.api.answers": "AnswerCounts answer_counts",
    "engine.api.ask_images": "ask_image dataset_image listed_image",
    "engine.api.asking": "AskAnswered AskEvent AskFailed AskLoaded AskSession AskToken",
    "engine.api.augment_preview": "AnswerChange ChangeChoice ChangedPreview change_choices changed_preview AnswerFate",
    "engine.api.benchmarking": (
        "BENCH_BASELINES EVALUATION_SIDES TRAINING_SIDES BenchRequest BenchResult SideResult benchmark"
    ),
    "engine.api.board_export": "board_cell board_count board_row_name board_text_row export_board",
    "engine.api.boards": (
        "board board_columns board_filter_columns board_groups choose_board_columns "
        "chosen_board_columns_from pins pins_from set_pins"
    ),
    "engine.api.browsing": "ImageList ImageQuery ViewSummary browse dataset_problems view_summary",
    "engine.api.case_browsing": "CASE_OUTCOMES CASE_SORTS CaseList CaseQuery DIFFERENCES NOT_RIGHT cases parse_cell",
    "engine.api.case_checks": "CaseQuality case_quality",
    "engine.api.case_detail": "CaseDetails CaseReply case_details decided",
    "engine.api.case_export": "case_as_json cases_as_json cases_where export_cases said_text",
    "engine.api.case_subjects": "CaseSubject Decision case_evaluations find_case_evaluation",
    "engine.api.choices": "EvaluationChoice EvaluationChoices evaluation_choices",
    "engine.api.cloning": "clone_recipe",
    "engine.api.coherence_rules": "CoherenceExample CoherenceRule",
    "engine.api.coherence_view": "CoherenceView UsedAnswers annotated_coherence coherence",
    "engine.api.comparing": "compare measure_alike",
    "engine.api.confusions": "CellCount Confusion ConfusionTable ViewOutcomes confusion find_views is_nt label_text",
    "engine.api.data_quality": (
        "MeasuredOnSplit MeasuredSplitError Resplit check_images compare_files measured_on_split resplit_dataset"
    ),
    "engine.api.datasets": (
        "DatasetSummary check_dataset dataset_summaries dataset_summary import_chat_file "
        "import_phantom_dataset import_source"
    ),
    "engine.api.doctor": "Finding examine",
    "engine.api.evaluating": "evaluate_run",
    "engine.api.following": "JobView follow_jobs read_log",
    "engine.api.launching": "Launched LaunchPlan launch plan_launch",
    "engine.api.ledger": "Look UnconfirmedTestError looks looks_so_far",
    "engine.api.live": "Live LogTail Overview RunView eta_seconds",
    "engine.api.look_notes": "looks_note",
    "engine.api.maintenance": (
        "Checked Compacted Fault Restored back_up_database check_database compact_database restore_database"
    ),
    "engine.api.measured_outcome": "after_measuring",
    "engine.api.measuring": "own_wording",
    "engine.api.measuring_memory": "MemoryMeasurement MeasureEvent",
    "engine.api.one_image": "ImageDetails QuestionAnswer image_details locate_image",
    "engine.api.prediction_files": "ImportedPart ImportedPredictions import_predictions",
    "engine.api.preflight_words": (
        "MemoryPart memory_parts preflight_verdict short_verdict layout_facts layout_line time_facts "
        "change_words launch_command measured_verdict beside_estimate measuring_progress measured_facts"
    ),
    "engine.api.preflighting": "preflight measured_peaks record_peak",
    "engine.api.priorities": "first_priority",
    "engine.api.queueing": "DeviceQueue EndedJob QueueItem QueueJob QueueView RunningJob queue_view queue_view_from",
    "engine.api.reading": "RunDetails leaderboard run_details runs",
    "engine.api.reading_answers": "AnswerReading answer_readings image_readings",
    "engine.api.recipe_files": "RecipeFileTakenError recipe_file save_recipe",
    "engine.api.recipes": "Preset RecipeCheck RecipeOffers check_recipe recipe_offers",
    "engine.api.report_groups": "ReportQuery",
    "engine.api.reporting": "ExportedReport build_report export_report",
    "engine.api.rolled_up": "rolled_up_words",
    "engine.api.studies": "ListedStudy study_list listed_study study_definition",
    "engine.api.study_export": "ExportedStudy export_study study_report_folder",
    "engine.api.study_files": "open_study OpenStudy",
    "engine.api.study_finding": "found_study",
    "engine.api.study_following": "follow_study",
    "engine.api.study_launching": "StudyLaunched launch_study",
    "engine.api.study_planning": "PlannedCell StudyPlan plan_study",
    "engine.api.study_results": "cached_study_result study_result",
    "engine.api.study_states": "Stage StudyCell StudyState study_state",
    "engine.api.unattended": (
        "install_unit uninstall_unit stop_unattended unit_words pause_notice_or_none unattended_findings logout_words"
    ),
    "engine.api.upgrading": "bring_up_to_date",
    "engine.ask.inputs": "AskImage AskQuestion ask_question question_choices",
    "engine.ask.places": "ASK_DEVICES BusyDeviceError",
    "engine.ask.reading": "ReadAnswer",
    "engine.ask.subject": "AskSubject ask_subject",
    "engine.ask.wire": "Answered",
    "engine.comparison.choosing": "OtherImagesError",
    "engine.comparison.model": "ChangedCase ComparedAnswer ComparedPair ComparedSubject Comparison Standing ViewChange",
    "engine.comparison.standings": "RowStanding Standings",
    "engine.comparison.words": "compared_measures pair_tests recipe_text signed verdict_line",
    "engine.data.preview": "Preview PreviewMode load_preview",
    "engine.data.preview_loader": "PreviewLoader",
    "engine.data.quality.background": (
        "CheckState CheckStatus background_check_status check_log start_background_check stop_background_check"
    ),
    "engine.data.quality.checking": "CheckOutcome",
    "engine.data.quality.duplicates": "NearDuplicates Pair",
    "engine.data.quality.flags": "FlagKind ImageFlag ImageFlags image_flags",
    "engine.data.quality.model": "OddAnswer QualityFinding QualityReport RareAnswer Severity",
    "engine.data.quality.report": "quality_report",
    "engine.errors": "OutdatedError SonotuneError StoreError UsageError StudyError RecipeError",
    "engine.evaluation.error_patterns": "workspace_patterns",
    "engine.filtering": "FilterError Suggestion complete_filter",
    "engine.formatting": "duration figure number short_duration size",
    "engine.jobs.control": "cancel resume stop",
    "engine.jobs.devices": "Device known_devices",
    "engine.jobs.liveness": "LOST LOST_AFTER_SECONDS is_lost shown_state STALLED stalled_since",
    "engine.jobs.moving": "Move move_job",
    "engine.jobs.notify": "try_notification",
    "engine.jobs.notify_settings": "notify_settings",
    "engine.jobs.pausing": "pause_notice pause_queue queue_paused unpause_queue",
    "engine.jobs.stalling": "what_to_do",
    "engine.jobs.systemd": "UnitStatus unit_status",
    "engine.jobs.worker": "WorkerStatus ensure_worker run_worker stop_worker worker_status",
    "engine.preflight.models": "Preflight",
    "engine.recipe": "Recipe find_recipe load_recipe preset_recipes recipe_diff recipe_to_toml recipe_values",
    "engine.recipe.fields": "RecipeField field_text field_value recipe_fields",
    "engine.scoring.verdicts": "measure_words",
    "engine.store.board": "Board empty_board sort_board",
    "engine.store.board_columns": "Better BoardColumn Unit main_scores",
    "engine.store.board_groups": "BoardGroup GroupKey",
    "engine.store.board_plan": "BoardQuery",
    "engine.store.cases": "CaseAnswer CaseItem Label",
    "engine.store.cases_filter": "CASE_FILTER_COLUMNS",
    "engine.store.image_filter": "IMAGE_FILTER_COLUMNS",
    "engine.store.images": "ImageItem",
    "engine.store.reader_live": "CurveBatch RunListRow",
    "engine.store.records": "EvaluationRow Note RunRow",
    "engine.store.run_filter": "RUN_FILTER_COLUMNS",
    "engine.study.answering": "answer_word summaries by_ask",
    "engine.study.results": "Answer ArmFigure Estimate StudyChart StudyResult StudyTable",
    "engine.text": "one_line plain",
    "engine.training.layout": "stored_layout_words",
    "engine.training.measure_memory.wire": "MemoryMeasured MeasureStage MeasureStep",
    "engine.types": "ACTIVE ENDED Event JobKind Mark Outcome Prediction Problem Reference Score Split State Verdict",
    "engine.user_files": "settings_file",
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
