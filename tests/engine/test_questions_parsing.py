from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.questions.parsing import parse_normality
from engine.questions.prompts import QUESTIONS
from engine.types import Verdict

PLAIN = """
normal   | Normal
normal   | normal.
normal   | NORMAL
normal   |   Normal   for  gestational   age .
normal   | Normal for gestational age
normal   | Within normal limits
normal   | within normal limits..
normal   | WNL
normal   | Heart WNL.
normal   | Normal closed cervix
normal   | Unremarkable
normal   | The scan is unremarkable
normal   | Normal fetal anatomy
normal   | This ultrasound appears normal.
normal   | The observed structures appear normal, consistent with the gestational age
normal   | Structures are normally positioned
normal   | Yes, this ultrasound is normal.
normal   | Normel
normal   | Norml for gestational age
normal   | Nomal
normal   | Nromal for gestational age
normal   | Healthy fetus
normal   | Normal amniotic fluid
normal   | Normal NT thickness
normal   | Normal short axis view of the heart
normal   | **Normal**
normal   | {"class": "normal", "confidence": 0.9}
abnormal | Abnormal
abnormal | ABNORMAL.
abnormal | abnormal NT thickening
abnormal | Abnormal  VSD .
abnormal | Abnormal VSD
abnormal | Abnormal dilated lateral ventricle
abnormal | Abnormal absent stomach bubble
abnormal | Abnormal short open cervix
abnormal | Abnormal stomach not seen
abnormal | Abnormol
abnormal | Abnomal NT
abnormal | Ab-normal ventricle
abnormal | Abnormality
abnormal | Abnormality of the heart
abnormal | An abnormality is seen in the septum
abnormal | There are visible abnormalities
abnormal | Fetal anomaly
abnormal | Increased NT
abnormal | increased nuchal translucency
abnormal | NT is increased
abnormal | Thickened NT
abnormal | Thick nuchal fold with increased NT of 3.5 mm
abnormal | Subchorionic hematoma
abnormal | Subchorionic haematoma.
abnormal | Dilated ventricle
abnormal | Lateral ventricle dilated
abnormal | VSD
abnormal | Short cervix
abnormal | The cervix appears short
abnormal | Cervix is open
abnormal | Polyhydramnios
abnormal | Oligohydramnios
abnormal | Absent stomach
abnormal | Stomach bubble absent
abnormal | Absence of the nasal bone
abnormal | Missing stomach bubble
abnormal | Hydrocephalus
abnormal | Ventriculomegaly, 14 mm
abnormal | Reduced amniotic fluid
abnormal | Low lying placenta
abnormal | Bowed femur
abnormal | Short femur
abnormal | Possible VSD
abnormal | Suspicious for omphalocele
abnormal | Cystic hygroma
abnormal | Echogenic bowel
abnormal | Enlarged kidneys
abnormal | Widened ventricles
unclear  | UNCLEAR
unclear  | unclear.
unclear  | Indeterminate
unclear  | Inconclusive examination
unclear  | Equivocal
unclear  | Cannot be determined
unclear  | Cannot be determined from this image
unclear  | I can't tell from this view.
unclear  | It is difficult to say
unclear  | Unable to assess
unclear  | Normality cannot be determined
unclear  | Insufficient image quality for assessment
unparseable |
unparseable | .
unparseable | ERROR: API error
unparseable | ERROR: API error 500, abnormal termination
unparseable | Request failed: normal response expected
unparseable | RuntimeError: normal exit
unparseable | API error: abnormal status
unparseable | Traceback (most recent call last): normal
unparseable | asdkjh qwlekj 12 ,,, ###
unparseable | 18-200 weeks
unparseable | Good image quality
unparseable | Normality
unparseable | Normality assessment
unparseable | Follow up
unparseable | Formalin animal nominal
unparseable | Yes
unparseable | No.
unparseable | Normalised intensity values
unparseable | Short axis view
"""

NEGATED = """
normal   | Not abnormal
normal   | not abnormal.
normal   | This is not abnormal
normal   | The image isn't abnormal
normal   | It does not appear abnormal
normal   | No abnormality
normal   | No abnormalities seen
normal   | No abnormality seen.
normal   | no visible abnormalities
normal   | No obvious structural abnormality is seen
normal   | Without abnormal findings
normal   | Without any abnormality
normal   | w/o abnormality
normal   | No evidence of abnormality
normal   | There is no evidence of any abnormality
normal   | Free of abnormalities
normal   | Free from anomalies
normal   | Nothing abnormal
normal   | Nothing abnormal detected
normal   | Neither abnormal nor suspicious
normal   | No signs of abnormality or pathology
normal   | No cysts, hematoma, or mass
normal   | No cysts and masses
normal   | No VSD
normal   | No VSD seen
normal   | Negative for anomalies
normal   | Absence of abnormal findings
normal   | Absence of cervical funneling
normal   | Lack of any abnormality
normal   | Ventricle not dilated
normal   | Non-dilated ventricles
normal   | NT is not increased
normal   | NT normal, not thickened
normal   | No short cervix
normal   | Normal cervical length with no funneling
normal   | Abnormality not seen
normal   | Abnormalities were not detected
normal   | An abnormality is not clearly identified
normal   | Abnormal findings are not seen
normal   | VSD absent
normal   | Hydrocephalus has been ruled out
normal   | Abnormality excluded
normal   | Abnormality: none
normal   | Abnormalities: None seen
normal   | Visible abnormalities: no
normal   | Abnormal findings: not detected
normal   | Abnormal: no
normal   | Nil abnormality
normal   | No concerns
normal   | Nothing unusual is seen
normal   | Is this normal, not abnormal
normal   | No abnormality in this normal scan
normal   | It is normal rather than abnormal
normal   | No, it is normal
normal   | No abnormality and normal growth
abnormal | Not normal
abnormal | is not normal
abnormal | This is not normal.
abnormal | This ultrasound isn't normal
abnormal | This ultrasound isn’t normal
abnormal | Cannot be considered normal
abnormal | The heart cannot be called normal
abnormal | Does not appear normal
abnormal | Not within normal limits
abnormal | Outside normal limits
abnormal | Outside the normal range
abnormal | Above the upper limit of normal
abnormal | Larger than normal
abnormal | Far from normal
abnormal | Non-normal
abnormal | Not entirely normal
abnormal | No normal stomach is seen
abnormal | Never normal
abnormal | Neither normal nor healthy
abnormal | Not free of abnormalities
abnormal | Not without abnormality
abnormal | Cannot be considered free of abnormalities
abnormal | Not unremarkable
abnormal | Not only abnormal but hydropic
abnormal | No doubt abnormal
abnormal | Without a doubt abnormal
abnormal | No, this is abnormal
abnormal | Abnormal, not normal
abnormal | Not normal: abnormal VSD
abnormal | Not normal, abnormal VSD
abnormal | No abnormality except a dilated ventricle
abnormal | No abnormality of the head, increased NT
abnormal | No hydrops but VSD
abnormal | Normal heart. Not normal NT.
abnormal | No fluid and dilated ventricle
abnormal | Nothing abnormal other than a dilated ventricle
unclear  | Abnormality cannot be excluded
unclear  | Cannot rule out abnormality
unclear  | VSD cannot be ruled out
unclear  | Abnormal findings cannot be excluded
unclear  | Not clear whether normal
unclear  | Neither normal nor abnormal
unclear  | Cannot determine whether it is normal or abnormal
unclear  | Whether this is abnormal cannot be determined
unclear  | Normal anatomy cannot be confirmed
unclear  | Not possible to determine if abnormal
unclear  | Hard to tell if normal
unclear  | Not sure
unclear  | Can not be assessed
"""

MIXED = """
abnormal | ABNORMAL. Reason: normal NT but no normal septum
abnormal | ABNORMAL. Reason: the septum is interrupted; the rest is normal
abnormal | Abnormal. Reason: not normal
abnormal | Abnormal - everything else normal
normal   | NORMAL. Reason: no abnormal structures; VSD would be abnormal
normal   | NORMAL. Reason: an abnormal ventricle would be wider
normal   | Normal, because an abnormal ventricle would be wider
normal   | NORMAL - an abnormal ventricle would be wider
unclear  | UNCLEAR. Reason: the heart looks normal
unclear  | Unclear. The visible part is normal.
unclear  | **UNCLEAR** - shadow over the septum
normal   | Verdict: NORMAL. Reason: abnormal ventricles would be wider
abnormal | Normal fetal head, but abnormal VSD
abnormal | Normal heart and abnormal kidneys
abnormal | Normal. Abnormal VSD is seen.
abnormal | Normal head, increased NT
abnormal | Normal except for a dilated ventricle
abnormal | Abnormal mass with unclear margins
normal   | The image is unclear, but appears normal
normal   | Normal, although the spine is unclear
normal   | The spine cannot be assessed, otherwise normal
abnormal | Normality assessment: abnormal VSD
normal   | Normality assessment: normal
normal   | Normality Assessment - Normal for gestational age
abnormal | Normality / Abnormality: Increased NT
normal   | Normality / Abnormality: Normal
normal   | Normal/Abnormal: Normal
abnormal | Normal or abnormal: abnormal
abnormal | Q7: Normality Assessment: Abnormal NT thickening
normal   | Final answer: normal
abnormal | Abnormality: VSD
abnormal | Abnormality: yes
abnormal | Is this ultrasound normal? No.
normal   | Is this ultrasound normal? Yes.
normal   | Is this ultrasound abnormal? No, it is fine.
normal   | Is this ultrasound normal? No abnormality seen.
abnormal | Is this ultrasound normal? Abnormal NT thickening
unparseable | Is this ultrasound normal?
unparseable | NORMAL, ABNORMAL, UNCLEAR
unparseable | normal or abnormal
normal   | Normality Assessment\\nNormal for gestational age
abnormal | Findings: increased NT. Impression: abnormal.
normal   | {"class": "NORMAL", "reason": "an abnormal septum would be open"}
abnormal | Normal growth; subchorionic hematoma present
normal   | Normal (no abnormality)
normal   | The fetal head shows a normal contour with no evidence of ventriculomegaly or intracranial masses.
abnormal | There appears to be a ventricular septal defect, otherwise the heart is normal
abnormal | NT measures 4.2 mm which is increased
abnormal | The stomach bubble is not visualized, which is abnormal
unclear  | The image quality is too poor to determine normality
unclear  | I cannot provide a medical diagnosis from this image
normal   | Fetal anatomy normal; no abnormal fluid collections, cysts, or masses seen
normal   | Structures appear as expected without signs suggestive of pathology.
abnormal | I would classify this as ABNORMAL because the septum is interrupted
normal   | The appearance is normal, and there is nothing to suggest an abnormality
normal   | Normal. No further follow up needed to exclude abnormality
"""


def table(text: str) -> list[tuple[str, str]]:
    rows = [line.partition("|") for line in text.strip().splitlines()]
    return [(answer.replace("\\n", "\n").strip(" "), verdict.strip()) for verdict, _, answer in rows]


@pytest.mark.parametrize(("answer", "verdict"), table(PLAIN))
def test_a_plain_answer_is_read(answer: str, verdict: str) -> None:
    assert parse_normality(answer) == verdict


@pytest.mark.parametrize(("answer", "verdict"), table(NEGATED))
def test_a_negated_answer_is_read(answer: str, verdict: str) -> None:
    assert parse_normality(answer) == verdict


@pytest.mark.parametrize(("answer", "verdict"), table(MIXED))
def test_structured_contradictory_and_echoing_answers_are_read(answer: str, verdict: str) -> None:
    assert parse_normality(answer) == verdict


def test_the_tables_are_as_large_as_they_should_be() -> None:
    assert len(table(NEGATED)) >= 40
    assert len(table(PLAIN) + table(NEGATED) + table(MIXED)) >= 120


@pytest.mark.parametrize("wording", QUESTIONS["Q7"].prompts.values(), ids=QUESTIONS["Q7"].prompts)
@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("", "unparseable"),
        ("Normal for gestational age", "normal"),
        ("Abnormal VSD", "abnormal"),
        ("UNCLEAR", "unclear"),
    ],
)
def test_the_echoed_question_does_not_count(wording: str, answer: str, verdict: str) -> None:
    assert parse_normality(f"{wording} {answer}".strip()) == verdict
    assert parse_normality(f"{wording}\n{answer}") == verdict


LONG = {
    "words": "abnormal normal " * 6_250,
    "negations": "not " * 25_000 + "abnormal",
    "doubts": "abnormality unclear " * 5_000,
    "verbs": "abnormality cannot be excluded " * 3_225,
    "commas": "no cyst, " * 11_000 + "or mass",
    "one word": "n" * 100_000,
    "stretched": "ab" + "n" * 99_997,
    "dashes": " " + "-" * 99_999,
    "spaces": " " * 100_000,
    "quotes": "a'" * 50_000,
    "breaks": "normality:\n" * 9_000,
    "options": "normal or abnormal " * 5_000,
    "digits": "1." * 50_000,
    "errors": "api " * 25_000 + "error",
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_work_grows_with_the_length_of_the_answer_and_no_faster(text: str) -> None:
    assert len(text) > 90_000
    assert calls_of(text) < 2.6 * calls_of(text[: len(text) // 2]) + 1_000


def calls_of(text: str) -> int:
    # counts calls instead of seconds: the tests must not depend on the clock
    count = 0

    def counter(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counter)
    try:
        parse_normality(text)
    finally:
        sys.setprofile(None)
    return count


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_any_text_gets_a_verdict(text: str) -> None:
    assert isinstance(parse_normality(text), Verdict)


SCRAPS = ("no", "not", "without", "abnormal", "normal", "VSD", ",", ".", "or", "cannot be excluded", "unclear", "seen")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(SCRAPS)))
def test_case_and_spacing_do_not_matter(words: list[str]) -> None:
    text = "so " + " ".join(words)  # a first word in capitals alone would be the structured form
    assert parse_normality(text) == parse_normality("  " + text.lower().replace(" ", "   ") + " ")


def test_the_question_modules_load_nothing_heavy() -> None:
    code = (
        "import sys, engine.questions.parsing, engine.questions.vocabulary;"
        "assert not {'numpy', 'pydantic', 'scipy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
