"""What a study has declared before it ran, as hashes: a rule that is changed afterwards is told apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from engine.study.models import Decision, Study
from engine.study.scaled import Scaled


def rule_hash(whole: Scaled, known: Iterable[str] | None = None) -> str:
    """SHA-256 over what decides at a scale: split, figure, degradations, decisions, and what they are held against.

    Where a decision is about each arm, the arms belong to it: their number is that of the tests.

    Args:
        whole: the study with all arms of the file.
        known: arms that there were when a rule was declared. Those added since extend a study and change no rule, so
            they are left out; one that was taken out changes it. None for all arms.
    """
    content = {
        "measure": whole.study.measure.model_dump(mode="json"),
        "decide": [decision.model_dump(mode="json") for decision in whole.decide],
        "baseline": whole.baseline,
    }
    if any(decision.kind == "each" for decision in whole.decide):
        content["arms"] = sorted(whole.arms if known is None else set(known) & set(whole.arms))
    return _hash(json.dumps(content, sort_keys=True, ensure_ascii=False))


def definition_hash(study: Study) -> str:
    """SHA-256 over all that a study file says, comments and layout aside."""
    return _hash(study.model_dump_json())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rule_words(whole: Scaled) -> tuple[str, ...]:
    """The decisions of a study at a scale: the question, and by which rule it is answered. Untrusted text."""
    return tuple(f"{decision.ask} {_rule(decision, whole)}" for decision in whole.decide)


def _rule(decision: Decision, whole: Scaled) -> str:
    figure = decision.figure or whole.study.measure.figure or "the main figure"
    than = decision.than or whole.baseline
    pair = f"{decision.arm} against {than} by {figure}"
    what = {
        "better": f"{pair}, paired over the same images; yes where it is better and that is no chance",
        "non_inferior": f"{pair}; yes where the interval of the difference lies above -{decision.margin:g}",
        "at_least": f"{decision.arm} by {figure}; yes where its whole interval lies above {decision.threshold:g}",
        "each": f"each arm against {than} by {figure}, paired over the same images, adjusted for their number",
    }[decision.kind]
    return f"Rule: {what}."
