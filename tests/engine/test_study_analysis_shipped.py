"""The studies that come with the repository, measured by hand in full: every declared question gets its answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compare_helpers import ABNORMAL, NORMAL, Said, predictions
from study_analysis_helpers import Lab, skilled

from engine.api.study_results import read_result, write_result
from engine.questions.prompts import report_text
from engine.study.expanding import targets_of
from engine.study.places import study_files
from engine.study.reading import load_study
from engine.study.scaled import scaled
from engine.types import Prediction, Reference

COUNT = 24
ANSWERS = {
    "Q1": ("aorta, liver, stomach", "femur"),
    "Q2": ("Fetal head to right", "Cephalic presentation"),
    "Q3": ("Trans-thalamic view", "Femur longitudinal"),
    "Q4": ("AC", "femur length (FL)"),
    "Q5": ("8-13", "20-25"),
    "Q6": ("Good image quality", "Low image quality"),
    "Q7": (ABNORMAL, NORMAL),
    "Q8": ("Follow up", "Prenatal routine monitoring"),
}


def answers(question: str, seed: int) -> list[Prediction]:
    """Answers that are right three times in four, by a coin of their own."""
    random = np.random.default_rng(seed)
    both = ANSWERS.get(question) or tuple(
        report_text({each: options[place] for each, options in ANSWERS.items()}) for place in (0, 1)
    )
    meant = [both[place % 2] for place in range(COUNT)]
    p = skilled([ABNORMAL if place % 2 == 0 else NORMAL for place in range(COUNT)], seed, 1.0)
    said = [
        Said(target if random.random() < 0.75 else both[(place + 1) % 2], p[place] if question == "Q7" else None)
        for place, target in enumerate(meant)
    ]
    return predictions(meant, said, question)


def shipped() -> list[Path]:
    """Study files of the repository."""
    return sorted(study_files(Path(__file__).parent).values())


@pytest.mark.parametrize("file", shipped(), ids=lambda path: path.stem)
def test_a_shipped_study_answers_all_it_asks(file: Path, tmp_path: Path) -> None:
    whole = scaled(load_study(file).study, "demo")
    lab = Lab(tmp_path, whole)
    try:
        seed = 0
        for cell in lab.cells:
            place = [each for each in lab.cells if each.arm == cell.arm].index(cell)
            for target in targets_of(whole, cell):
                seed += 1
                lab.measure(cell.arm, answers(target.question, seed), place, target=target)
        for target in {target for cell in lab.cells for target in targets_of(whole, cell) if not target.degradation}:
            for reference in Reference:
                lab.refer(reference, answers(target.question, 900 + len(lab.references)), target=target)
        result = lab.result()
    finally:
        lab.writer.close()
    assert result.complete, result.missing
    assert result.answers
    assert [each.sentence for each in result.answers if "waiting" in each.sentence] == []
    assert all(each.difference is not None for each in result.answers)
    assert all(len(row) == len(table.heads) for table in result.tables for row in table.rows)
    assert len({each.name for each in result.tables}) == len(result.tables)
    assert len({each.name for each in result.charts}) == len(result.charts)
    assert read_result(write_result(result)) == result
