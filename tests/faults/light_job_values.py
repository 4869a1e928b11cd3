"""What a light job measures: known beforehand, so that a changed value is seen."""

from __future__ import annotations

import math

from engine.types import Outcome, Prediction


def loss_of(job_id: int, step: int) -> float:
    """The same for a step that is done again; neighbouring steps and jobs differ by more than 1e-4."""
    return job_id + math.sin(step) + step / 100


def prediction(job_id: int, number: int) -> Prediction:
    """The answer to the case of that number."""
    return Prediction(
        path=f"Head/Head_{number:05d}.png",
        view="Head",
        question="Q7",
        target="Normal",
        raw_output=f"answer {loss_of(job_id, number):.6f}",
        parsed="normal",
        target_parsed="normal",
        correct=True,
        p_abnormal=0.25,
        probabilities={"Normal": 0.75, "Abnormal": 0.25},
        cut_off=False,
        latency_seconds=0.5,
        generated_tokens=4,
        outcome=Outcome.RIGHT,
    )
