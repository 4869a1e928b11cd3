from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
from scipy.stats import binomtest
from scoring_helpers import FEW, by_name

from engine.scoring.coherence import ImageRules, RuleCount, coherence_scores, rule_table
from engine.scoring.reports import ReportCase, ReportSide, compare_reports, score_report
from engine.types import QUESTION_IDS, Outcome, Score


def report(path: str, right: str = "12345678", missing: str = "", unscored: str = "", **options: object) -> ReportCase:
    """A report: digits of the sections that are right, that are missing, and whose target cannot be read."""
    sections = {
        f"Q{digit}": Outcome.UNSCORED if digit in unscored else Outcome.RIGHT if digit in right else Outcome.WRONG
        for digit in "12345678"
        if digit not in missing
    }
    complete = all(outcome is Outcome.RIGHT for outcome in sections.values()) and not missing
    known: dict[str, object] = {"view": "V", "outcome": Outcome.RIGHT if complete else Outcome.WRONG}
    return ReportCase(path=path, target_text="t", present=frozenset(sections), sections=sections, **(known | options))  # type: ignore[arg-type]


def test_sections_are_counted_among_all_eight() -> None:
    cases = [report("1"), report("2", right="1234", missing="78"), report("3", right="", missing="12345678")]
    scores = by_name(score_report(cases, resamples=FEW))
    assert scores["completeness"].value == pytest.approx((1 + 6 / 8 + 0) / 3)
    assert scores["section_accuracy"].value == pytest.approx((1 + 4 / 8 + 0) / 3)
    assert scores["accuracy"].value == pytest.approx(1 / 3)
    assert (scores["Q1_accuracy"].value, scores["Q1_accuracy"].n) == (pytest.approx(2 / 3), 3)
    expected = binomtest(1, 3).proportion_ci(method="wilson")
    assert (scores["Q8_accuracy"].low, scores["Q8_accuracy"].high) == pytest.approx((expected.low, expected.high))


def test_sections_whose_target_cannot_be_read_are_left_out() -> None:
    scores = by_name(score_report([report("1", right="123", unscored="5678"), report("2", unscored="12345678")]))
    assert (scores["section_accuracy"].value, scores["section_accuracy"].n) == (pytest.approx(3 / 4), 1)
    assert scores["Q5_accuracy"] == Score("all", "Q5_accuracy", None, None, None, 0)
    assert scores["completeness"].value == 1.0


def test_unscored_reports_are_counted_alone_and_errors_are_empty_reports() -> None:
    error = replace(report("2", right="", missing="12345678"), outcome=Outcome.ERROR)
    scores = by_name(score_report([report("1"), error, replace(report("3"), outcome=Outcome.UNSCORED)]))
    assert (scores["accuracy"].value, scores["accuracy"].n) == (0.5, 2)
    assert (scores["error_rate"].value, scores["unscored_rate"].value) == (0.5, pytest.approx(1 / 3))
    assert (scores["completeness"].value, scores["completeness"].n) == (0.5, 2)


def rules(path: str, applied: str, broken: str = "", view: str = "V") -> ImageRules:
    return ImageRules(path, view, frozenset(applied), frozenset(broken))


def test_coherence_is_the_share_of_rules_kept_where_any_applies() -> None:
    scores = by_name(coherence_scores([rules("1", "abcd", "a"), rules("2", "ab"), rules("3", "")], resamples=FEW))
    assert (scores["coherence"].value, scores["coherence"].n) == (pytest.approx((3 / 4 + 1) / 2), 2)
    assert (scores["coherent_images"].value, scores["coherent_images"].n) == (0.5, 2)


def test_an_empty_report_is_not_coherent() -> None:
    cases = [report("1", applied=frozenset("ab")), report("2", right="", missing="12345678")]
    scores = by_name(score_report(cases, resamples=FEW))
    assert (scores["coherent_reports"].value, scores["coherent_reports"].n) == (1.0, 1)
    broken = replace(cases[0], path="3", broken=frozenset("a"))
    scores = by_name(score_report([*cases, broken], resamples=FEW))
    assert (scores["coherent_reports"].value, scores["coherence"].value) == (0.5, 0.75)


def test_the_table_of_rules_has_the_most_broken_first() -> None:
    images = [rules("1", "abc", "b"), rules("2", "bc", "b"), rules("3", "ac", "c")]
    assert rule_table(images) == [RuleCount("b", 2, 2), RuleCount("c", 3, 1), RuleCount("a", 2, 0)]
    assert rule_table([]) == []


def test_views_and_order() -> None:
    cases = [report("1", view="A"), report("2", right="1", view="B"), report("3", right="12", view="B")]
    scores = score_report(cases, resamples=FEW)
    assert list(dict.fromkeys(score.scope for score in scores)) == ["all", "view:A", "view:B"]
    assert by_name(scores, "view:A")["section_accuracy"].value == 1.0
    assert score_report(cases[::-1], resamples=FEW) == scores
    names = set(by_name(scores))
    assert names >= {"completeness", "section_accuracy", "coherence", "coherent_reports"}
    assert names >= {f"{question}_accuracy" for question in QUESTION_IDS}


def test_degenerate_input_raises_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert score_report([]) == []
        assert coherence_scores([]) == []
        assert by_name(coherence_scores([rules("1", "")]))["coherence"].value is None
        score_report([replace(report("1"), outcome=Outcome.UNSCORED)])


def test_reports_are_compared_by_their_sections() -> None:
    first = [report(f"{n:02d}", right="1234" if n % 2 else "12345") for n in range(30)]
    second = [report(f"{n:02d}", right="123456" if n % 3 else "12345678") for n in range(30)]
    found = compare_reports(ReportSide("A", first), [ReportSide("B", second)])[0]
    assert found.decisive is not None
    assert found.decisive.name == "section_accuracy"
    assert found.decisive.value == pytest.approx((10 * 8 + 20 * 6 - 15 * 5 - 15 * 4) / 8 / 30)
    assert found.distinguishable
    assert found.sentence.startswith("B is better than A: section accuracy +0.27 (")
    assert len(found.fixed) == 10
    assert {each.name for each in found.differences} == {"section_accuracy", "completeness", "accuracy"}


def test_coherence_of_reports_is_compared_where_rules_apply_to_both() -> None:
    first = [report(str(n), applied=frozenset("ab"), broken=frozenset("a")) for n in range(3)]
    second = [replace(case, broken=frozenset(), applied=frozenset("ab" if n else "")) for n, case in enumerate(first)]
    found = compare_reports(ReportSide("A", first), [ReportSide("B", second)], resamples=FEW)[0]
    gain = next(each for each in found.differences if each.name == "coherence")
    assert (gain.value, gain.n) == (0.5, 2)


def test_unscored_reports_cannot_be_compared() -> None:
    cases = [replace(report("1"), outcome=Outcome.UNSCORED)]
    found = compare_reports(ReportSide("A", cases), [ReportSide("B", cases)])[0]
    assert found.sentence == "not comparable: no report has a section whose target can be read"
