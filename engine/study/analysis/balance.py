"""Remedies against few abnormal images: what each was trained on, and what it finds at the same specificity."""

from __future__ import annotations

from collections import Counter

from engine.formatting import UNKNOWN, figure
from engine.questions.vocabulary import NORMALITY
from engine.scoring.operating_point import SENSITIVITY_AT_SPECIFICITY, OperatingPoint
from engine.scoring.over_seeds import estimate
from engine.study.analysis import operating
from engine.study.analysis.figures import arm_figure, counts_of
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.subjects import Subject
from engine.study.analysis.words import count_words, estimate_of, estimate_words
from engine.study.results import Estimate, Point, Series, StudyChart, StudyTable
from engine.training.balance_record import BALANCE_EVENT, BalanceCounts, read_balance
from engine.types import Split, Verdict

HEADS_TRAINED = ("arm", "seeds", "loss", "balance", "abnormal", "normal", "repeated", "synthetic")
HEADS_FOUND = (
    "subject",
    "seeds",
    "n",
    "abnormal",
    "threshold",
    "validation specificity",
    "specificity reached",
    "sensitivity",
    "AUROC",
    "balanced accuracy",
)


def balance_part(material: Material) -> PartResult:
    """What each arm was trained on, and what it finds; nothing where Q7 is not asked."""
    trained = tuple(_trained_row(material, arm) for arm, cells in material.cells.items() if not cells[0].cell.untuned)
    note = "Images of the training split by their annotated verdict; what was added is in training alone."
    tables = [StudyTable("balance-training", "What was trained on", note, HEADS_TRAINED, trained, words=(2, 3))]
    subjects = material.subjects(material.target(NORMALITY))
    if not subjects:
        return PartResult(tuple(tables))
    points = {each.name: operating.points(material, each) for each in subjects}
    wanted, split = material.measure.specificity, material.measure.split
    note = (
        f"The threshold is the smallest with a specificity of at least {wanted:g} on the normal validation images of "
        f"the same subject and seed; sensitivity and specificity are then read on {split}, where nothing was chosen. "
        "The interval of the sensitivity holds that other validation images would have given another threshold; that "
        "of the specificity takes the threshold as it is. Balanced accuracy is at the threshold that "
        "balances validation."
    )
    if split == "validation":
        note = note.replace(", where nothing was chosen", " itself, which flatters")
    rows = tuple(_found_row(material, each, points[each.name]) for each in subjects)
    tables.append(StudyTable("balance", f"At a specificity of {wanted:g}", note, HEADS_FOUND, rows))
    return PartResult(tuple(tables), (_chart(material, subjects),))


def _trained_row(material: Material, arm: str) -> tuple[str, ...]:
    cells = material.cells[arm]
    recipe = cells[0].cell.recipe
    found = _counts(material, arm)
    abnormal, normal = _training_images(material, arm)
    added = {"oversample": 0, "synthetic": 0} if recipe.data.balance == "none" else {}
    if found is not None:
        added = {"oversample": 0, "synthetic": 0} | {found.how: found.added}
    return (
        arm,
        str(sum(cell.run is not None for cell in cells)),
        recipe.training.loss,
        recipe.data.balance,
        count_words(abnormal),
        count_words(normal),
        count_words(added.get("oversample")),
        count_words(added.get("synthetic")),
    )


def _counts(material: Material, arm: str) -> BalanceCounts | None:
    """What the history of its first run that says so tells: the same for every seed, but for which images are taken."""
    for cell in material.cells[arm]:
        if cell.run is not None:
            for event in material.reader.events(run_id=cell.run.id):
                counts = read_balance(event.detail) if event.kind == BALANCE_EVENT else None
                if counts is not None:
                    return counts
    return None


def _training_images(material: Material, arm: str) -> tuple[int | None, int | None]:
    """Real abnormal and normal images: from a history (its own, or that of an arm with the same data), else all."""
    limit = material.cells[arm][0].cell.recipe.data.limit
    for each in (arm, *material.cells):
        counts = _counts(material, each)
        if counts is not None and material.cells[each][0].cell.recipe.data.limit == limit:
            return counts.abnormal, counts.judged - counts.abnormal
    if limit:
        return None, None  # a sample that nothing tells about
    images = material.images
    verdicts = Counter(image.q7_verdict for image in images if image.split is Split.TRAIN)
    return (verdicts[Verdict.ABNORMAL], verdicts[Verdict.NORMAL]) if verdicts else (None, None)


def _found_row(material: Material, subject: Subject, points: list[OperatingPoint | None]) -> tuple[str, ...]:
    n, abnormal = counts_of(material, subject)
    known = [point for point in points if point is not None]
    return (
        subject.name,
        str(len(subject.seeds)),
        f"{n:,}",
        count_words(abnormal),
        ", ".join(_threshold(point.threshold) for point in known) or UNKNOWN,
        ", ".join(figure(point.specificity) for point in known) or UNKNOWN,
        estimate_words(_specificity(material, subject)),
        *(
            estimate_words(arm_figure(material, subject, name).estimate)
            for name in (SENSITIVITY_AT_SPECIFICITY, "auroc", "balanced_accuracy")
        ),
    )


def _specificity(material: Material, subject: Subject) -> Estimate:
    """What the thresholds reach on the deciding split."""
    values = operating.reached(material, subject)
    return estimate_of(None if values is None else estimate(values, material.resampling))


def _threshold(value: float) -> str:
    """Three decimals; a threshold that nothing reaches says so."""
    return "none reaches" if value > 1 else f"{value:.3g}"


def _chart(material: Material, subjects: list[Subject]) -> StudyChart:
    series = tuple(
        Series(each.name, (Point(each.name, arm_figure(material, each, SENSITIVITY_AT_SPECIFICITY).estimate),))
        for each in subjects
    )
    title = f"Sensitivity at a specificity of {material.measure.specificity:g} on validation"
    return StudyChart("balance", title, "intervals", "", "sensitivity", series)
