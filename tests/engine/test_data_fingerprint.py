from __future__ import annotations

from dataclasses import replace

import pytest
from data_helpers import case

from engine.data.fingerprint import cases_fingerprint, dataset_fingerprint, split_fingerprint
from engine.types import QUESTION_IDS, Split

CASES = [case("Femur/1.png"), case("Femur/2.png", q7="Abnormal"), case("Thorax/1.png", split=Split.TEST)]


def changed(**fields):
    return [replace(CASES[0], **fields), *CASES[1:]]


def test_order_does_not_matter():
    for fingerprint in (dataset_fingerprint, split_fingerprint, lambda cases: cases_fingerprint(cases, "Q7")):
        assert fingerprint(CASES) == fingerprint(CASES[::-1])


@pytest.mark.parametrize("fields", [{"sha256": "1" * 64}, {"answers": {"Q7": "normal"}}, {"path": "Femur/3.png"}])
def test_image_answer_and_path_are_in_the_dataset_and_cases_fingerprints(fields):
    assert dataset_fingerprint(changed(**fields)) != dataset_fingerprint(CASES)
    assert cases_fingerprint(changed(**fields), "Q7") != cases_fingerprint(CASES, "Q7")


def test_the_split_is_in_its_own_fingerprint_only():
    other = changed(split=Split.VALIDATION)
    assert split_fingerprint(other) != split_fingerprint(CASES)
    assert dataset_fingerprint(other) == dataset_fingerprint(CASES)


def test_the_question_is_in_the_cases_fingerprint_and_other_answers_are_not():
    assert cases_fingerprint(CASES, "Q6") != cases_fingerprint(CASES, "Q7")
    other = changed(answers={"Q7": "Normal", "Q6": "Good"})
    assert cases_fingerprint(other, "Q7") == cases_fingerprint(CASES, "Q7")


def test_a_report_needs_all_eight_answers():
    full = dict.fromkeys(QUESTION_IDS, "x")
    assert cases_fingerprint(changed(answers=full), "report") != cases_fingerprint(CASES, "report")


def test_known_values_hold_so_that_old_scores_stay_comparable():
    assert dataset_fingerprint(CASES) == "586c475c3895700606e10efd4e4ff0aaa485626e9f50c3fefd92c8cba7bcf5c1"
    assert split_fingerprint(CASES) == "43a74082a072bb90b85f91407fe8f93d650c32d99f43f2796446f166acbed4b5"
    assert cases_fingerprint(CASES, "Q7") == "17dd2e309ae58bf32ad90c03c9d01f85cede9ecb5cf03906572cb291164dbedf"


def test_text_cannot_imitate_a_separator():
    one = [replace(CASES[0], answers={"Q1": 'a"],["Q2","b'})]
    two = [replace(CASES[0], answers={"Q1": "a", "Q2": "b"})]
    assert dataset_fingerprint(one) != dataset_fingerprint(two)
