"""How an output is read and held against its target. Pure and light."""

from __future__ import annotations

from dataclasses import dataclass

from engine.questions.answers import agree, read_answer
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.reading import Reading, Status
from engine.questions.serving_errors import Compiled, is_serving_error
from engine.types import Outcome


@dataclass(frozen=True, slots=True)
class Judgement:
    """One output beside its target."""

    parsed: str
    """Canonical form of what the output says; the name of its status where it was not read."""
    target_parsed: str
    outcome: Outcome

    @property
    def correct(self) -> bool | None:
        """None where the output is no answer, or the target cannot be read."""
        if self.outcome is Outcome.RIGHT:
            return True
        return False if self.outcome is Outcome.WRONG else None


def judge(
    question: str,
    output: str,
    target: str,
    *,
    cut_off: bool = False,
    errors: Compiled | None = None,
    layers: Layers = ALL_LAYERS,
) -> Judgement:
    """Read an output and its target, and say what became of it.

    What a server reports instead of an answer is never read as one. An output that was cut off counts as right where
    what there is of it is right, and as cut off otherwise: with more tokens it might have become right.

    Args:
        question: Q1 to Q8 or report.
        output: as generated; untrusted.
        target: as annotated; untrusted.
        cut_off: the output reached max_new_tokens.
        errors: patterns of serving errors; None for the usual ones.
        layers: of normalisation, for both sides; Q7 is read in the same way whatever they are.
    """
    meant = read_answer(question, target, layers)
    if is_serving_error(output, errors):
        return Judgement(Status.UNPARSEABLE, meant.value, Outcome.ERROR)
    said = read_answer(question, output, layers)
    return Judgement(said.value, meant.value, outcome_of(question, said, meant, cut_off=cut_off))


def outcome_of(question: str, said: Reading, meant: Reading, *, cut_off: bool) -> Outcome:
    """What became of an output that is no serving error."""
    if meant.status is Status.UNPARSEABLE:
        return Outcome.UNSCORED
    if said.status is not Status.UNPARSEABLE and agree(question, said, meant):
        return Outcome.RIGHT
    if cut_off:
        return Outcome.CUT_OFF
    return Outcome.UNPARSEABLE if said.status is Status.UNPARSEABLE else Outcome.WRONG
