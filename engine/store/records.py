"""What the store hands out: one dataclass a table, one field a column, in the units that the schema names.

`Score`, `Prediction`, `Event`, `DatasetRecord` stand in `engine.types`, because the engine makes them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.types import BLANK, Action, JobKind, Reference, Split, State, Verdict


@dataclass(frozen=True, slots=True)
class RunRow:
    """Row of `runs`: one fine-tuning run."""

    id: int
    name: str
    """Unique; untrusted text."""
    kind: str
    state: State
    reason: str
    """Why it is in this state."""
    priority: int
    """Higher is dispatched first."""
    recipe: str
    """JSON of the resolved recipe, for `recipe_from_json`."""
    dataset: str
    dataset_fingerprint: str
    split_fingerprint: str
    model: str
    """Base model as written in the recipe."""
    seed: int
    parent_run_id: int | None
    """The run that this one was cloned from."""
    directory: str
    """Relative to the workspace; holds adapter/, checkpoints/, log.txt."""
    backend: str | None
    backend_reason: str | None
    quantization: str | None
    packing: str | None
    """`on` or `off`, as resolved."""
    versions: Mapping[str, str]
    """Version by library name, of the training process."""
    git_revision: str | None
    host: str | None
    device: str | None
    """`cuda:N` or `cpu`."""
    gpu_name: str | None
    pid: int | None
    """Process that does the work; while the state is starting, the worker that claimed the row."""
    process_start: float | None
    """Start of that process in seconds since boot (see `engine.jobs.process`)."""
    heartbeat: float | None
    """Unix time of the last sign of life."""
    queued_at: float
    started_at: float | None
    """Start of the latest attempt."""
    ended_at: float | None
    resumes: int
    load_seconds: float | None
    train_seconds: float | None
    evaluation_seconds: float | None
    step: int
    """Optimiser steps done."""
    planned_steps: int | None
    samples_per_second: float | None
    tokens_per_second: float | None
    peak_vram_allocated_bytes: int | None
    peak_vram_reserved_bytes: int | None
    peak_vram_device_bytes: int | None
    """NVML: the whole card, other processes included."""
    peak_rss_bytes: int | None
    final_loss: float | None
    trained_parameters: int | None
    total_parameters: int | None
    lora_modules: int | None
    """Number of modules that carry LoRA weights."""
    adapter_path: str | None
    """Relative to the workspace."""
    adapter_sha256: str | None
    error_title: str | None
    error_detail: str | None
    error_next_step: str | None
    study: str | None
    queue_rank: float | None
    """Place among queued jobs of one priority, lowest first; None: by `queued_at`."""
    layout: Mapping[str, object] | None = None
    """How it is computed, as resolved (`engine.preflight.models.Layout`); None in runs of earlier versions."""
    phase: str | None = None
    """What its process is doing; None where it has not said."""
    stalled_at: float | None = None
    """Unix time since when it has taken no step though its process lives; None while it gets on."""
    rolled_up_at: float | None = None
    """Unix time at which its curves were thinned; None while every point is there."""


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """Row of `evaluations`: one subject (a tuned run or a reference row) on one split for one question."""

    id: int
    run_id: int | None
    """None for a reference row."""
    reference: Reference | None
    name: str
    """Name of the subject."""
    model: str
    dataset: str
    dataset_fingerprint: str | None
    split: Split
    split_fingerprint: str | None
    question: str
    prompt: str | None
    state: State
    reason: str
    priority: int
    after_run: bool
    """It waits until its run has succeeded."""
    protocol: str
    """JSON of prompt, parser, scorer and limits."""
    protocol_fingerprint: str
    cases_fingerprint: str
    max_new_tokens: int | None
    case_limit: int | None
    threshold: float | None
    """P(abnormal) from which an answer counts as abnormal."""
    threshold_source: str | None
    n: int | None
    """Cases scored."""
    unparseable: int | None
    cut_off: int | None
    backend: str | None
    host: str | None
    device: str | None
    gpu_name: str | None
    pid: int | None
    process_start: float | None
    heartbeat: float | None
    queued_at: float
    started_at: float | None
    ended_at: float | None
    load_seconds: float | None
    seconds: float | None
    """Generation and label scoring together."""
    seconds_per_image: float | None
    tokens_per_second: float | None
    peak_vram_allocated_bytes: int | None
    peak_vram_reserved_bytes: int | None
    peak_vram_device_bytes: int | None
    peak_rss_bytes: int | None
    error_title: str | None
    error_detail: str | None
    error_next_step: str | None
    queue_rank: float | None
    degradation: str | None
    """What was done to the images, such as `blank`; None: they were shown as they are."""
    clean_protocol_fingerprint: str
    """Of the same protocol without the degradation."""
    errors: int | None
    """Outputs that are a server's error message."""
    subject_sha256: str | None = None
    """SHA-256 of the adapter that the predictions come from; None for reference rows and earlier versions."""

    @property
    def title(self) -> str:
        """Name of the subject, with what was done to the images; untrusted text."""
        return self.name + degradation_words(self.degradation)

    @property
    def images(self) -> str:
        """Which images were shown, such as `grey images`; "" where they were as they are. Untrusted text."""
        return images_shown(self.degradation)


def degradation_words(degradation: str | None) -> str:
    """What was done to the images, to stand behind a name; "" for nothing."""
    return f" on {images_shown(degradation)}" if degradation else ""


def images_shown(degradation: str | None) -> str:
    """Which images were shown: `grey images`, `images with speckle, severity 2`; "" where they were as they are."""
    if not degradation:
        return ""
    if degradation == BLANK:
        return "grey images"
    kind, _, severity = degradation.partition(":")
    words = kind.replace("_", " ")
    return f"images with {words}, severity {severity}" if severity else f"images with {words}"


@dataclass(frozen=True, slots=True)
class MarkRow:
    """Row of `marks`: what a reader must know before believing an evaluation."""

    evaluation_id: int
    kind: str
    """One of `engine.types.Mark`; a newer version may know more."""
    scope: str
    """`all`, or `view:NAME`."""
    detail: str
    """One sentence with the figures; untrusted text."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """What the queue and the worker need of a run or an evaluation (both tables in one view of them)."""

    kind: JobKind
    id: int
    name: str
    """Of the run, or of the subject of an evaluation: the present one, also where a run was renamed."""
    state: State
    priority: int
    queued_at: float
    ended_at: float | None
    host: str | None
    device: str | None
    pid: int | None
    process_start: float | None
    heartbeat: float | None
    directory: str
    """Where its log lies, relative to the workspace."""
    run_id: int | None
    """The run that an evaluation measures; for a run, its own id."""
    run_state: State | None
    """State of that run; None for a reference row."""
    after_run: bool
    subject: str
    """Equal for evaluations that one process can serve with one loaded model; "" for a run."""
    split: Split | None
    queue_rank: float
    """Place among queued jobs of one priority, lowest first; the time of queueing unless somebody moved it."""
    reference: Reference | None
    """Set for the evaluation of a reference row."""
    question: str | None
    """None for a run."""
    dataset: str
    model: str
    reason: str
    started_at: float | None
    step: int
    """Optimiser steps done; always 0 for an evaluation, whose progress is its number of predictions."""
    planned_steps: int | None
    """Optimiser steps of a run, cases of an evaluation; None until it is known."""
    error_title: str | None
    error_next_step: str | None
    devices: int
    """Devices that share the steps of a run (`training.devices`)."""
    phase: str | None = None
    """What the process of a run is doing (`engine.jobs.phases`); None for an evaluation."""
    stalled_at: float | None = None
    """Unix time since when a run has not got on; None while it does, and for an evaluation."""


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """Row of `metrics`."""

    id: int
    run_id: int
    key: str
    step: int
    value: float
    """NaN where the step gave no number."""
    time: float


@dataclass(frozen=True, slots=True)
class SampleRow:
    """Row of `samples`: telemetry at one heartbeat."""

    id: int
    run_id: int | None
    evaluation_id: int | None
    time: float
    cpu_percent: float | None
    """Of the whole machine, 0..100."""
    rss_bytes: int | None
    """Of the job process."""
    ram_used_bytes: int | None
    ram_total_bytes: int | None
    gpu_index: int | None
    gpu_utilisation_percent: float | None
    gpu_memory_used_bytes: int | None
    """The whole card, other processes included."""
    gpu_memory_total_bytes: int | None
    gpu_power_watts: float | None
    gpu_temperature_celsius: float | None


@dataclass(frozen=True, slots=True)
class Request:
    """Row of `requests`: what a user asks of an active job."""

    id: int
    time: float
    run_id: int | None
    evaluation_id: int | None
    action: Action
    settled_at: float | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class ImageRow:
    """Row of `images` without its keys: a usable image, or an entry that was left out with its problem."""

    path: str
    view: str
    split: Split | None
    """None for a problem."""
    sha256: str | None
    width: int | None
    height: int | None
    q7_verdict: Verdict | None
    problem: str | None
    """None for a usable image."""
    answers: Mapping[str, str] | None = None
    """Raw answer by question id; untrusted text. None for a problem, and for imports of older versions."""


@dataclass(frozen=True, slots=True)
class Note:
    """Row of `notes`."""

    id: int
    run_id: int
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class LookRow:
    """Row of `test_looks`: the ledger of looks at a test split."""

    id: int
    time: float
    dataset: str
    split_fingerprint: str
    evaluation_id: int
    purpose: str


@dataclass(frozen=True, slots=True)
class StudyRow:
    """Row of `studies`."""

    name: str
    question: str
    definition: str
    created_at: float
