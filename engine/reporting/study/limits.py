"""The limitations of a study; each is written only where it is true."""

from __future__ import annotations

from collections.abc import Callable

from engine.reporting.names import counted
from engine.reporting.prose.limitations import DEMO_MODELS
from engine.reporting.study.model import StudyPage
from engine.text import one_line
from engine.types import Split

MANY = 2
"""Arms above which the best of them is partly the luckiest."""
COST = "cost"
"""First word in the names of tables on time and memory."""


def limitations(page: StudyPage) -> list[str]:
    """One sentence each."""
    checks: tuple[Callable[[StudyPage], str], ...] = (
        _incomplete, _phantoms, _demo_model, _one_seed, _validation, _looks, _best_of_many, _cost, _patients,
    )  # fmt: skip
    return [sentence for sentence in (check(page) for check in checks) if sentence]


def _incomplete(page: StudyPage) -> str:
    missing = len(page.result.missing)
    return f"The study is incomplete: {counted(missing, 'part is', 'parts are')} missing." if missing else ""


def _phantoms(page: StudyPage) -> str:
    if not page.phantoms:
        return ""
    return "The images are drawn phantoms: what holds on them need not hold on ultrasound of patients."


def _demo_model(page: StudyPage) -> str:
    models = {source.model for source in page.sources if source.model}
    if not any(one_line(model).rstrip("/").rpartition("/")[2] in DEMO_MODELS for model in models):
        return ""
    return "The base is a small demonstration model that comes with sonotune; it has none of Qwen3-VL's weights."


def _one_seed(page: StudyPage) -> str:
    if page.result.seeds > 1 or not any(each.seeds for each in page.result.figures if not each.reference):
        return ""
    return (
        "Each arm was trained with one seed: the intervals hold the chance of the images, not that of the training. A "
        "difference between two arms may be one between two seeds."
    )


def _validation(page: StudyPage) -> str:
    if page.result.split != Split.VALIDATION:
        return ""
    return "These are figures on the validation split: whoever picks an arm by them flatters it."


def _looks(page: StudyPage) -> str:
    """The ledger counts looks at the test split; they matter where that is what decides."""
    result = page.result
    if result.split != Split.TEST or result.looks < 1:
        return ""
    return (
        f"The test split of this dataset has been looked at {counted(result.looks, 'time')} so far, by this study and "
        "by anybody else: whoever chooses by what was seen there has tuned on it."
    )


def _best_of_many(page: StudyPage) -> str:
    arms = {each.arm for each in page.result.figures if not each.reference}
    if len(arms) <= MANY:
        return ""
    return (
        f"{len(arms)} arms were measured on the same cases: the best of several is partly the luckiest, and its figure "
        "will be lower on new images."
    )


def _cost(page: StudyPage) -> str:
    """Where it ran is said if that is known; what it cost elsewhere is not."""
    if not any(table.name.startswith(COST) for table in page.result.tables):
        return ""
    machines = {source.trained_on for source in page.sources if source.trained_on}
    if len(machines) > 1:
        return "The arms were trained on different machines: their times and memory do not compare."
    return "Times and memory are those of the machine that this was run on; another one gives other figures."


def _patients(page: StudyPage) -> str:
    if page.phantoms:
        return ""
    return (
        "The data hold no patient identifiers: frames of one examination may stand in training and in what is measured."
    )
