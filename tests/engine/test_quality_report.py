from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict

import pytest
from data_helpers import ANSWERS, case, chat_line, write_image, write_lines
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from quality_helpers import dataset_of, encoded, phantom

from engine import api
from engine.data.quality.answers import report_answers
from engine.types import QUESTION_IDS, Case, Split
from engine.workspace import Workspace

VIEWS = ("Abdomen", "Femur", "NT-View")


def pictures(count: int = 30) -> dict[str, bytes]:
    return {f"{VIEWS[n % 3]}/{VIEWS[n % 3]}_{n:03}.png": encoded(phantom(n, 80)) for n in range(count)}


def answered(path: str, **answers: str) -> Case:
    base = case(path)
    return Case(base.index, path, base.file, base.view, Split.TRAIN, answers, base.sha256, 40, 30)


def codes(report: api.QualityReport, severity: str | None = None) -> list[str]:
    return [each.code for each in report.findings if severity is None or each.severity == severity]


def finding(report: api.QualityReport, code: str) -> api.QualityFinding:
    return next(each for each in report.findings if each.code == code)


def test_what_was_not_checked_is_said_with_the_command(tmp_path):
    workspace = dataset_of(tmp_path, pictures())
    report = api.quality_report(workspace, "fetal")
    assert (report.checks.checked, report.checks.unchecked, report.checks.verified) == (0, 30, False)
    unchecked = finding(report, "unchecked")
    assert "30 images not checked yet" in unchecked.title
    assert "sonotune data check fetal" in unchecked.next_step
    assert report.errors == 0
    api.check_images(workspace, "fetal")
    report = api.quality_report(workspace, "fetal", changes=[])
    assert (report.checks.checked, report.checks.unchecked, report.checks.verified) == (30, 0, True)
    assert "unchecked" not in codes(report)


def test_answers_are_counted_by_meaning_and_view(tmp_path):
    paths = list(pictures())
    spelt = {path: ("Abnormal VSD" if n % 10 == 0 else "  normal for GESTATIONAL age.") for n, path in enumerate(paths)}
    workspace = dataset_of(tmp_path, pictures(), Q7=spelt)
    report = api.quality_report(workspace, "fetal")
    rows = {row.canonical: row for row in report.answers.distribution if row.question == "Q7"}
    assert rows["normal"].count == 27
    assert rows["abnormal"].by_view == {"Abdomen": 1, "Femur": 1, "NT-View": 1}
    assert sum(row.count for row in report.answers.distribution) == 30 * 8
    assert {(count.view, count.split) for count in report.counts} <= {(v, s) for v in VIEWS for s in Split}


def test_impossible_answers_are_listed_with_the_reason_and_the_images(tmp_path):
    odd = {
        "Abdomen/Abdomen_000.png": "18-200 weeks",
        "Abdomen/Abdomen_003.png": "2023-05-08",
        "Femur/Femur_001.png": "fetal head",
        "Femur/Femur_004.png": "18-200 weeks",
    }
    report = api.quality_report(dataset_of(tmp_path, pictures(), Q5=odd), "fetal")
    found = {each.raw: each for each in report.answers.odd}
    assert set(found) == set(odd.values())
    assert found["18-200 weeks"].count == 2
    assert found["18-200 weeks"].examples == ("Abdomen/Abdomen_000.png", "Femur/Femur_004.png")
    assert "date" in found["2023-05-08"].reason
    assert report.answers.odd[0].raw == "18-200 weeks", "the most frequent first"
    warning = finding(report, "odd_Q5")
    assert (warning.severity, warning.count) == ("warning", 4)


def test_rare_answers_stand_beside_the_common_one_they_resemble():
    cases = [answered(f"Femur/{n}.png", Q8="Plan alpha beta gamma") for n in range(20)]
    cases += [answered(f"Femur/rare{n}.png", Q8="Plan alpha beta gamma twice") for n in range(2)]
    cases.append(answered("Femur/other.png", Q8="Zzz qqq"))
    rare = {each.raw: each for each in report_answers(cases).rare if each.question == "Q8"}
    near = rare["Plan alpha beta gamma twice"]
    assert (near.count, near.nearest) == (2, "plan alpha beta gamma")
    assert all(each.nearest == "" for raw, each in rare.items() if "Zzz" in raw)
    assert "Plan alpha beta gamma" not in rare


def test_three_images_with_an_answer_make_it_no_longer_rare():
    cases = [answered(f"Femur/{n}.png", Q8=f"advice {n // 3}") for n in range(9)]
    assert not [each for each in report_answers(cases).rare if each.question == "Q8"]


answers_of = st.dictionaries(
    st.sampled_from(QUESTION_IDS), st.text(max_size=12) | st.sampled_from(["Normal", "20-25 weeks"])
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(VIEWS), answers_of), max_size=12))
def test_every_answer_is_counted_once_whatever_it_says(images):
    cases = [answered(f"{view}/{number}.png", **answers) for number, (view, answers) in enumerate(images)]
    report = report_answers(cases)
    for question in QUESTION_IDS:
        texts = [each.answers[question] for each in cases if question in each.answers]
        rows = [row for row in report.distribution if row.question == question]
        assert sum(row.count for row in rows) == len(texts) == len(cases) - report.missing[question]
        assert all(row.count == sum(row.by_view.values()) for row in rows)
        odd = [each for each in report.odd if each.question == question]
        assert all(each.count == Counter(texts)[each.raw] for each in odd)
    json.dumps(asdict(report))


def test_tiny_and_blank_images_are_listed(tmp_path):
    files = pictures(12)
    files["Femur/small.png"] = encoded(phantom(70, 80).resize((63, 90)))
    files["Femur/black.png"] = encoded(Image.new("L", (90, 90), 0))
    workspace = dataset_of(tmp_path, files)
    api.check_images(workspace, "fetal")
    report = api.quality_report(workspace, "fetal")
    assert report.checks.tiny == ("Femur/small.png",)
    assert report.checks.blank == ("Femur/black.png",)
    assert {"tiny", "blank"} <= set(codes(report, "warning"))
    by_view = {view.view: view for view in report.checks.views}
    assert by_view["Abdomen"].images == 4
    assert 0 < by_view["Abdomen"].brightness < 255


def test_images_without_answers_and_gaps_are_told_apart():
    cases = [answered("Femur/a.png", **ANSWERS), answered("Femur/b.png"), answered("Femur/c.png", Q7="Normal")]
    report = report_answers(cases)
    assert report.silent == ("Femur/b.png",)
    assert report.missing["Q7"] == 1
    assert report.missing["Q1"] == 2


def test_views_with_too_few_abnormal_cases_and_splits_without_any_are_named(tmp_path):
    names = list(pictures())
    sick = {path: "Abnormal NT thickening" for path in names if path.startswith("NT-View")}
    report = api.quality_report(dataset_of(tmp_path, pictures(), Q7=sick), "fetal")
    few = finding(report, "few_abnormal")
    assert few.examples == ("Abdomen: 0", "Femur: 0")
    assert "66.7 %" in finding(report, "majority").title
    assert not [code for code in codes(report) if code.startswith("no_abnormal")]


def test_a_dataset_without_an_abnormal_image_says_so_for_each_split(tmp_path):
    report = api.quality_report(dataset_of(tmp_path, pictures()), "fetal")
    assert [code for code in codes(report) if code.startswith("no_abnormal")] == [
        "no_abnormal_train",
        "no_abnormal_validation",
        "no_abnormal_test",
    ]
    assert "100.0 %" in finding(report, "majority").title


def test_pairs_across_splits_are_errors_and_errors_come_first(tmp_path):
    files = pictures(30)
    files |= {path.replace("/", "/copy_"): encoded(phantom(n, 80).rotate(1)) for n, path in enumerate(list(files))}
    workspace = dataset_of(tmp_path, files)
    api.check_images(workspace, "fetal")
    report = api.quality_report(workspace, "fetal")
    assert report.duplicates.near == 30
    assert codes(report)[0] == "near_duplicates_cross"
    cross, together = finding(report, "near_duplicates_cross"), finding(report, "near_duplicates")
    assert cross.count == report.duplicates.near_crossing > 0
    assert cross.count + together.count == 30
    assert "data split fetal" in cross.next_step
    assert len(cross.examples) <= 5
    order = ["error", "warning", "note"]
    severities = [order.index(each.severity) for each in report.findings]
    assert severities == sorted(severities)
    assert report.errors == 1


def test_changed_files_are_errors_whoever_found_them(tmp_path):
    workspace = dataset_of(tmp_path, pictures(6))
    (tmp_path / "images" / "Femur" / "Femur_001.png").unlink()
    found = api.compare_files(workspace, "fetal")
    report = api.quality_report(workspace, "fetal", changes=found)
    assert codes(report, "error") == ["changed"]
    assert "Femur/Femur_001.png" in finding(report, "changed").examples[0]


def test_a_report_is_json(tmp_path):
    workspace = dataset_of(tmp_path, pictures(6))
    api.check_images(workspace, "fetal")
    content = json.loads(json.dumps(asdict(api.quality_report(workspace, "fetal"))))
    assert content["checks"]["status"]["state"] == "done"
    assert content["duplicates"]["compared"] == 6


@pytest.mark.parametrize("answer", ["\x1b[Jred", "[bold]", "\u202eabc", "x" * 5000])
def test_hostile_answers_are_kept_and_harmless(tmp_path, answer):
    path = write_image(tmp_path / "images", "Femur/1.png", encoded(phantom(1, 80)))
    workspace = Workspace(tmp_path / "workspace")
    workspace.root.mkdir()
    file = write_lines(tmp_path / "x.jsonl", [chat_line(path, "Q5", answer), chat_line(path, "Q7", "Normal")])
    api.import_chat_file(workspace, "fetal", file, tmp_path / "images")
    report = api.quality_report(workspace, "fetal")
    assert answer in {odd.raw for odd in report.answers.odd}
