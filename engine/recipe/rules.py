"""What the keys of a recipe may not hold together, each rule with the keys it looks at.

The rules see plain values by dotted key, so that they can run beside field errors: a rule is left out only where one of
its own keys is at fault.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.questions.own_wording import wording_fault
from engine.questions.prompts import OWN, QUESTIONS, REPORT_ID, prompt_variants
from engine.questions.vocabulary import NORMALITY
from engine.recipe.text import quoted, shown

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One impossible combination."""

    keys: tuple[str, ...]
    check: Callable[..., str | None]
    """Takes the values of `keys` in order; what is wrong in words, or None."""


def _one_part(vision: bool, language: bool) -> str | None:
    return None if vision or language else "both are false, so nothing would be trained; set at least one to true"


def _once(items: Sequence[str]) -> str | None:
    twice = [item for item in dict.fromkeys(items) if items.count(item) > 1]
    return f"{quoted(twice)} named more than once; name each once" if twice else None


def _mixed(questions: Sequence[str]) -> bool:
    return REPORT_ID in questions and set(questions) != {REPORT_ID}


def _report_alone(questions: Sequence[str]) -> str | None:
    if not _mixed(questions):
        return None
    return (
        f'"{REPORT_ID}" cannot be mixed with single questions; '
        f'valid: ["{REPORT_ID}"] alone, or any of {quoted(QUESTIONS)}'
    )


def _prompt_exists(prompt: str, questions: Sequence[str]) -> str | None:
    if prompt == OWN:
        return None  # `_own_wording` looks at it
    asked = list(dict.fromkeys(questions))
    lacking = [question for question in asked if prompt not in prompt_variants(question)]
    if not lacking or _mixed(questions):
        return None
    verb = "does" if len(lacking) == 1 else "do"
    return (
        f"found {shown(prompt)}, which {', '.join(lacking)} {verb} not have; "
        f"valid for {', '.join(asked)}: {quoted(_common_wordings(asked))}"
    )


def _more_wordings(more: Sequence[str], prompt: str, questions: Sequence[str]) -> str | None:
    """Further wordings that each question is trained in."""
    if not more:
        return None
    if repeated := _once(more):
        return repeated
    if prompt in more:
        return f"{shown(prompt)} is the wording in prompt already; take it out of more_prompts"
    if _mixed(questions):
        return None
    asked = list(dict.fromkeys(questions))
    common = _common_wordings(asked)
    unknown = [wording for wording in more if wording not in common]
    if not unknown:
        return None
    lacking = [question for question in asked if any(wording not in prompt_variants(question) for wording in unknown)]
    verb = "does" if len(lacking) == 1 else "do"
    valid = [wording for wording in common if wording != prompt]
    return (
        f"found {quoted(unknown)}, which {', '.join(lacking)} {verb} not have; "
        f"valid for {', '.join(asked)} beside {shown(prompt)}: {quoted(valid) if valid else 'none'}"
    )


def _common_wordings(asked: Sequence[str]) -> list[str]:
    """Wordings that all questions have."""
    return [
        variant for variant in prompt_variants(asked[0]) if all(variant in prompt_variants(other) for other in asked)
    ]


def _own_wording(prompt: str, text: str, questions: Sequence[str]) -> str | None:
    if prompt != OWN:
        return f'a wording is given, but prompt is {shown(prompt)}; write prompt = "{OWN}"' if text.strip() else None
    if not text.strip():
        return f'prompt = "{OWN}" needs the wording itself in prompt_text'
    fault = wording_fault(text)
    if fault is not None:
        return f"the wording cannot be used: {fault}; take it out of prompt_text"
    return "one wording cannot ask several questions; name one question" if len(questions) > 1 else None


def _weighted(loss: str, questions: Sequence[str]) -> str | None:
    if not loss.startswith("weighted") or {NORMALITY, REPORT_ID}.intersection(questions):
        return None
    return f"weights are those of verdicts, so a weighted loss needs {NORMALITY} or {REPORT_ID} among the questions"


RULES = (
    Rule(("lora.vision", "lora.language"), _one_part),
    Rule(("lora.attention", "lora.mlp"), _one_part),
    Rule(("data.questions",), _once),
    Rule(("data.questions",), _report_alone),
    Rule(("data.prompt", "data.questions"), _prompt_exists),
    Rule(("data.prompt", "data.prompt_text", "data.questions"), _own_wording),
    Rule(("data.more_prompts", "data.prompt", "data.questions"), _more_wordings),
    Rule(("training.loss", "data.questions"), _weighted),
    Rule(("evaluation.splits",), _once),
    Rule(("evaluation.normalisation",), _once),
)


def combination_problems(values: Values) -> list[tuple[tuple[str, ...], str]]:
    """The rules that `values` breaks, as (keys, what is wrong).

    Args:
        values: values by dotted key, each valid by itself; a rule whose keys are not all there is skipped.
    """
    problems = []
    for rule in RULES:
        if all(key in values for key in rule.keys):
            problem = rule.check(*(values[key] for key in rule.keys))
            if problem:
                problems.append((rule.keys, problem))
    return problems
