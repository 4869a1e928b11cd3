"""Tables and charts of the further parts, against stores whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from compare_helpers import ABNORMAL, NORMAL, Said, paths, predictions, targets
from sklearn.metrics import matthews_corrcoef
from study_analysis_helpers import Lab, arms, cells_of, from_probabilities, skilled, studied, table, texts

from engine.evaluation.scores import CHOSEN_HERE
from engine.questions.prompts import report_text
from engine.store.records import ImageRow
from engine.study.expanding import Target
from engine.study.results import StudyChart, StudyResult
from engine.training.balance_record import BALANCE_EVENT, BalanceCounts, balance_words
from engine.types import DatasetRecord, JobKind, Reference, Split, Verdict

MEANT = targets(80, abnormal=4)
TRUTH = [target == ABNORMAL for target in MEANT]


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(tmp_path, request.param)
    yield made
    made.writer.close()


def chart(result: StudyResult, name: str) -> StudyChart:
    return next(each for each in result.charts if each.name == name)


def with_images(lab: Lab, images: Sequence[ImageRow]) -> None:
    record = DatasetRecord("phantoms", "phantoms", "data-1", "split-1", 0, "images", len(images), 0, 0.0)
    lab.writer.record_dataset(record, images)


def image(path: str, split: Split, answers: dict[str, str]) -> ImageRow:
    verdict = Verdict.ABNORMAL if answers.get("Q7") == ABNORMAL else Verdict.NORMAL
    return ImageRow(path, path.split("/")[0], split, "0" * 64, 64, 64, verdict, None, answers)


@studied("seeds = 2\n" + arms("small", "large") + "\n[arms.plain]\nuntuned = true")
def test_costs_are_means_over_the_seeds_and_memory_is_labelled(lab: Lab) -> None:
    for place, seconds in enumerate((100.0, 300.0)):
        lab.train("small", place, train_seconds=seconds, samples_per_second=4.0 * (place + 1), step=160,
                  trained_parameters=1000, peak_rss_bytes=2**30, backend="transformers")  # fmt: skip
        lab.train("large", place, train_seconds=900.0, samples_per_second=1.0, step=160, peak_rss_bytes=9 * 2**30,
                  peak_vram_reserved_bytes=3 * 2**30, backend="unsloth", quantization="4bit")  # fmt: skip
        for name in ("small", "large"):
            lab.measure(name, from_probabilities(MEANT, skilled(MEANT, place, 1.0)), place)
    lab.measure("plain", from_probabilities(MEANT, skilled(MEANT, 5, 0.0)))
    result = lab.result()
    small, large, plain = (cells_of(table(result, "cost"), name) for name in ("small", "large", "plain"))
    assert (small["training time"], small["samples/s"], small["seeds"]) == ("3 min 20 s", "6", "2")
    assert (small["peak memory"], large["peak memory"]) == ("1.0 GiB host", "3.0 GiB")
    assert (large["quantization"], small["trained parameters"], plain["trained parameters"]) == ("4bit", "1,000", "0")
    speed = chart(result, "cost-speed")
    assert speed.kind == "scatter"
    assert [(each.name, each.points[0].x) for each in speed.series] == [("small", 6.0), ("large", 1.0)]
    assert [each.points[0].x for each in chart(result, "cost-memory").series] == [1.0, 3.0]


LAYERS = 'parts = ["modules"]\n[arms.B]\n"lora.vision" = false\n[arms.E]\n"lora.vision" = true\n'


@studied(LAYERS)
def test_modules_say_what_carries_lora(lab: Lab) -> None:
    lab.train("E", lora_modules=24, trained_parameters=250, total_parameters=10_000)
    found = table(lab.result(), "modules")
    assert found.rows == (
        ("B", "0", "no", "yes", "yes", "yes", "–", "–", "–"),
        ("E", "1", "yes", "yes", "yes", "yes", "24", "250", "2.5 %"),
    )


@studied('parts = ["questions"]\n' + arms("a"))
def test_questions_show_all_measures_with_those_who_said_nothing(lab: Lab) -> None:
    p = skilled(MEANT, 1, 1.0)
    said = [Said(ABNORMAL if each >= 0.5 else NORMAL, each) for each in p]
    said[:3] = [Said("", p[0]), Said("Unclear.", p[1]), Said("Unclear.", p[2])]
    lab.measure("a", predictions(MEANT, said))
    row = cells_of(table(lab.result(), "questions-Q7"), "a")
    mcc = matthews_corrcoef(TRUTH, [each >= 0.5 for each in p])
    assert row["MCC"].startswith(f"{mcc:.2f} (")
    assert (row["n"], row["abnormal"]) == ("80", "20")
    assert row["unclear"].startswith("0.03 (")
    assert row["unparseable"].startswith("0.01 (")
    assert row["errors"].startswith("0.00 (0.00 to 0.05)")


SEVERAL = """
parts = ["forgetting", "coherence"]
baseline = "both"
[arms.both]
"data.questions" = ["Q7", "Q8"]
"training.max_steps" = 0
[arms."Q7 alone"]
"data.questions" = ["Q7"]
"training.max_steps" = 0
[arms."Q8 alone"]
"data.questions" = ["Q8"]
"training.max_steps" = 0
[arms."Q7 to a limit"]
"data.questions" = ["Q7"]
"training.max_steps" = 20
"""
ROUTINE, FOLLOW = "Prenatal routine monitoring", "Follow up"
ADVICE = [FOLLOW if abnormal else ROUTINE for abnormal in TRUTH]


@studied(SEVERAL)
def test_forgetting_holds_arms_with_several_questions_against_those_with_one(lab: Lab) -> None:
    lab.train("both", step=40)
    lab.train("Q7 alone", step=20)
    lab.train("Q8 alone", step=40)
    lab.measure("both", from_probabilities(MEANT, skilled(MEANT, 1, 0.3)))
    lab.measure("Q7 alone", from_probabilities(MEANT, skilled(MEANT, 2, 3.0)))
    lab.train("Q7 to a limit", step=20)
    lab.measure("Q7 to a limit", from_probabilities(MEANT, skilled(MEANT, 2, 3.0)))
    hits = [place % 2 == 0 for place in range(80)]
    lab.measure("both", texts(ADVICE, hits, "Q8", "Clinical assessment for delivery mode"))
    lab.measure("Q8 alone", texts(ADVICE, hits, "Q8", "Clinical assessment for delivery mode"))
    lab.refer(Reference.BASE, from_probabilities(MEANT, skilled(MEANT, 3, 0.0)), "both")
    found = table(lab.result(), "forgetting")
    rows = [dict(zip(found.heads, row, strict=True)) for row in found.rows]
    assert [(row["question"], row["beside"], row["equal"]) for row in rows] == [
        ("Q7", "Q7 alone", "epochs"),
        ("Q7", "Q7 to a limit", "neither"),
        ("Q7", "untuned", "–"),
        ("Q8", "Q8 alone", "epochs and steps"),
    ]
    assert rows[0]["difference"].startswith("-0.")
    assert float(rows[0]["p (Holm)"].removeprefix("p < ")) < 0.05
    assert (rows[3]["difference"], rows[3]["p (Holm)"]) == ("0.000 (-0.046 to 0.046)", "1.00")
    recipe = lab.cell("both").recipe.training
    assert rows[0]["samples"] == f"{40 * recipe.batch * recipe.accumulation:,}"


@studied(SEVERAL)
def test_coherence_holds_answers_of_several_evaluations_against_each_other(lab: Lab) -> None:
    lab.measure("both", from_probabilities(MEANT, [0.9] * 80))  # everything is abnormal
    said = [Said(ROUTINE if place < 20 else FOLLOW) for place in range(80)]
    lab.measure("both", predictions(ADVICE, said, "Q8"))
    result = lab.result()
    found = table(result, "coherence")
    both, annotated = cells_of(found, "both"), cells_of(found, "annotated answers")
    assert both["images that break no rule"].startswith("0.75 (")
    assert annotated["coherence"].startswith("1.00 (")
    assert both["n"] == "80"
    broken = table(result, "coherence-rules")
    assert cells_of(broken, "abnormal-needs-more")["both"] == "20 of 80"
    assert cells_of(broken, "abnormal-needs-more")["annotated answers"] == "0 of 20"


REPORT = """
parts = ["sections", "coherence"]
[arms.report]
"data.questions" = ["report"]
"data.prompt" = "report"
[[decide]]
ask = "Are they complete?"
kind = "at_least"
arm = "report"
figure = "completeness"
threshold = 0.88
"""
SECTIONS = {
    "Q1": "aorta, liver, stomach",
    "Q2": "Axial upper abdomen",
    "Q3": "Transverse trans-abdominal plane",
    "Q4": "AC",
    "Q5": "20-25",
    "Q6": "Good image quality",
    "Q7": NORMAL,
    "Q8": ROUTINE,
}


@studied(REPORT)
def test_reports_are_taken_apart_into_sections(lab: Lab) -> None:
    whole = report_text(SECTIONS)
    wrong = report_text({**SECTIONS, "Q5": "35-38"})
    short = whole[: whole.index("Clinical Recommendations")].rstrip("\n #*")
    said = [Said(whole)] * 20 + [Said(wrong)] * 10 + [Said(short)] * 10
    lab.measure("report", predictions([whole] * 40, said, "report"))
    result = lab.result()
    row = cells_of(table(result, "reports"), "report")
    assert row["sections there"].startswith("0.97 (")  # 10 of 40 lack one of eight: 1 - 10 / 320
    assert row["all eight right"].startswith("0.50 (")
    weeks = next(cells for cells in table(result, "sections").rows if cells[0].startswith("Q5"))
    advice = next(cells for cells in table(result, "sections").rows if cells[0].startswith("Q8"))
    assert (weeks[1], weeks[2][:5], advice[2][:5]) == ("40", "0.75 ", "0.75 ")
    decided = result.answers[0]
    assert decided.difference is not None
    assert decided.difference.value == pytest.approx(1 - 10 / 320)
    assert decided.holds is True


BALANCE = """
parts = ["balance"]
[measure]
split = "test"
figure = "sensitivity_at_specificity"
specificity = 0.9
[arms.none]
[arms.oversampling]
"data.balance" = "oversample"
"""


@studied(BALANCE)
def test_balance_reads_thresholds_on_validation_and_figures_on_test(lab: Lab) -> None:
    run = lab.train("oversampling")
    counts = BalanceCounts("oversample", 30, 200, 140, 0.5)
    lab.writer.add_event(JobKind.TRAINING, run, BALANCE_EVENT, balance_words(counts))
    for name in ("none", "oversampling"):
        lab.measure(name, from_probabilities(MEANT, skilled(MEANT, 1, 1.0)), target=Target("Q7", "validation"))
        lab.measure(name, from_probabilities(MEANT, skilled(MEANT, 2, 1.0)))
    first = table(lab.result(), "balance")
    trained = table(lab.result(), "balance-training")
    assert cells_of(trained, "oversampling")["repeated"] == "140"
    assert (cells_of(trained, "none")["abnormal"], cells_of(trained, "none")["normal"]) == ("30", "170")
    assert (cells_of(trained, "none")["repeated"], cells_of(trained, "none")["synthetic"]) == ("0", "0")
    row = cells_of(first, "none")
    assert row["validation specificity"] == "0.90"
    assert row["abnormal"] == "20"
    # Test targets the other way round: other figures, but the very same threshold.
    turned = [NORMAL if each == ABNORMAL else ABNORMAL for each in MEANT]
    for name in ("none", "oversampling"):
        lab.measure(name, from_probabilities(turned, skilled(MEANT, 2, 1.0)), cases="cases-2")
    other = cells_of(table(lab.result(), "balance"), "none")
    assert other["threshold"] == row["threshold"]
    assert other["abnormal"] == "60"
    assert other["sensitivity"] != row["sensitivity"]


WORDINGS = """
parts = ["wordings"]
baseline = "detailed"
[arms.detailed]
"data.prompt" = "detailed"
[arms.structured]
"data.prompt" = "structured"
[arms."detailed, untuned"]
"data.prompt" = "detailed"
untuned = true
[arms."structured, untuned"]
"data.prompt" = "structured"
untuned = true
[[decide]]
ask = "Does any wording do better?"
kind = "each"
[[decide]]
ask = "Does any wording do better untuned?"
kind = "each"
than = "detailed, untuned"
"""


@studied(WORDINGS)
def test_wordings_agree_as_far_as_their_answers_are_the_same(lab: Lab) -> None:
    p = [0.9 if abnormal else 0.1 for abnormal in TRUTH]
    other = [1 - each if place < 8 else each for place, each in enumerate(p)]
    lab.measure("detailed", from_probabilities(MEANT, p))
    said = [Said("ABNORMAL: seen." if each >= 0.5 else "NORMAL: seen.", each) for each in other]
    lab.measure("structured", predictions(MEANT, said))
    for name in ("detailed, untuned", "structured, untuned"):
        lab.measure(name, from_probabilities(MEANT, other))
    result = lab.result()
    agreed = table(result, "wordings-agreement")
    rows = {row[1]: dict(zip(agreed.heads, row, strict=True)) for row in agreed.rows}
    assert rows["trained"]["all agree"].startswith("0.90 (")
    assert rows["untuned"]["all agree"].startswith("1.00 (")
    form = table(result, "wordings-Q7")
    assert cells_of(form, "structured")["in form"].startswith("1.00")
    assert cells_of(form, "structured, untuned")["in form"].startswith("0.00")
    assert cells_of(form, "detailed, untuned")["in form"].startswith("1.00")
    # Trained arms are held against a trained one, untuned ones against an untuned one.
    assert [each.arm for each in result.answers] == ["structured", "structured, untuned"]


OWN = """
parts = ["wordings"]
baseline = "detailed"
[arms.detailed]
"data.prompt" = "detailed"
[arms."own A"]
"data.prompt" = "own"
"data.prompt_text" = "Is it abnormal?"
[arms."own B"]
"data.prompt" = "own"
"data.prompt_text" = "Normal or abnormal, please?"
"""


@studied(OWN)
def test_two_wordings_of_ones_own_stand_beside_each_other(lab: Lab) -> None:
    for place, name in enumerate(("detailed", "own A", "own B")):
        lab.measure(name, from_probabilities(MEANT, skilled(MEANT, place, 1.0)))
    result = lab.result()
    assert [row[:2] for row in table(result, "wordings-Q7").rows] == [
        ("detailed", "detailed"),
        ("own A", "own A"),
        ("own B", "own B"),
    ]
    assert table(result, "wordings-agreement").rows[0][2] == "detailed, own A, own B"
    assert len(chart(result, "wordings-Q7-trained").series) == 3


SEEDS = """
seeds = 3
parts = ["wordings"]
baseline = "detailed"
[arms.detailed]
[arms.simple]
"data.prompt" = "simple"
"""


@studied(SEEDS)
def test_wordings_agree_seed_by_seed_and_a_missing_seed_is_not_another(lab: Lab) -> None:
    for place in range(3):
        p = skilled(MEANT, place, 0.5)
        lab.measure("detailed", from_probabilities(MEANT, p), place)
        if place != 1:
            lab.measure("simple", from_probabilities(MEANT, p), place)
    rows = table(lab.result(), "wordings-agreement").rows
    seeds = [cell.seed for cell in lab.cells if cell.arm == "detailed"]
    assert [row[1] for row in rows] == [f"trained, seed {seeds[0]}", f"trained, seed {seeds[2]}"]
    assert all(row[4].startswith("1.00 (") for row in rows)  # each seed says the same under both


ROBUST = 'parts = ["robustness"]\n[measure]\ndegradations = ["blur"]\nseverities = [1, 3]\n' + arms("none", "basic")


@studied(ROBUST)
def test_robustness_curves_fall_and_drops_are_held_against_the_baseline(lab: Lab) -> None:
    for name, skills in (("none", (2.0, 1.0, 0.0)), ("basic", (2.0, 1.9, 1.8))):
        for severity, skill in zip((0, 1, 3), skills, strict=True):
            target = Target("Q7", "validation", f"blur:{severity}" if severity else "")
            lab.measure(name, from_probabilities(MEANT, skilled(MEANT, severity, skill)), target=target)
    result = lab.result()
    curve = chart(result, "robustness-blur")
    assert (curve.kind, curve.panel) == ("curves", "robustness")
    none = next(each for each in curve.series if each.name == "none")
    values = [point.estimate.value or 0 for point in none.points]
    assert [point.x for point in none.points] == [0, 1, 3]
    assert values[0] > values[1] > values[2]
    rows = {
        row[1]: dict(zip(table(result, "robustness").heads, row, strict=True))
        for row in table(result, "robustness").rows
    }
    assert float(rows["none"]["drop at 3"].split(" ")[0]) == pytest.approx(values[0] - values[2], abs=0.006)
    mean = values[0] - (values[1] + values[2]) / 2
    assert float(rows["none"]["mean drop"].split(" ")[0]) == pytest.approx(mean, abs=0.006)
    assert rows["none"]["less than the baseline by"] == "–"
    less = rows["basic"]["less than the baseline by"]
    drops = [float(rows[name]["drop at 3"].split(" ")[0]) for name in ("none", "basic")]
    assert float(less.split(" ")[0]) == pytest.approx(drops[0] - drops[1], abs=0.011)
    assert float(less.split("(")[1].split(" ")[0]) > 0, less


@studied(ROBUST)
def test_drops_that_are_none_on_any_image_are_not_known_to_be_none(lab: Lab) -> None:
    p = [0.9 if hit else 0.1 for hit in TRUTH]
    for name in ("none", "basic"):
        for severity in (0, 1, 3):
            target = Target("Q7", "validation", f"blur:{severity}" if severity else "")
            lab.measure(name, from_probabilities(MEANT, p), target=target)
    found = table(lab.result(), "robustness")
    assert [row[3:] for row in found.rows] == [
        ("0.000 (-0.161 to 0.161)", "0.000 (-0.161 to 0.161)", "–"),  # Wilson's upper end of 0 of 20 abnormal images
        ("0.000 (-0.161 to 0.161)", "0.000 (-0.161 to 0.161)", "0.000 (-0.161 to 0.161)"),
    ]


BALANCED = 'parts = ["quality", "rare"]\n[measure]\nfigure = "balanced_accuracy"\n' + arms("a")


@studied(BALANCED)
def test_a_tier_of_one_class_has_no_balanced_accuracy_and_flattered_thresholds_are_told(lab: Lab) -> None:
    lab.measure("a", from_probabilities(MEANT, skilled(MEANT, 1, 1.0)), threshold_source=CHOSEN_HERE)
    normals = [place for place, hit in enumerate(TRUTH) if not hit][:10]
    tiers = ["low" if place in normals else "Good image quality" for place in range(80)]
    images = [image(path, Split.VALIDATION, {"Q6": tier}) for path, tier in zip(paths(80), tiers, strict=True)]
    with_images(lab, [*images, image("Femur/t.png", Split.TRAIN, {"Q7": NORMAL})])
    result = lab.result()
    quality = table(result, "quality")
    assert [(row[0], row[1], row[2]) for row in quality.rows] == [("good", "70", "20"), ("low", "10", "0")]
    assert quality.rows[1][3] == "–"
    assert quality.rows[0][3].startswith("0.")
    assert "images of one class alone" in quality.note
    for name in ("quality", "rare"):
        assert "chosen on the same validation images, which flatters" in table(result, name).note


@studied('parts = ["quality", "rare"]\n' + arms("a"))
def test_quality_and_rare_cases_stand_apart(lab: Lab) -> None:
    where = paths(80)
    findings = [
        f"Abnormal {'VSD' if place == 0 else 'NT thickening'}\x1b[31m" if hit else NORMAL
        for place, hit in enumerate(TRUTH)
    ]
    p = [0.9 if hit else 0.1 for hit in TRUTH]
    p[0] = 0.1  # the one VSD is missed
    lab.measure("a", from_probabilities(findings, p))
    tiers = ["Good image quality" if place < 60 else "low" for place in range(80)]
    images = [image(path, Split.VALIDATION, {"Q6": tier}) for path, tier in zip(where, tiers, strict=True)]
    images += [
        image(f"Femur/t{number}.png", Split.TRAIN, {"Q7": "Abnormal NT thickening\x1b[31m"}) for number in range(9)
    ]
    images += [image(f"Abdomen/t{number}.png", Split.TRAIN, {"Q7": NORMAL}) for number in range(30)]
    with_images(lab, images)
    result = lab.result()
    quality = table(result, "quality")
    assert [(row[0], row[1], row[2]) for row in quality.rows] == [("good", "60", "15"), ("low", "20", "5")]
    assert quality.rows[1][3].startswith("1.00")
    assert not quality.rows[0][3].startswith("1.00")
    rare = {row[0]: row for row in table(result, "rare").rows}
    assert [row[1] for row in table(result, "rare").rows[:3]] == ["0", "9", "30"]  # NT-View, Femur, Abdomen
    vsd = next(row for name, row in rare.items() if "vsd" in name)
    thick = next(row for name, row in rare.items() if "thickening" in name)
    assert (vsd[1], vsd[2], vsd[3][:4]) == ("0", "1", "0.00")
    assert (thick[1], thick[2], thick[3][:4]) == ("9", "19", "1.00")
    assert not any("\x1b" in cell for row in rare.values() for cell in row)


ALL_PARTS = (
    'parts = ["cost", "modules", "questions", "forgetting", "coherence", "sections", "balance", "wordings", '
    '"robustness", "quality", "rare"]\n' + arms("a", "b")
)


@studied(ALL_PARTS)
def test_no_part_needs_anything_to_be_measured(lab: Lab) -> None:
    result = lab.result()
    assert {each.name for each in result.tables} <= {"modules", "balance-training"}
    assert all(len(row) == len(each.heads) for each in result.tables for row in each.rows)
    lab.measure("a", from_probabilities(MEANT, skilled(MEANT, 1, 1.0)))
    result = lab.result()
    assert all(len(row) == len(each.heads) for each in result.tables for row in each.rows)
    assert {"cost", "questions-Q7", "balance"} <= {each.name for each in result.tables}
    numbers = [value for each in result.charts for one in each.series for point in one.points for value in
               (point.estimate.value, point.estimate.low, point.estimate.high) if value is not None]  # fmt: skip
    assert np.isfinite(numbers).all()
