"""Fuzz target: outputs of models and annotated answers, as every question reads them, in every set of layers."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from fuzzing import Target
from hostile import TEXT, joined, long_text
from hypothesis import strategies as st

from engine.evaluation.judging import judge
from engine.questions.answers import agree, keywords, normalise, read_answer
from engine.questions.normalise.layers import ALL_LAYERS, Layer, Layers
from engine.questions.parsing import parse_normality
from engine.questions.prompts import QUESTIONS, REPORT_ID
from engine.questions.reading import Status
from engine.questions.tracing import trace
from engine.types import Outcome

WORDS = (
    "normal", "abnormal", "not", "no", "un", "not abnormal", "no abnormality seen", "within normal limits", "isn't", "cannot be told",
    "unclear", "UNCLEAR", "axial", "sagittal", "coronal", "trans-thalamic", "four chamber", "4-chamber", "fetal head to right", "cephalic",
    "breech", "aorta", "inferior vena cava", "umbilical vein", "liver,", "stomach;", "and", "or", "BPD", "HC", "AC", "femur length (FL)",
    "NT", "20", "25", "-", "to", "between", "weeks", "wks", "w", "+", "3", "days", "38+", "months", "18-200 weeks", "2024-05-03", "good",
    "medium", "low", "image quality", "poor", "follow up", "prenatal", "routine", "monitoring", "clinical assessment", "delivery mode",
    "Anatomical Structures:", "Normality Assessment:", "**Q7**:", "1.", "##", "Answer:", "<think>", "</think>", "\n", "\n\n", ". ", ", ",
    "probablity", "symphsis", "veiw", "longituidinal", "vertebrea", "ERROR: API error 500", "Traceback (most recent call last)",
    "{\"error\":", "HTTP 503", "cuda", "out of memory",
)  # fmt: skip
SPOKEN = st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(WORDS), TEXT), max_size=12).map(" ".join)
REPEATED = st.tuples(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join), st.sampled_from(("", " ", ", ", "\n", "-"))
).map(lambda each: ((each[0] + each[1]) * 10_000)[:10_000])
OUTPUT = st.one_of(*[SPOKEN] * 12, *[TEXT] * 4, joined(), joined(most=20), st.one_of(REPEATED, long_text()))
LAYERS = tuple(frozenset(each) for count in range(len(Layer) + 1) for each in combinations(Layer, count))


def check(given: tuple[str, str, str, Layers]) -> None:
    """Read an output and a target as every door of the package does."""
    question, output, target, layers = given
    said, meant = read_answer(question, output, layers), read_answer(question, target, layers)
    for reading in (said, meant):
        assert isinstance(reading.status, Status)
        assert reading.status is Status.READ or not reading.items
        # One character may stand for eighteen (U+FDFA in its plain form), none for more.
        assert len(reading.value) <= 18 * max(len(output), len(target)) + 200
    assert agree(question, said, said) or said.status is Status.UNPARSEABLE
    once = normalise(question, output, layers)
    if layers == ALL_LAYERS:  # with fewer of them a parser may see marks that the text layer would have taken away
        assert normalise(question, once, layers) == once
    judged = judge(question, output, target, cut_off=len(target) % 2 == 0, layers=layers)
    assert isinstance(judged.outcome, Outcome)
    keywords(question, output, layers)
    parse_normality(output)
    for change in trace(question, [output, target], layers):
        assert change.count in (1, 2)


FOUND: tuple[tuple[Any, ...], ...] = ()
TARGET = Target(
    "answers", st.tuples(st.sampled_from((*QUESTIONS, REPORT_ID)), OUTPUT, st.one_of(SPOKEN, TEXT), st.sampled_from(LAYERS)), check, FOUND
)  # fmt: skip
