"""What an answer says: normalised text, its reading, and whether two answers agree. The door to everything in this
package.

    said = read_answer("Q5", "Gestational Age: between 20 and 25 weeks.")
    agree("Q5", said, read_answer("Q5", "20-25 weeks"))  # True

Raw text is never changed: every function takes it and returns something new beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from engine.questions.normalise.layers import ALL_LAYERS, LONGEST_READ, Layer, Layers
from engine.questions.normalise.spelling import corrected
from engine.questions.normalise.text_forms import clean
from engine.questions.parsers.gestational_age import read_gestational_age
from engine.questions.parsers.measurements import read_measurements
from engine.questions.parsers.normality import read_normality
from engine.questions.parsers.orientation import read_orientation
from engine.questions.parsers.plane import read_plane
from engine.questions.parsers.quality import read_quality
from engine.questions.parsers.recommendation import read_recommendation
from engine.questions.parsers.report import parse_report
from engine.questions.parsers.structures import read_structures
from engine.questions.prompts import REPORT_ID
from engine.questions.reading import Reading, Status, read_as, unread
from engine.questions.serving_errors import is_serving_error
from engine.questions.words import MARKS, stems, word_set

NORMALITY = "Q7"
DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212), "-")
SETS = frozenset({"Q1", "Q4"})
"""Questions whose answer is a set."""

_PARSERS: Mapping[str, Callable[[str], Reading]] = {
    "Q1": read_structures,
    "Q2": read_orientation,
    "Q3": read_plane,
    "Q4": read_measurements,
    "Q5": read_gestational_age,
    "Q6": read_quality,
    NORMALITY: read_normality,
    "Q8": read_recommendation,
}
_STOP_WORDS = word_set(
    """
    a an the of in on at to is are be and or with for from by this that it its as view plane section scan image
    ultrasound fetal fetus orientation imaging level toward side shown seen visible
    """
)


def read_answer(question: str, text: str, layers: Layers = ALL_LAYERS) -> Reading:
    """What `text` answers to `question`.

    Without the layer `meaning` the value is the text as the other layers leave it, which is what comparing strings
    comes to. Q7 is read from the raw text by `parse_normality` whatever the layers are, since every score of Q7
    stands on it.

    Args:
        question: id, Q1 to Q8 or `report`.
        text: raw answer; untrusted, of any length (what exceeds 8,000 characters after the text layer is not read).

    Raises:
        KeyError: for a question that does not exist.
    """
    if question == REPORT_ID:
        return _read_report(text, layers)
    parser = _PARSERS[question]
    if question == NORMALITY:
        return parser(text)
    if is_serving_error(text):
        return unread(Status.UNPARSEABLE)
    return _cached(question, formed(text, layers), layers)


def normalise(question: str, text: str, layers: Layers = ALL_LAYERS) -> str:
    """`text` in canonical form; where no meaning is found, as the layers `text` and `spelling` leave it.

    Normalising twice gives the same as once. For a report and for serving errors the meaning is left alone.
    """
    form = formed(text, layers)
    if question == REPORT_ID or Layer.MEANING not in layers or is_serving_error(form):
        return form
    reading = _cached(question, form, layers)
    return reading.value if reading.status is Status.READ else form


def formed(text: str, layers: Layers) -> str:
    """`text` after those of the layers `text` and `spelling` that are asked for."""
    if Layer.TEXT in layers:
        text = clean(text)
    if Layer.SPELLING in layers and len(text) <= LONGEST_READ:
        text = corrected(text)
    return text


def agree(question: str, said: Reading, meant: Reading) -> bool:
    """Whether two readings are the same answer: equal sets for Q1 and Q4, equal values for the others.

    What could not be read agrees with nothing; two answers that both say that it cannot be told agree.
    """
    if said.status is not meant.status or said.status is Status.UNPARSEABLE:
        return False
    return set(said.items) == set(meant.items) if question in SETS else said.value == meant.value


def keywords(question: str, text: str, layers: Layers = ALL_LAYERS) -> frozenset[str]:
    """Content words of an answer after normalisation, as stems: for agreement by keyword on Q2 and Q3."""
    words = stems(normalise(question, text, layers)[:LONGEST_READ])
    return frozenset(word for word in words if word not in MARKS and word not in _STOP_WORDS)


def _cached(question: str, form: str, layers: Layers) -> Reading:
    """The reading, remembered for short answers: a dataset has 120,000 of them and 7,000 different ones."""
    read = _remembered if len(form) <= _LONGEST_REMEMBERED else _read_formed
    return read(question, form, layers)


def _read_formed(question: str, form: str, layers: Layers) -> Reading:
    if Layer.MEANING in layers:
        # Dashes mean the same, also where the text layer is off: else a value would be read unlike what it came from.
        return _PARSERS[question](form.translate(DASHES)) if len(form) <= LONGEST_READ else unread(Status.UNPARSEABLE)
    if not form.strip():
        return unread(Status.UNPARSEABLE)
    if question not in SETS:
        return read_as(form)
    items = tuple(sorted({item.strip() for item in form.split(",") if item.strip()}))
    return Reading(Status.READ, form, items) if items else unread(Status.UNPARSEABLE)


_LONGEST_REMEMBERED = 300
_remembered = lru_cache(maxsize=20_000)(_read_formed)


def _read_report(text: str, layers: Layers) -> Reading:
    """Items: ids of the sections; value: canonical answers by id, one a line."""
    sections = {} if is_serving_error(text) else parse_report(text)
    if not sections:
        return unread(Status.UNPARSEABLE)
    lines = (f"{question}: {read_answer(question, section, layers).value}" for question, section in sections.items())
    return Reading(Status.READ, "\n".join(lines), tuple(sections))
