"""Workspaces with evaluations of every question, as a report finds them."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli_helpers import succeed
from store_helpers import add_evaluation

from engine.evaluation.judging import judge
from engine.evaluation.scores import score
from engine.reporting.document.page import page
from engine.reporting.markdown import to_markdown
from engine.reporting.model import Report
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.types import BLANK, JobKind, Outcome, Prediction, Reference, Score, Split
from engine.workspace import Workspace

VIEWS = ("Abdomen", "Femur", "NT-View", "Thorax")
HOSTILE = (
    "<script>alert(1)</script> [x](http://evil.example) | `b` ![i](http://evil.example/i.png) *s* $x^2$ \x1b[31m\u202e"
)
ANSWERS: dict[str, tuple[str, ...]] = {
    "Q1": ("aorta, liver, stomach", "femur", "heart, ribs, lungs", "liver, umbilical vein"),
    "Q2": ("Fetal head to right", "Cephalic presentation", "Fetal head to left", "Breech presentation"),
    "Q3": ("Trans-thalamic view", "Transverse trans-abdominal plane", "Mid-sagittal", "Femur longitudinal"),
    "Q4": ("AC", "femur length (FL)", "NT thickness, CRL", "BPD and HC"),
    "Q5": ("8-13", "13-15", "15-20", "20-25", "25-30", "30-35"),
    "Q6": ("Good", "Good", "Good", "Medium", "Low"),
    "Q7": ("Normal for gestational age",),
    "Q8": ("Prenatal routine monitoring", "Follow up", "Clinical assessment for delivery mode"),
    "report": (),
}
ABNORMAL = "Abnormal NT thickening"
RECIPE = {
    "name": "baseline",
    "data": {"dataset": "fetal", "questions": ["Q7"], "prompt": "detailed", "balance": "none", "augment": "none",
             "limit": 0, "image_size": 512},
    "model": {"id": "Qwen3-VL-8B", "quantization": "4bit", "backend": "auto"},
    "lora": {"r": 16, "alpha": 16, "dropout": 0.0, "vision": True, "language": True, "attention": True, "mlp": True},
    "training": {"epochs": 3.0, "max_steps": 0, "batch": 2, "accumulation": 4, "learning_rate": 2e-4,
                 "schedule": "linear", "warmup": 0.03, "seed": 42, "weight_decay": 0.0, "max_grad_norm": 1.0},
}  # fmt: skip


def report_answer(number: int) -> str:
    """An annotated report."""
    from engine.questions.prompts import report_text

    answers = {q: options[number % len(options)] for q, options in ANSWERS.items() if options}
    return report_text(answers)


def target_of(question: str, number: int, abnormal_every: int) -> str:
    """The annotated answer of an image."""
    if question == "report":
        return report_answer(number)
    if question == "Q7" and abnormal_every and number % abnormal_every == 0:
        return ABNORMAL
    options = ANSWERS[question]
    return options[number % len(options)]


def predictions(
    question: str = "Q7", n: int = 80, *, skill: float = 0.85, seed: int = 1, abnormal_every: int = 8, errors: int = 0
) -> list[Prediction]:
    """What a subject of this skill (0..1) says; the last `errors` of the outputs are serving errors."""
    chance = random.Random(f"{seed}-{question}")
    found = []
    for number in range(n):
        target = target_of(question, number, abnormal_every)
        said = target if chance.random() < skill else target_of(question, chance.randrange(n), 2)
        if number >= n - errors:
            said = "ERROR: API error 503"
        elif chance.random() < 0.02:
            said = "?"
        found.append(prediction_of(question, number, target, said, chance, skill))
    return found


def prediction_of(
    question: str, number: int, target: str, said: str, chance: random.Random, skill: float
) -> Prediction:
    """One output, judged as an evaluation judges it."""
    from engine.questions.serving_errors import DEFAULT_PATTERNS, compile_patterns

    judged = judge(question, said, target, errors=compile_patterns(DEFAULT_PATTERNS))
    p = None
    if question == "Q7":
        centre = (0.5 + 0.38 * skill) if target == ABNORMAL else (0.5 - 0.38 * skill)
        p = min(0.999, max(0.001, chance.gauss(centre, 0.22)))
    view = VIEWS[number % len(VIEWS)]
    return Prediction(
        path=f"{view}/{view}_{number:03d}.png", view=view, question=question, target=target, raw_output=said,
        parsed=judged.parsed, target_parsed=judged.target_parsed, correct=judged.correct, p_abnormal=p,
        probabilities={} if p is None else {"Normal for gestational age": 1 - p, ABNORMAL: p}, cut_off=False,
        latency_seconds=0.4, generated_tokens=6, outcome=judged.outcome,
    )  # fmt: skip


def measure(
    writer: Writer,
    run_id: int | None = None,
    reference: Reference | None = None,
    *,
    question: str = "Q7",
    split: Split = Split.TEST,
    said: Sequence[Prediction] = (),
    marks: Sequence[tuple[str, str]] = (),
    threshold: float | None = 0.5,
    dataset: str = "fetal",
    degradation: str | None = None,
    protocol: dict[str, Any] | None = None,
    prints: tuple[str, str] = ("data-1", "split-1"),
    model: str = "Qwen3-VL-8B",
) -> int:
    """One evaluation that has succeeded, with the scores that its predictions have."""
    content = {
        "prompt": "detailed", "prompt_text": "Normality: say `normal` or ``` <b>abnormal</b>.", "image_size": 512,
        "max_new_tokens": 64, "candidates": ["Normal for gestational age", ABNORMAL] if question == "Q7" else [],
        "decoding": "greedy", "versions": {"parser": 2, "scorer": 2}, "quantization": "4bit",
    }  # fmt: skip
    evaluation = add_evaluation(
        writer, run_id, reference, split=split, question=question, dataset=dataset, prompt="detailed",
        protocol="clean" if degradation is None else f"clean+{degradation}", degradation=degradation,
        max_new_tokens=64, case_limit=0, dataset_fingerprint=prints[0], split_fingerprint=prints[1],
    )  # fmt: skip
    writer.add_predictions(evaluation, said)
    decided = threshold if question == "Q7" else None
    writer.add_scores(evaluation, score(question, said, decided) if said else [])
    writer.set_marks(evaluation, [MarkRow(evaluation, kind, "all", detail) for kind, detail in marks])
    counts = {o: sum(p.outcome is o for p in said) for o in Outcome}
    succeed(
        writer, JobKind.EVALUATION, evaluation, n=len(said), threshold=decided,
        threshold_source="validation, evaluation 9" if decided else None, errors=counts[Outcome.ERROR],
        unparseable=counts[Outcome.UNPARSEABLE], cut_off=0, seconds=30.0, seconds_per_image=0.4, tokens_per_second=31.5,
        ended_at=1_700_000_000.0 + evaluation, gpu_name="RTX 5090",
        protocol=json.dumps({**content, **(protocol or {})}),
        clean_protocol_fingerprint="clean", model=model,
    )  # fmt: skip
    return evaluation


def trained_run(writer: Writer, name: str, **recipe: Any) -> int:
    """A run that has succeeded, with everything that a page says of it."""
    content = json.loads(json.dumps(RECIPE))
    for key, value in {"name": name, **{key.replace("__", "."): value for key, value in recipe.items()}}.items():
        section, _, field = key.rpartition(".")
        (content[section] if section else content)[field] = value
    run_id = writer.create_run(
        name, json.dumps(content), "fetal", "data-1", "split-1", "Qwen3-VL-8B", content["training"]["seed"]
    )
    succeed(
        writer, JobKind.TRAINING, run_id, backend="unsloth", quantization="4bit", train_seconds=14_280.0,
        versions={"torch": "2.11.0", "transformers": "5.17.0", "peft": "0.21.0"},
        git_revision="0123456789abcdef+changes",
        gpu_name="RTX 5090 Laptop", step=5214, planned_steps=5214, samples_per_second=2.9, final_loss=0.0464,
        peak_vram_allocated_bytes=10 * 2**30, peak_rss_bytes=6 * 2**30, trained_parameters=51_000_000,
        total_parameters=8_800_000_000, lora_modules=540,
    )  # fmt: skip
    return run_id


def full_workspace(folder: Path, question: str = "Q7", *, n: int = 80, split: Split = Split.TEST) -> Workspace:
    """Two runs, all references, a control, marks and a ledger, on one ranking."""
    workspace = Workspace(folder)
    with Writer.open(workspace) as writer:
        good, weak = trained_run(writer, "baseline"), trained_run(writer, HOSTILE, lora__r=8, training__seed=7)
        options: dict[str, Any] = {"question": question, "split": split}
        for reference, skill in (
            (Reference.MAJORITY, 0.0), (Reference.MAJORITY_BY_VIEW, 0.2), (Reference.SHUFFLED, 0.1),
            (Reference.BASE, 0.3),
        ):  # fmt: skip
            measure(writer, None, reference, said=predictions(question, n, skill=skill, seed=3), **options)
        first = measure(writer, good, said=predictions(question, n, skill=0.9), **options)
        measure(writer, good, said=predictions(question, n, skill=0.0, seed=5), degradation=BLANK, **options)
        measure(
            writer, weak, said=predictions(question, n, skill=0.5, seed=8, errors=3),
            marks=[("serving errors", f"3 of {n} outputs, such as: {HOSTILE}")], **options,
        )  # fmt: skip
        if split is Split.TEST:
            writer.add_test_look(first, "fetal", "split-1", f"final comparison {HOSTILE}")
    return workspace


def stored_scores(workspace: Workspace, evaluation: int) -> list[Score]:
    """What the store has of an evaluation."""
    from engine.store.reader import Reader

    with Reader(workspace) as reader:
        return reader.scores(evaluation)


def text_of(report: Report) -> str:
    """The page as Markdown, without the time that its plots take."""
    return to_markdown(page(report, []))
