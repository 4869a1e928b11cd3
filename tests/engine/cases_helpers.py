"""Evaluations with predictions, for the tests that look at single cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from data_helpers import ABNORMAL, ANSWERS, eight_lines, write_image, write_lines
from store_helpers import add_evaluation, add_run

from engine import api
from engine.evaluation.judging import judge
from engine.questions.serving_errors import DEFAULT_PATTERNS, compile_patterns
from engine.store.writer import Writer
from engine.types import JobKind, Prediction, Reference, State
from engine.workspace import Workspace

ERRORS = compile_patterns(DEFAULT_PATTERNS)
VIEWS = ("Abdomen", "Femur", "NT-View", "Standard_NT")
EACH = 6
"""Images of each view."""
CANDIDATES = ("Normal for gestational age", "Abnormal NT thickening", "Within normal limits")


def said(
    path: str,
    output: str,
    target: str,
    p: float | None = None,
    *,
    question: str = "Q7",
    cut_off: bool = False,
    latency: float = 0.25,
) -> Prediction:
    """A prediction as an evaluation would store it: read and held against its target."""
    judged = judge(question, output, target, cut_off=cut_off, errors=ERRORS)
    shares = {} if p is None else {CANDIDATES[0]: 0.75 * (1 - p), CANDIDATES[1]: p, CANDIDATES[2]: 0.25 * (1 - p)}
    return Prediction(
        path=path,
        view=path.partition("/")[0],
        question=question,
        target=target,
        raw_output=output,
        parsed=judged.parsed,
        target_parsed=judged.target_parsed,
        correct=judged.correct,
        p_abnormal=p,
        probabilities=shares,
        cut_off=cut_off,
        latency_seconds=latency,
        generated_tokens=len(output.split()),
        outcome=judged.outcome,
    )


def measured(
    writer: Writer,
    subject: int | Reference,
    predictions: Iterable[Prediction],
    *,
    threshold: float | None = 0.4,
    **where: Any,
) -> int:
    """A finished evaluation with these predictions; its id."""
    rows = list(predictions)
    reference = subject if isinstance(subject, Reference) else None
    run = None if reference is not None else int(subject)
    evaluation = add_evaluation(writer, run, reference, **{"dataset": "fetal", **where})
    writer.add_predictions(evaluation, rows)
    for before, after in (
        (State.QUEUED, State.STARTING),
        (State.STARTING, State.RUNNING),
        (State.RUNNING, State.SUCCEEDED),
    ):
        more: dict[str, Any] = {"n": len(rows)} if after is State.SUCCEEDED else {}
        if more and threshold is not None:
            more |= {"threshold": threshold, "threshold_source": "chosen on validation"}
        assert writer.transition(JobKind.EVALUATION, evaluation, before, after, "test", **more)
    return evaluation


def paths(views: Sequence[str] = VIEWS) -> list[str]:
    return [f"{view}/{view}_{number:03d}.png" for view in views for number in range(EACH)]


def target_of(path: str) -> str:
    """The first two images of each view of nuchal translucency are abnormal."""
    number = int(path[-7:-4])
    return "Abnormal NT thickening" if "NT" in path and number < 2 else "Normal for gestational age"


def case_workspace(folder: Path) -> Workspace:
    """A dataset of four views, two of them NT, and what several subjects say of it on the test split.

    Runs: 1 careful (all right but one), 2 eager (calls every NT image abnormal; one serving error, one unreadable and
    one cut-off output), 3 half (other cases: half of the images). Reference: base. And a blank control of careful.
    """
    workspace, lines = Workspace(folder / "workspace"), []
    workspace.root.mkdir()
    for path in paths():
        write_image(folder / "images", path)
        lines += eight_lines(path, Q7=target_of(path))
    api.import_chat_file(workspace, "fetal", write_lines(folder / "fetal.jsonl", lines), folder / "images")
    with Writer.open(workspace) as writer:
        for name in ("careful", "eager", "half"):
            add_run(writer, name)
        measured(writer, 1, careful())
        measured(writer, 2, eager())
        half = [said(path, "Normal", target_of(path), 0.1) for path in paths() if int(path[-5]) % 2]
        measured(writer, 3, half, cases="cases-2")
        measured(
            writer, Reference.BASE, [said(path, "A scan.", target_of(path), 0.5) for path in paths()], threshold=None
        )
        others = {"Q1": "liver, stomach", "Q8": "Prenatal routine monitoring"}
        for question, answer in others.items():
            rows = [said(path, answer, ANSWERS[question], question=question) for path in paths()]
            measured(writer, 1, rows, question=question, threshold=None)
        blank = [said(path, "Normal", target_of(path), 0.2) for path in paths()]
        measured(writer, 1, blank, protocol="grey", degradation="blank", clean_protocol_fingerprint="protocol-1")
    return workspace


def careful() -> list[Prediction]:
    rows = []
    for path in paths():
        abnormal = "Abnormal" in target_of(path) and path != "NT-View/NT-View_001.png"
        rows.append(said(path, ABNORMAL if abnormal else "Normal.", target_of(path), 0.9 if abnormal else 0.1))
    return rows


def eager() -> list[Prediction]:
    odd = {
        "Abdomen/Abdomen_000.png": ("ERROR: API error 503: overloaded", None, False),
        "Abdomen/Abdomen_001.png": ("A grey picture.", 0.3, False),
        "Abdomen/Abdomen_002.png": ("The image shows a", 0.2, True),
    }
    rows = []
    for path in paths():
        usual = ("Increased NT", 0.8, False) if "NT" in path else ("Within normal limits", 0.05, False)
        output, p, cut_off = odd.get(path, usual)
        rows.append(said(path, output, target_of(path), p, cut_off=cut_off))
    return rows
