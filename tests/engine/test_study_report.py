"""What the report of a study says: the answers first, what must be read before them, methods and limitations."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from study_result_helpers import ARMS, DEFINITION, QUESTIONS, barely_begun, estimate, incomplete, many_arms, rich

from engine.reporting.document.blocks import Block, Callout, Heading, Listing, Paragraph, Table
from engine.reporting.markdown import to_markdown
from engine.reporting.study.answers import answer_blocks, verdict_word
from engine.reporting.study.figures import figure_tables
from engine.reporting.study.forms import title_of
from engine.reporting.study.limits import limitations
from engine.reporting.study.model import Source, StudyPage
from engine.reporting.study.numbers import figures_csv, study_json
from engine.reporting.study.page import page_blocks
from engine.reporting.study.parts import Part, parts_of
from engine.study.results import Answer, ArmFigure, Estimate, SeedValue, StudyResult, StudyTable


def blocks(page: StudyPage) -> list[Block]:
    """The page without its plots."""
    parts = [Part(part.title, part.tables) for part in parts_of(page.result)]
    return page_blocks(page, [], parts, {})


def text(page: StudyPage) -> str:
    return to_markdown(blocks(page))


def source(evaluation: int, **changed: object) -> Source:
    values: dict[str, object] = {
        "evaluation": evaluation, "subject": "augmentation-basic", "run": 7, "model": "assets/base-model", "seed": 42,
        "question": "Q7", "images": "as they are", "split": "validation", "n": 240, "measured_at": 1_800_000_000.0,
        "host": "a CPU", "trained_on": "a CPU", "versions": {"torch": "2.11.0"}, "revision": "abc1234",
    }  # fmt: skip
    return Source(**{**values, **changed})  # type: ignore[arg-type]


def test_the_order_is_what_to_know_first_then_answers_then_figures() -> None:
    found = blocks(StudyPage(rich(), DEFINITION))
    titles = [block.text for block in found if isinstance(block, Heading) and block.level <= 2]
    assert titles == [
        "Augmentation", "Answers", "Figures", "Cost", "Robustness", "AUROC against speed", "Alone and together",
        "Methods", "Limitations", "Study file", "Runs and evaluations",
    ]  # fmt: skip
    first_answer = next(place for place, block in enumerate(found) if isinstance(block, Heading) and block.level == 2)
    assert all(isinstance(block, Heading | Callout | Paragraph) for block in found[:first_answer])
    assert sum(isinstance(block, Callout) for block in found[:first_answer]) == 4  # research, phantoms, rule, collapsed
    assert to_markdown([found[1]]) == to_markdown([found[-1]]) == "> **Research only, not for clinical use.**\n"


def test_every_answer_stands_in_words_and_in_numbers() -> None:
    result = rich()
    found = answer_blocks(result)
    asks = list(dict.fromkeys(answer.ask for answer in result.answers))
    assert [block.text for block in found if isinstance(block, Heading) and block.level == 3] == asks
    said = to_markdown([block for block in found if isinstance(block, Paragraph | Listing)])
    for answer in result.answers:
        assert answer.sentence.replace("<", "\\<") in said
    table = found[-1]
    assert isinstance(table, Table)
    assert len(table.rows) == len(result.answers)
    assert table.rows[0].cells == [
        "Is the basic arm better than none?", "Yes", "basic against none", "Q7 AUROC", "+0.12 (0.07 to 0.17), n = 240",
        "< 0.001", "0.002",
    ]  # fmt: skip
    assert table.rows[5].cells[2:] == ["advanced", "Q7 AUROC", "0.84 (0.79–0.90), n = 240", "–", "–"]
    assert table.rows[7].cells[2:5] == ["advanced against majority class", "Q6 macro recall", "–"]
    assert "adjusted over 4 tests" in table.caption


@pytest.mark.parametrize(
    ("kind", "holds", "low", "high", "p", "word"),
    [
        ("better", True, 0.01, 0.2, 0.01, "Yes"),
        ("better", False, -0.2, -0.01, 0.01, "No"),
        ("better", None, -0.1, 0.2, 0.3, "Not distinguishable"),
        ("better", False, -0.1, 0.2, 0.3, "Not distinguishable"),
        ("better", None, 0.01, 0.2, 0.06, "Not distinguishable"),  # the interval alone is not enough
        ("each", True, 0.01, 0.2, 0.01, "Better"),
        ("each", False, -0.2, -0.01, 0.01, "Worse"),  # a no would be read as "makes no difference"
        ("each", False, 0.01, 0.2, 0.01, "No"),  # collapsed: its figure is higher, but it is not better
        ("non_inferior", True, -0.04, 0.1, None, "Yes"),
        ("non_inferior", None, -0.1, 0.1, None, "Cannot be decided"),
        ("at_least", False, 0.5, 0.7, None, "No"),
        ("better", None, None, None, None, "Cannot be decided"),
    ],
)
def test_no_difference_shown_is_never_called_no_difference(
    kind: str, holds: bool | None, low: float | None, high: float | None, p: float | None, word: str
) -> None:
    value = None if low is None or high is None else (low + high) / 2
    found = None if value is None else Estimate(value, low, high, 50)
    answer = Answer("?", kind, "Q7", "auroc", "a", "b", "", holds, found, p, p, 3)
    assert verdict_word(answer) == word


def test_an_incomplete_study_says_so_in_the_title_and_at_every_answer() -> None:
    result = incomplete()
    assert title_of(result) == "Augmentation (incomplete)"
    assert title_of(rich()) == "Augmentation"
    content = text(StudyPage(result))
    assert content.startswith("# Augmentation (incomplete)\n")
    assert content.count("(the study is incomplete)**") == len(result.answers)
    table = answer_blocks(result)[-1]
    assert isinstance(table, Table)
    assert all(row.cells[1].endswith("(incomplete)") for row in table.rows)
    for each in result.missing:
        assert f"- {each}" in content
    assert "2 parts are not done" in content
    # An arm that is not done has no figure, and its seeds are counted.
    [row] = [row for row in figure_tables(result)[0].rows if row.cells[0] == "advanced"]
    assert row.cells[1:3] == ["–", "0 of 3"]
    assert "incomplete" not in text(StudyPage(rich())).lower()


def test_a_study_that_has_not_begun_has_a_page() -> None:
    content = text(StudyPage(barely_begun()))
    assert "# Augmentation (incomplete)" in content
    assert "Nothing has been measured yet." in content
    assert "Runs and evaluations" not in content


def test_many_missing_parts_are_counted() -> None:
    result = replace(rich(), missing=tuple(f"arm {place}" for place in range(50)))
    content = text(StudyPage(result))
    assert "- arm 19\n" in content
    assert "arm 20" not in content
    assert "- and 30 more" in content


def test_figures_have_arms_first_and_every_seed() -> None:
    q7, q6 = figure_tables(rich())
    assert [row.cells[0] for row in q7.rows] == [*ARMS, "majority class", "majority by view", "untuned base"]
    assert [row.reference for row in q7.rows] == [False] * 3 + [True] * 3
    assert q7.rows[0].cells[1:] == ["0.71 (0.66–0.76), n = 240", "3", "0.010", "42: 0.70, 43: 0.71, 44: 0.72", "–"]
    assert q6.rows[0].cells[-1] == "collapsed"
    assert q6.rows[2].cells[1].startswith("0.997 ")  # never rounded up to perfect
    assert [table.caption.partition(". ")[0] for table in (q7, q6)] == [
        "Q7 Normality Assessment: AUROC", "Q6 Image Quality: macro recall",
    ]  # fmt: skip


def test_an_arm_of_one_seed_has_no_column_for_the_spread() -> None:
    one = replace(rich(), seeds=1, figures=(ArmFigure("a", "Q1", "f2", estimate(0.5), (SeedValue(1, 1, 1, 0.5),), None,
                                                      ()),))  # fmt: skip
    [table] = figure_tables(one)
    assert list(table.heads) == ["arm", "figure (95 %), n", "seeds", "marks"]
    assert any("one seed" in sentence for sentence in limitations(StudyPage(one)))
    assert not any("one seed" in sentence for sentence in limitations(StudyPage(rich())))


def test_what_is_no_number_is_undefined() -> None:
    nan = Estimate(float("nan"), float("inf"), None, 3)
    result = replace(rich(), figures=(ArmFigure("a", "Q7", "auroc", nan, (), None, ()),), answers=(), charts=())
    assert figure_tables(result)[0].rows[0].cells[1] == "–"
    assert "nan" not in figures_csv(result).lower()
    figure = json.loads(study_json(StudyPage(result), {}))["result"]["figures"][0]
    assert figure["estimate"] == {"value": None, "low": None, "high": None, "n": 3}


# ----- what must be known first


def test_phantoms_are_said_to_say_nothing_of_patients() -> None:
    said = "says anything about clinical performance"
    assert said in text(StudyPage(rich(), dataset_kind="phantoms"))
    assert said in text(StudyPage(rich()))  # by its name, where the workspace no longer has it
    real = replace(rich(), dataset="fetal")
    assert said not in text(StudyPage(real, dataset_kind="sheet"))
    assert said in text(StudyPage(real, dataset_kind="phantoms"))
    assert any("no patient identifiers" in each for each in limitations(StudyPage(real, dataset_kind="sheet")))


@pytest.mark.parametrize(("abnormal", "words"), [(4, "Only 4 abnormal cases"), (238, "Only 2 normal cases"),
                                                 (60, ""), (None, "")])  # fmt: skip
def test_few_cases_of_a_class_are_told(abnormal: int | None, words: str) -> None:
    content = text(StudyPage(replace(rich(), abnormal=abnormal)))
    assert ("Only " in content) == bool(words)
    assert words in content


def test_warnings_and_marks_are_severe_where_figures_are_no_result() -> None:
    found = [block for block in blocks(StudyPage(rich())) if isinstance(block, Callout)]
    severe = [to_markdown([block]) for block in found if block.severe]
    assert any("rule of decision was changed" in each for each in severe)
    assert any("none (Q6)" in each and "one and the same answer" in each for each in severe)
    mild = replace(rich(), figures=tuple(replace(each, marks=("few cases",)) for each in rich().figures[:1]))
    marked = [block for block in blocks(StudyPage(mild)) if isinstance(block, Callout) and not block.severe]
    assert any("measured on few cases" in to_markdown([block]) for block in marked)


def test_limitations_are_written_only_where_they_are_true() -> None:
    def said(result: StudyResult, *sources: Source) -> str:
        return " ".join(limitations(StudyPage(result, sources=sources, dataset_kind="sheet")))

    test = replace(rich(), split="test")
    assert "looked at 2 times" in said(test)
    assert "looked at" not in said(rich())
    assert "looked at" not in said(replace(test, looks=0))
    assert "validation split" in said(rich())
    assert "validation split" not in said(test)
    assert "16 arms" not in said(many_arms())
    assert "13 arms" in said(many_arms())
    assert "best of several" not in said(replace(rich(), figures=rich().figures[:2]))
    assert "demonstration model" in said(rich(), source(100))
    assert "demonstration model" not in said(rich(), source(100, model="Qwen/Qwen3-VL-8B-Instruct"))
    assert "different machines" in said(rich(), source(100), source(101, trained_on="NVIDIA H100"))
    assert "different machines" not in said(rich(), source(100), source(101))
    assert "Times and memory" not in said(replace(rich(), tables=()))


# ----- methods and sources


def test_methods_hold_the_values_that_were_used() -> None:
    sources = (source(100), source(101, versions={"torch": "2.12.0"}), source(300, run=None, trained_on=""))
    content = text(StudyPage(rich(), DEFINITION, sources, "phantoms"))
    for value in ("d" * 64, "5" * 64, "c" * 64, "`data.augment`", "3 seeds", "2,000 resamples", "Holm over 4 tests",
                  "DeLong", "swap test", "it needs no threshold", "240 cases of its validation split, 60 of them",
                  "torch 2.11.0; torch 2.12.0", "abc1234", "2027-01-15 08:00"):  # fmt: skip
        assert value in content, value
    assert "evaluations without a record" in content  # of the other 18
    assert "Study file" not in text(StudyPage(rich()))


@pytest.mark.parametrize(
    ("question", "figure", "split", "reason"),
    [
        ("Q7", "sensitivity_at_specificity", "test", "normal validation images, each arm its own"),
        ("Q7", "auroc", "validation", "needs no threshold"),
        ("Q7", "auroc", "test", "as the study file says"),
        ("Q1", "f2", "validation", "main figure of the question"),
        ("report", "completeness", "validation", "as the study file says"),
    ],
)
def test_methods_say_why_a_figure_decides(question: str, figure: str, split: str, reason: str) -> None:
    found = ArmFigure("a", question, figure, estimate(0.5), (), None, ())
    assert reason in text(StudyPage(replace(rich(), figures=(found,), split=split)))


def test_figures_that_only_decisions_look_at_are_explained() -> None:
    asked = tuple(Answer("Complete?", "at_least", "report", each, "a", "", "", True) for each in
                  ("completeness", "coherence"))  # fmt: skip
    content = text(StudyPage(replace(rich(), answers=(*rich().answers, *asked))))
    assert "completeness for Combined report and coherence for Combined report: as the study file says." in content
    assert "the share of the eight sections that a report has" in content
    assert "the share of the rules between sections that the answers keep" in content
    assert "how often an abnormal image is rated above a normal one" in content
    assert "the share of the eight sections" not in text(StudyPage(rich()))


def test_a_rule_that_was_declared_late_is_nowhere_said_to_have_been_declared() -> None:
    said = "declared before anything ran"
    kept = text(StudyPage(replace(rich(), warnings=()), DEFINITION))
    assert said in kept and "declared in it before anything ran" in kept
    changed = text(StudyPage(rich(), DEFINITION))
    assert "before anything ran" not in changed
    assert "What decides was not declared before something had been measured" in changed


def test_what_holm_does_not_adjust_is_said() -> None:
    content = text(StudyPage(rich()))
    assert "Answers on non-inferiority and thresholds are not adjusted by Holm" in content
    assert "2.5 % one-sided" in content
    tested = replace(rich(), answers=rich().answers[:3])
    assert "not adjusted" not in text(StudyPage(tested))


def test_an_untuned_arm_has_no_seeds_to_count() -> None:
    untuned = ArmFigure("untuned", "Q7", "auroc", estimate(0.5), (SeedValue(42, None, 9, 0.5),), None, ())
    started = ArmFigure("begun", "Q7", "auroc", estimate(0.5), (SeedValue(42, 3, 8, 0.5),), None, ())
    [table] = figure_tables(replace(rich(), figures=(*rich().figures[:2], untuned, started)))
    assert [row.cells[2] for row in table.rows] == ["3", "3", "–", "1 of 3"]
    assert table.rows[2].cells[4] == "–"


def test_what_was_asked_of_many_is_summed_up_before_the_answers() -> None:
    whole = text(StudyPage(rich()))
    assert whole.index("**In short**") < whole.index("### Is the basic arm better than none?")
    assert "- basic against none: yes" in whole
    assert "In short" not in text(StudyPage(replace(rich(), answers=rich().answers[:1])))


def test_methods_name_no_test_that_was_not_made() -> None:
    alone = replace(rich(), answers=tuple(each for each in rich().answers if each.kind == "at_least"))
    content = text(StudyPage(alone))
    assert "DeLong" not in content
    assert "Non-inferior" not in content
    assert "whole 95 % interval lies at or above" in content


# ----- parts


def test_tables_of_one_part_stand_under_one_heading() -> None:
    tables = tuple(
        StudyTable(f"questions-{q}", f"{q}: all measures", "", ("arm", "f"), (("a", "1"),)) for q in QUESTIONS
    )
    parts = parts_of(replace(rich(), tables=tables))
    assert [part.title for part in parts] == ["Questions", "Robustness", "AUROC against speed", "Alone and together"]
    assert [len(part.tables) for part in parts] == [2, 0, 0, 0]
    assert [[len(group) for group in part.groups] for part in parts] == [[], [5], [1], [1]]


def test_rows_that_do_not_fit_their_heads_still_make_a_table() -> None:
    table = StudyTable("odd", "Odd", "", ("a", "b", "c"), (("1",), ("1", "2", "3", "4")), words=(0, 1))
    found = blocks(StudyPage(replace(rich(), tables=(table,))))
    [shown] = [block for block in found if isinstance(block, Table) and block.caption == "Odd."]
    assert [len(row.cells) for row in shown.rows] == [3, 3]


# ----- numbers


def test_the_csv_has_every_number_in_a_row_of_its_own() -> None:
    result = rich()
    rows = list(csv.DictReader(io.StringIO(figures_csv(result))))
    counts = {
        kind: sum(row["record"] == kind for row in rows) for kind in ("figure", "seed", "answer", "point", "cell")
    }
    points = sum(len(series.points) for chart in result.charts for series in chart.series)
    assert counts == {"figure": 12, "seed": 18, "answer": len(result.answers), "point": points, "cell": 12 + 4}
    assert all(row["note"] == "Research only, not for clinical use." and row["complete"] == "yes" for row in rows)
    [row] = [row for row in rows if row["record"] == "figure" and row["arm"] == "basic" and row["question"] == "Q7"]
    assert [float(row[name]) for name in ("value", "low", "high")] == pytest.approx([0.83, 0.78, 0.88])
    assert (row["n"], row["sd_over_seeds"]) == ("240", "0.01")
    answer = next(row for row in rows if row["record"] == "answer")
    assert (answer["p"], answer["p_holm"], answer["family"], answer["answer"]) == ("0.0004", "0.0016", "4", "Yes")
    assert {row["complete"] for row in csv.DictReader(io.StringIO(figures_csv(incomplete())))} == {"no"}


def test_the_json_has_the_whole_result() -> None:
    content = json.loads(study_json(StudyPage(incomplete(), DEFINITION), {"report.html": "x"}))
    assert content["made_by"] == "sonotune study report"
    assert content["complete"] is False
    assert content["definition"] == DEFINITION
    assert content["result"]["missing"] == list(incomplete().missing)
    assert content["files"] == {"report.html": "x"}
