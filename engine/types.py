"""Values that cross module boundaries. Standard library only: the terminal screens import this at start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class JobKind(StrEnum):
    """What a job process does; also the name of its module under `engine`."""

    TRAINING = "training"
    EVALUATION = "evaluation"


class State(StrEnum):
    """Life of a run or an evaluation.

    queued -> starting -> running -> succeeded | failed | cancelled | interrupted;
    failed and interrupted (and a run that was stopped early) may go back to queued by `resume`.
    """

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE = (State.STARTING, State.RUNNING)
"""States in which a process should be alive."""

ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.INTERRUPTED)
"""States in which no process should be alive."""

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.STARTING, State.CANCELLED}),
    State.STARTING: frozenset({State.RUNNING, State.QUEUED, State.FAILED, State.CANCELLED, State.INTERRUPTED}),
    State.RUNNING: frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.INTERRUPTED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset(),
    State.INTERRUPTED: frozenset({State.QUEUED}),
}
"""Which state may follow which; the store refuses every other transition."""


class Action(StrEnum):
    """What a user can ask of an active job; the job reads it at its next step."""

    STOP = "stop"
    """Save a checkpoint and the adapter, then end as interrupted (resumable)."""
    CANCEL = "cancel"
    """End at once as cancelled."""


class Split(StrEnum):
    """The three parts of a dataset."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Reference(StrEnum):
    """Rows of the leaderboard that are no tuned run but tell what its figures are worth."""

    MAJORITY = "majority"
    """Always the most frequent answer of the training split."""
    MAJORITY_BY_VIEW = "majority_by_view"
    """The most frequent answer of each view: what knowing the view alone is worth."""
    SHUFFLED = "shuffled"
    """The annotated answers, dealt out to the wrong images: what a measure gives to answers that say nothing."""
    BASE = "base"
    """The untuned model."""


class Verdict(StrEnum):
    """What an answer to Q7 says."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"
    UNCLEAR = "unclear"
    """The answer itself says that it cannot be told."""
    UNPARSEABLE = "unparseable"
    """No verdict was found in the text: a class of its own, neither right nor normal."""


class Outcome(StrEnum):
    """What became of one output; outputs that are no answer are counted apart from wrong answers."""

    RIGHT = "right"
    WRONG = "wrong"
    UNPARSEABLE = "unparseable"
    """No answer to the question was found in the text."""
    CUT_OFF = "cut_off"
    """The output reached max_new_tokens, and what there is of it is not right."""
    ERROR = "error"
    """The server that should have answered reported an error instead."""
    UNSCORED = "unscored"
    """The target itself cannot be read, so nothing can be said about the output."""


IMPORTED = "imported"
"""Kind of a run whose predictions another tool has made."""

BLANK = "blank"
"""Degradation of the control that shows a grey image in place of each: a model that looks must do worse on it."""


class Mark(StrEnum):
    """What a reader must know before believing an evaluation. One sentence with the figures stands beside each."""

    COLLAPSED = "collapsed"
    """It gives one and the same answer where the targets differ."""
    BLIND = "does not look at the image"
    """It scores as well on grey images."""
    BELOW_MAJORITY = "below majority"
    """The most frequent answer scores as well or better."""
    ERRORS = "serving errors"
    """Some outputs are error messages."""
    CUT_OFF = "cut off"
    """Some outputs reached the limit of tokens before they were an answer."""
    UNPARSEABLE = "unparseable"
    """In some outputs no answer was found."""
    LEAK = "leak"
    """Images of the split have near-duplicates in the training split."""
    FEW_CASES = "few cases"
    """Too few abnormal or normal cases for a figure."""
    INSENSITIVE = "measure cannot tell"
    """A text measure gives as much to answers that belong to other images."""
    THRESHOLD = "default threshold"
    """No validation evaluation: the threshold was not chosen on data."""


QUESTION_IDS = ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8")


@dataclass(frozen=True, slots=True)
class Case:
    """One image of a dataset with its answers."""

    index: int
    """Row number in the manifest; stable for one dataset fingerprint."""
    path: str
    """Path relative to the image root, with forward slashes: the identity of the image within its dataset."""
    file: Path
    """Where the image lies now."""
    view: str
    split: Split
    answers: Mapping[str, str]
    """Raw answers by question id; a question without an answer is absent."""
    sha256: str
    """Hash of the file's bytes."""
    width: int
    height: int

    @property
    def image_root(self) -> Path:
        """The folder that `path` is relative to, and that `file` must lie in whenever it is read."""
        return self.file.parents[self.path.count("/")]


@dataclass(frozen=True, slots=True)
class Problem:
    """One input that was left out of a dataset, and why."""

    source: str
    """File (and line) in which the entry stands."""
    item: str
    """The image path or row as written there; untrusted text."""
    reason: str


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """Row of `datasets`: the summary of an imported dataset."""

    name: str
    kind: str
    """Importer: phantoms, sheet, jsonl, sharegpt or huggingface."""
    fingerprint: str
    """SHA-256 over image bytes, questions and answers, in path order."""
    split_fingerprint: str
    """SHA-256 over (path, split) in path order."""
    split_seed: int
    image_root: str
    images: int
    problems: int
    created_at: float
    options: Mapping[str, object] = field(default_factory=dict)
    """What the importer was asked for (phantom count, seed, abnormal share ...)."""


@dataclass(frozen=True, slots=True)
class Score:
    """One figure of one evaluation."""

    scope: str
    """`all`, or `view:NAME`."""
    name: str
    value: float | None
    """None where it is undefined, such as sensitivity without an abnormal case."""
    low: float | None
    """Lower end of the 95 % interval."""
    high: float | None
    n: int
    """Number of cases behind the value (for sensitivity: the abnormal ones)."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model said of one case."""

    path: str
    view: str
    question: str
    target: str
    raw_output: str
    """Generated text, unaltered; untrusted."""
    parsed: str
    """Normalised verdict of the output (a `Verdict` value for Q7)."""
    target_parsed: str
    correct: bool | None
    """None where the output or the target could not be read."""
    p_abnormal: float | None
    """Probability of an abnormal answer among the candidate answers, in 0..1."""
    probabilities: Mapping[str, float]
    """Probability of each candidate answer; sums to 1."""
    cut_off: bool
    """The output reached max_new_tokens without an end token."""
    latency_seconds: float
    """Generation time of the batch divided by its size."""
    generated_tokens: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a run's history."""

    id: int
    time: float
    run_id: int | None
    evaluation_id: int | None
    kind: str
    detail: str
