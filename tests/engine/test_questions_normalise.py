"""The layers of normalisation: what each may do, what none may do, and that hostile text is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions import answers
from engine.questions.answers import agree, formed, keywords, normalise, read_answer
from engine.questions.normalise.layers import ALL_LAYERS, LONGEST_READ, NO_LAYERS, Layer, layers_named
from engine.questions.normalise.spelling import corrected, right_spelling
from engine.questions.normalise.text_forms import clean
from engine.questions.reading import Reading, Status
from engine.types import QUESTION_IDS

SCRAPS = [
    "liver", "stomach", "no", "not seen", "IVC", ",", ".", "\n", "- ", "1. ", "**", "head to", "left", "right", "or",
    "and", "20-25",
    "22w3d", "weeks", "18-200", "38+", ">", "Good", "poor", "quality", "not", "trans-thalamic", "mid-sagittal",
    "view", "AC", "FL",
    "mm", "35", "follow up", "routine", "prenatal", "monitoring", "cannot be determined", "Answer:", "Q5:", "{", '"',
    "}", "veiw",
    "fatal", "cave", "vena", "but", "(", ")", "normal", "abnormal", "?", "'", "_", "#", "–", "ﬁ", "İ", "ß", "\u200b",
    "²",
]  # fmt: skip
WORDS = st.lists(st.sampled_from(SCRAPS), max_size=12).map(" ".join)
TEXTS = WORDS | st.lists(st.sampled_from(SCRAPS), max_size=8).map("".join) | st.text(max_size=60)
QUESTIONS = st.sampled_from([*QUESTION_IDS, "report"])
LAYERS = st.sets(st.sampled_from(list(Layer))).map(frozenset)


@settings(max_examples=400, deadline=None)
@given(QUESTIONS, TEXTS, LAYERS)
def test_normalising_twice_is_normalising_once(question: str, text: str, layers: frozenset[Layer]) -> None:
    once = normalise(question, text, layers)
    assert normalise(question, once, layers) == once


@settings(max_examples=200, deadline=None)
@given(QUESTIONS, TEXTS)
def test_without_layers_the_text_stays(question: str, text: str) -> None:
    assert normalise(question, text, NO_LAYERS) == text


@settings(max_examples=400, deadline=None)
@given(QUESTIONS, TEXTS, LAYERS)
def test_no_text_raises_and_an_answer_agrees_with_itself(question: str, text: str, layers: frozenset[Layer]) -> None:
    reading = read_answer(question, text, layers)
    assert agree(question, reading, read_answer(question, text, layers)) is (reading.status is not Status.UNPARSEABLE)
    assert reading.status is Status.READ or (reading.value, reading.items) == (reading.status.value, ())
    assert isinstance(keywords(question, text, layers), frozenset)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([each for each in QUESTION_IDS if each != "Q7"]), TEXTS)
def test_the_canonical_form_of_what_was_read_is_read_as_the_same(question: str, text: str) -> None:
    reading = read_answer(question, text)
    if reading.status is Status.READ:
        assert normalise(question, text) == reading.value
        assert agree(question, reading, read_answer(question, reading.value))


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("  Trans–Thalamic   VIEW ..", "trans-thalamic view"),
        ("- Liver\r\n- Stomach;\r\n\r\n", "liver\nstomach"),
        ("1. **Aorta**\n2) Liver", "aorta\nliver"),
        ("20 – 25 weeks", "20-25 weeks"),
        ("ﬁ ²", "fi 2"),
        ("nor\u200bmal", "normal"),
        ("38+", "38+"),
        ("> 38 weeks", "> 38 weeks"),
        ("22. weeks", "22. weeks"),
        ("### Imaging Plane", "imaging plane"),
    ],
)
def test_the_text_layer_brings_forms_together(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("probablity", "probability"), ("pubic symphsis", "pubic symphysis"), ("trans-thalamic veiw",
        "trans-thalamic view"),
        ("longituidinal", "longitudinal"), ("vertebrea", "vertebrae"), ("Saggital", "sagittal"), ("cerebelum",
        "cerebellum"),
        ("umbillical vein", "umbilical vein"), ("placental", "placental"), ("stomache", "stomach"),
        ("transventriculer", "transventricular"),
        ("vena cave", "vena cava"), ("a cave", "a cave"), ("fatal head", "fetal head"), ("fatal outcome",
        "fatal outcome"),
        ("circumferance", "circumference"), ("ventriclar", "ventricular"), ("choroid plexsus", "choroid plexus"),
        ("noraml", "normal"), ("abnromal", "abnormal"), ("gestatonal age", "gestational age"), ("diaphragam",
        "diaphragm"),
    ],
)  # fmt: skip
def test_misspellings_are_set_right(wrong: str, right: str) -> None:
    assert corrected(wrong) == right


OPPOSITES = (
    ("normal", "abnormal"), ("hypoechoic", "hyperechoic"), ("hypoplasia", "hyperplasia"), ("microcephaly",
    "macrocephaly"),
    ("oligohydramnios", "polyhydramnios"), ("left", "right"), ("anterior", "posterior"), ("superior", "inferior"),
    ("internal", "external"), ("optimal", "suboptimal"), ("adequate", "inadequate"), ("increased", "decreased"),
    ("prenatal", "postnatal"), ("typical", "atypical"), ("systolic", "diastolic"), ("artery", "vein"),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([pair for each in OPPOSITES for pair in (each, each[::-1])]), st.data())
def test_a_slip_never_turns_a_word_into_its_opposite(pair: tuple[str, str], data: st.DataObject) -> None:
    word, opposite = pair
    place = data.draw(st.integers(0, len(word) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    slips = (
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place:],
        word[:place] + letter + word[place + 1 :],
    )
    for slip in slips:
        assert right_spelling(slip) != opposite or slip == opposite, slip


@pytest.mark.parametrize(
    "sentence",
    [
        "The posterior attenuation needs clarification and a progressive evaluation of the public routing",
        "it is generic literal text about a spline that delivers imagined assets",
        "there were three other mothers and their placement was planned",
    ],
)
def test_ordinary_words_stay(sentence: str) -> None:
    assert corrected(sentence) == sentence


@pytest.mark.parametrize("question", [*QUESTION_IDS, "report"])
@pytest.mark.parametrize(
    "scrap",
    [
        "liver, ",
        "no ",
        "20-25 weeks or ",
        "a",
        "(((",
        "- ",
        "1. ",
        " ",
        "not seen ",
        "\u200b",
        "zxqvbnrt ",
        "cannot ",
        '{"a":',
    ],
)
def test_very_long_text_is_cut_and_read_by_nobody(question: str, scrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    parsers = {
        each: (lambda text, parser=parser: seen.append(len(text)) or parser(text))
        for each, parser in answers._PARSERS.items()
        if each != "Q7"
    }
    monkeypatch.setattr(answers, "_PARSERS", {**answers._PARSERS, **parsers})
    text = scrap * (100_000 // len(scrap))
    reading = read_answer(question, text)
    assert isinstance(reading, Reading)
    assert all(length <= LONGEST_READ for length in seen)
    if question not in {"Q7", "report"} and len(clean(text)) > LONGEST_READ:
        assert reading.status is Status.UNPARSEABLE
        assert not seen


def test_text_of_the_greatest_length_that_is_read() -> None:
    text = ("zxqvbnrt " * LONGEST_READ)[: LONGEST_READ - 12] + ", liver, ivc"
    assert len(clean(text)) <= LONGEST_READ
    assert {"liver", "inferior vena cava"} <= set(read_answer("Q1", text).items)


def test_each_layer_can_be_switched_off() -> None:
    raw = "Stomache,  IVC."
    assert normalise("Q1", raw, frozenset({Layer.TEXT})) == "stomache, ivc"
    assert normalise("Q1", raw, frozenset({Layer.SPELLING})) == "stomach,  IVC."
    assert normalise("Q1", raw, ALL_LAYERS - {Layer.MEANING}) == "stomach, ivc"
    assert normalise("Q1", raw, ALL_LAYERS - {Layer.SPELLING}) == "inferior vena cava, stomache"
    assert normalise("Q1", raw) == "inferior vena cava, stomach"


def test_without_the_meaning_answers_agree_as_strings_only() -> None:
    layers = ALL_LAYERS - {Layer.MEANING}
    said, meant = (read_answer("Q3", text, layers) for text in ("Trans-thalamic view", "Transthalamic plane"))
    assert not agree("Q3", said, meant)
    assert agree("Q3", *(read_answer("Q3", text, layers) for text in ("Trans-thalamic view.", "trans-thalamic  VIEW")))
    assert read_answer("Q1", "b, a", layers).items == ("a", "b")
    assert read_answer("Q1", " ", layers).status is Status.UNPARSEABLE
    assert read_answer("Q7", "no abnormality", layers).value == "normal"


def test_layers_by_name() -> None:
    assert layers_named("text, spelling") == {Layer.TEXT, Layer.SPELLING}
    assert layers_named("") == NO_LAYERS
    with pytest.raises(KeyError, match="speling"):
        layers_named("speling")


def test_unknown_questions_are_refused() -> None:
    with pytest.raises(KeyError):
        read_answer("Q9", "Good")


def test_keywords_are_the_content_words() -> None:
    assert (
        keywords("Q3", "Trans-thalamic view of the fetal head")
        == keywords("Q3", "transthalamic plane")
        == {"transthalamic"}
    )
    assert keywords("Q2", "The spine is to the left") == {"vertebral", "column", "left"}
    assert keywords("Q2", "upside down somehow") >= {"upside"}


def test_forming_leaves_the_raw_text() -> None:
    raw = "  Veiw "
    assert formed(raw, ALL_LAYERS) == "view"
    assert raw == "  Veiw "


def test_a_dash_is_a_dash_also_without_the_text_layer() -> None:
    text = "not seen 20-25 \u2013 liver follow up"
    once = normalise("Q8", text, frozenset({Layer.MEANING}))
    assert normalise("Q8", once, frozenset({Layer.MEANING})) == once
