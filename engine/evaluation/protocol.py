"""How an evaluation measures: everything but the subject and the speed. Light, without torch.

Two figures may stand side by side only when their protocols and their cases have equal fingerprints. The model, its
quantization, the batch size and the machine are not part of the protocol.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace

from engine.errors import JobError
from engine.questions.answer_forms import formed_answer
from engine.questions.normalise.layers import ALL_LAYERS, NORMALISATION_VERSION, Layer, Layers, layer_names
from engine.questions.prompts import AnswerForm, answer_form, prompt_text
from engine.questions.serving_errors import DEFAULT_PATTERNS
from engine.questions.vocabulary import NORMALITY, candidate_answers
from engine.text import one_line
from engine.types import IMPORTED

VERSIONS: Mapping[str, int] = {"parser": 2, "normalisation": NORMALISATION_VERSION, "scorer": 2, "label_scoring": 1}
"""Raised by whoever changes what an output is read as, how figures are computed, or how labels are scored."""

NORMALISATION = "normalisation"
"""Key of the layers in a stored protocol."""

ANSWER_FORM = "answer_form"
"""Key of the form in which candidates stand, in the stored protocol of a wording that asks for one."""

SAMPLE_SEED = 0
"""Seed of a limited sample of cases: fixed, so that all subjects meet the same cases."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """The protocol of one evaluation."""

    question: str
    prompt: str
    """Name of the wording; `own` for the user's, `imported` where another tool has asked."""
    image_size: int
    """Longest side in pixels; 0 where it is not known."""
    max_new_tokens: int
    candidates: tuple[str, ...]
    """Answers among which label scoring chooses; empty for questions that are only generated."""
    degradation: str = ""
    """What is done to the images before they are shown: "" nothing, `blank` a grey image in place of each."""
    error_patterns: tuple[str, ...] = DEFAULT_PATTERNS
    """Regular expressions of outputs that are no answer but a server's error."""
    layers: Layers = ALL_LAYERS
    """Layers of normalisation that answers and targets go through before they are compared."""
    prompt_text: str = ""
    """The wording itself where it is the user's; "" for all others."""

    @property
    def wording(self) -> str:
        """The words in which the model is asked; "" where another tool has asked, since how is not known."""
        return "" if self.prompt == IMPORTED else prompt_text(self.question, self.prompt, self.prompt_text)

    def as_json(self) -> str:
        """All of it, with the text of the prompt and the versions of parser and scorer, in a canonical form."""
        content = asdict(self)
        del content["layers"]
        content |= {
            NORMALISATION: layer_names(self.layers),
            "prompt_text": self.wording,
            "decoding": "greedy",
            "versions": dict(VERSIONS),
            **form_record(self.question, self.prompt),
        }
        return json.dumps(content, ensure_ascii=False, sort_keys=True)

    def fingerprint(self) -> str:
        """SHA-256 of `as_json`."""
        return hashlib.sha256(self.as_json().encode("utf-8")).hexdigest()

    def clean(self) -> Protocol:
        """The same protocol with the images as they are."""
        return replace(self, degradation="")


def build_protocol(
    question: str,
    prompt: str,
    image_size: int,
    max_new_tokens: int,
    training_answers: Iterable[str],
    *,
    degradation: str = "",
    error_patterns: Iterable[str] = DEFAULT_PATTERNS,
    layers: Layers = ALL_LAYERS,
    own_text: str = "",
) -> Protocol:
    """The protocol of a question; only Q7 is scored by labels now.

    Args:
        question: Q1 to Q8 or report.
        prompt: name of the wording.
        image_size: longest side in pixels.
        max_new_tokens: longest answer in tokens.
        training_answers: answers of the dataset's training split to this question: they give the candidates.
        degradation: of the images; see `Protocol`.
        error_patterns: of serving errors.
        layers: of normalisation.
        own_text: the wording itself where `prompt` is `own`.
    """
    candidates: tuple[str, ...] = ()
    if question == NORMALITY:
        # In the form that a model was trained to give: it would hardly ever say them in another.
        seen = candidate_answers(question, training_answers)
        candidates = tuple(dict.fromkeys(formed_answer(question, prompt, answer) for answer in seen))
    patterns = tuple(error_patterns)
    return Protocol(
        question, prompt, image_size, max_new_tokens, candidates, degradation, patterns, layers, prompt_text=own_text
    )


def form_record(question: str, prompt: str) -> dict[str, str]:
    """What a stored protocol says of the form of answers: nothing for wordings that ask for none.

    So the fingerprints of those wordings are what they were before answers had a form.
    """
    form = answer_form(question, prompt)
    return {} if form is AnswerForm.FREE else {ANSWER_FORM: form.value}


def layers_of(protocol: str) -> Layers:
    """The layers that an evaluation was measured with, by its stored protocol.

    Args:
        protocol: JSON; one that was stored before layers could be switched off names none, and had them all. So has
            one that is damaged, as far as anybody knows.

    Raises:
        JobError: a layer is named that this version of sonotune does not have.
    """
    try:
        content = json.loads(protocol or "{}")
    except ValueError:
        return ALL_LAYERS
    return known_layers(content.get(NORMALISATION)) if isinstance(content, dict) else ALL_LAYERS


def known_layers(names: Iterable[str] | None) -> Layers:
    """Layers by their names; all of them for None.

    Raises:
        JobError: this version of sonotune has no layer of that name.
    """
    if names is None:
        return ALL_LAYERS
    given = [str(name) for name in names]
    unknown = [name for name in given if name not in tuple(Layer)]
    if unknown:
        raise JobError(
            f"There is no layer of normalisation named {one_line(unknown[0])}",
            f"This version of sonotune has {', '.join(Layer)}.",
            "Measure again with `sonotune evaluate`, or use the version that has made this evaluation.",
        )
    return frozenset(map(Layer, given))
