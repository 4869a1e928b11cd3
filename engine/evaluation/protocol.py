"""How an evaluation measures: everything but the subject and the speed. Light, without torch.

Two figures may stand side by side only when their protocols and their cases have equal fingerprints. The model, its
quantization, the batch size and the machine are not part of the protocol.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from engine.questions.prompts import prompt_text
from engine.questions.vocabulary import NORMALITY, candidate_answers

VERSIONS: Mapping[str, int] = {"parser": 1, "scorer": 1, "label_scoring": 1}
"""Raised by whoever changes what an output is read as, how figures are computed, or how labels are scored."""

SAMPLE_SEED = 0
"""Seed of a limited sample of cases: fixed, so that all subjects meet the same cases."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol of one evaluation."""

    question: str
    prompt: str
    """Name of the wording."""
    image_size: int
    """Longest side in pixels."""
    max_new_tokens: int
    candidates: tuple[str, ...]
    """Answers among which label scoring chooses; empty for questions that are only generated."""

    def as_json(self) -> str:
        """All of it, with the text of the prompt and the versions of parser and scorer, in a canonical form."""
        content = {
            **asdict(self),
            "prompt_text": prompt_text(self.question, self.prompt),
            "decoding": "greedy",
            "versions": dict(VERSIONS),
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True)

    def fingerprint(self) -> str:
        """SHA-256 of `as_json`."""
        return hashlib.sha256(self.as_json().encode("utf-8")).hexdigest()


def build_protocol(
    question: str, prompt: str, image_size: int, max_new_tokens: int, training_answers: Iterable[str]
) -> Protocol:
    """The protocol of a question; only Q7 is scored by labels now.

    Args:
        question: Q1 to Q8 or report.
        prompt: name of the wording.
        image_size: longest side in pixels.
        max_new_tokens: longest answer in tokens.
        training_answers: answers of the dataset's training split to this question: they give the candidates.
    """
    candidates = tuple(candidate_answers(question, training_answers)) if question == NORMALITY else ()
    return Protocol(question, prompt, image_size, max_new_tokens, candidates)
