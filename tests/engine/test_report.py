"""Reports from a workspace: what is on the page is what is in the store."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import CommandLine
from report_helpers import (
    ANSWERS,
    HOSTILE,
    full_workspace,
    measure,
    predictions,
    stored_scores,
    text_of,
    trained_run,
)
from store_helpers import raw

from engine import api
from engine.errors import DataError, JobError, StoreError, UsageError
from engine.reporting.model import Report
from engine.reporting.prose.limitations import limitations
from engine.reporting.prose.summary import summary_text
from engine.reporting.prose.warnings import warnings
from engine.reporting.rendering import FILES, render
from engine.reporting.tables import figures_csv, report_json
from engine.store.writer import Writer
from engine.types import IMPORTED, Mark, Outcome, Reference, Split
from engine.workspace import Workspace


@pytest.fixture(scope="module")
def q7(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return full_workspace(tmp_path_factory.mktemp("q7"))


@pytest.fixture(scope="module")
def page(q7: Workspace) -> Report:
    return api.build_report(q7)


def test_every_number_of_the_json_is_that_of_the_store(q7: Workspace, page: Report) -> None:
    content = json.loads(report_json(page, {}))
    assert content["note"] == "Research only, not for clinical use."
    subjects = [*content["references"], *content["runs"]]
    assert len(subjects) == 6
    for subject in subjects:
        found = {(s["scope"], s["name"]): (s["value"], s["low"], s["high"], s["n"]) for s in subject["scores"]}
        stored = {(s.scope, s.name): (s.value, s.low, s.high, s.n) for s in stored_scores(q7, subject["evaluation"])}
        assert found == stored
        assert sum(subject["outcomes"].values()) == subject["n"] == 80
    best = content["runs"][0]
    assert best["name"] == "baseline"
    grey = {s["name"]: s["value"] for s in best["grey_scores"]}
    stored_grey = {s.name: s.value for s in stored_scores(q7, best["grey_evaluation"]) if s.scope == "all"}
    assert grey == stored_grey


def test_the_csv_has_every_figure_and_no_formula(q7: Workspace, page: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(figures_csv(page))))
    stored = sum(len(stored_scores(q7, each.evaluation)) for each in page.subjects)
    assert len([row for row in rows if row["images"] == "as they are"]) == stored
    assert {row["note"] for row in rows} == {"Research only, not for clinical use."}
    auroc = next(
        r for r in rows if (r["run"], r["scope"], r["measure"], r["images"]) == ("1", "all", "auroc", "as they are")
    )
    assert float(auroc["value"]) == page.runs[0].score("auroc").value  # type: ignore[union-attr]
    for row in rows:
        assert not row["subject"].startswith(("=", "+", "-", "@"))


def test_curves_and_matrices_count_the_cases_that_the_store_has(q7: Workspace, page: Report) -> None:
    from engine.store.reader import Reader

    best = page.runs[0]
    with Reader(q7) as reader:
        said = reader.predictions(best.evaluation)
    assert sum(point.n for point in best.reliability) == len(said)
    assert (best.roc[0].false_positive_rate, best.roc[-1].sensitivity) == (0.0, 1.0)
    area = sum(
        (b.false_positive_rate - a.false_positive_rate) * (a.sensitivity + b.sensitivity) / 2
        for a, b in zip(best.roc, best.roc[1:], strict=False)
    )
    assert area == pytest.approx(best.score("auroc").value)  # type: ignore[union-attr]
    threshold, text = best.matrices
    assert (threshold.basis, text.basis) == ("threshold", "text")
    for matrix in best.matrices:
        assert sum(map(sum, matrix.counts)) == len(said)
    hits = threshold.counts[threshold.targets.index("abnormal")][threshold.said.index("abnormal")]
    assert hits / 10 == best.score("sensitivity").value  # type: ignore[union-attr]
    right = sum(p.outcome is Outcome.RIGHT for p in said)
    assert sum(text.counts[row][text.said.index(name)] for row, name in enumerate(text.targets)) == right


def test_comparisons_are_those_of_compare(q7: Workspace, page: Report) -> None:
    assert [pair.second for pair in page.pairs][:2] == ["majority class", "majority by view"]
    assert {pair.first for pair in page.pairs} == {"baseline (run 1)"}
    other = next(pair for pair in page.pairs if pair.second.endswith("(run 2)"))
    direct = api.compare(q7, [1, 2], question="Q7", split=Split.TEST).pairs[0]
    assert (other.fixed, other.broken, other.mcnemar_p) == (len(direct.fixed), len(direct.broken), direct.mcnemar_p)
    assert other.difference == pytest.approx(direct.differences[0].value)
    assert other.family == len(page.pairs) == 4  # shuffled answers are no competitor


def test_the_summary_lays_the_references_beside_the_best_run(page: Report) -> None:
    text = summary_text(page)
    for words in ("baseline (run 1) has a balanced accuracy of", "majority class 0.", "majority by view",
                  "untuned base",
                  "on grey images", "95 % interval", "10 of them abnormal"):  # fmt: skip
        assert words in text
    assert "Not measured" not in text


def test_missing_references_are_said_to_be_missing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        measure(writer, trained_run(writer, "alone"), said=predictions(n=40))
    report = api.build_report(workspace)
    assert (
        "Not measured: the majority class, the majority of each view, the untuned base and the control"
        in summary_text(report)
    )
    assert any("Whether it looks at the image was not tested for alone (run 1)" in each for each in limitations(report))
    assert report.pairs == ()
    assert "Comparison on the same images" in text_of(report)


def test_a_collapsed_run_is_never_called_the_best(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        first, second = trained_run(writer, "stuck"), trained_run(writer, "honest")
        detail = "Q7: one and the same answer for 80 images of 4 views"
        measure(writer, first, said=predictions(skill=1.0), marks=[(Mark.COLLAPSED, detail), (Mark.FEW_CASES, "few")])
        measure(writer, second, said=predictions(skill=0.6))
    report = api.build_report(workspace)
    assert report.runs[0].name == "stuck"
    assert [(w.kind, w.severe) for w in warnings(report)] == [(Mark.COLLAPSED, True), (Mark.FEW_CASES, False)]
    text = summary_text(report)
    assert text.startswith("The highest balanced accuracy is not a result: stuck (run 1) is marked “collapsed”.")
    assert "honest (run 2) has a balanced accuracy" in text
    markdown = text_of(report)
    assert markdown.index(detail) < markdown.index("## Figures")
    with Writer.open(workspace) as writer:
        from engine.store.records import MarkRow

        evaluation = report.runs[1].evaluation
        writer.set_marks(evaluation, [MarkRow(evaluation, Mark.BLIND, "all", "as well on grey images")])
    assert summary_text(api.build_report(workspace)).startswith("None of the runs is a result")


@pytest.mark.parametrize("question", list(ANSWERS))
def test_every_question_has_a_page(tmp_path: Path, question: str) -> None:
    workspace = full_workspace(tmp_path, question, n=24, split=Split.VALIDATION)
    report = api.build_report(workspace, api.ReportQuery(question=question))
    files = render(report)
    assert set(files) <= set(FILES)
    assert ("plots/roc.svg" in files) == ("plots/calibration.png" in files) == (question == "Q7")
    assert "plots/intervals.svg" in files
    assert report.looks is None
    text = files["report.html"].decode()
    assert question in text or question == "report"
    assert "Research only, not for clinical use." in text


@pytest.mark.parametrize("abnormal_every", [0, 1])
def test_one_class_alone_has_a_page_without_curves(tmp_path: Path, abnormal_every: int) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        measure(writer, trained_run(writer, "a"), said=predictions(n=12, abnormal_every=abnormal_every))
    report = api.build_report(workspace)
    files = render(report)
    assert "plots/roc.svg" not in files
    assert "balanced accuracy is undefined" in summary_text(report)
    assert any(each.startswith("Only 0 ") for each in limitations(report))


def test_an_evaluation_without_cases_or_scores_has_a_page(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        measure(writer, trained_run(writer, "a"), said=[])
    assert "report.html" in render(api.build_report(workspace))


def test_imported_predictions_without_probabilities_are_judged_by_their_text(tmp_path: Path) -> None:
    import dataclasses

    workspace = Workspace(tmp_path)
    said = [dataclasses.replace(each, p_abnormal=None, probabilities={}) for each in predictions(n=48)]
    with Writer.open(workspace) as writer:
        run = writer.create_run("theirs", "{}", "fetal", "data-1", "split-1", "unknown", 0, kind=IMPORTED)
        measure(writer, run, said=said, threshold=0.5)
    report = api.build_report(workspace)
    assert "by the generated text" in summary_text(report)
    assert any("come from another tool" in each for each in limitations(report))
    assert [matrix.basis for matrix in report.runs[0].matrices] == ["text"]
    assert "How these came about is not recorded here" in text_of(report)


def test_runs_that_were_named_are_shown_in_their_order_and_the_first_is_compared(q7: Workspace) -> None:
    report = api.build_report(q7, api.ReportQuery(runs=(2, "baseline")))
    assert [run.run for run in report.runs] == [2, 1]
    assert {pair.first for pair in report.pairs} == {f"{api.one_line(HOSTILE)} (run 2)"}


def test_what_does_not_fit_is_refused(q7: Workspace, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to report on that") as refused:
        api.build_report(q7, api.ReportQuery(question="Q1"))
    assert "Q7 on test of fetal" in refused.value.reason
    with pytest.raises(JobError, match="no run 99"):
        api.build_report(q7, api.ReportQuery(runs=(99,)))
    with pytest.raises(UsageError, match="no ranking 2"):
        api.build_report(q7, api.ReportQuery(group=2))
    with pytest.raises(StoreError, match="No runs are recorded"):
        api.build_report(Workspace(tmp_path))
    with Writer.open(Workspace(tmp_path)) as writer:
        trained_run(writer, "never measured")
    with pytest.raises(DataError, match="nothing to report"):
        api.build_report(Workspace(tmp_path))


def test_runs_of_different_rankings_do_not_share_a_page(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        measure(writer, trained_run(writer, "a"), said=predictions(n=16))
        measure(writer, trained_run(writer, "b"), said=predictions("Q6", n=16), question="Q6")
    with pytest.raises(UsageError, match="not measured together"):
        api.build_report(workspace, api.ReportQuery(runs=("a", "b")))
    assert api.build_report(workspace, api.ReportQuery(runs=("a",))).group.question == "Q7"
    assert api.build_report(workspace).group.question == "Q6"


def test_of_many_runs_the_best_are_shown_and_that_is_said(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        for number in range(14):
            said = predictions("Q6", n=16, skill=number / 14, seed=number)
            measure(writer, trained_run(writer, f"r{number}"), said=said, question="Q6")
    report = api.build_report(workspace)
    values: list[Any] = [run.score("macro_recall").value for run in report.runs]  # type: ignore[union-attr]
    assert len(values) == 12
    assert values == sorted(values, reverse=True)
    assert any("14 runs were measured on these cases; shown are the 12" in each for each in limitations(report))


def test_limitations_are_written_only_where_they_are_true(tmp_path: Path, page: Report) -> None:
    said = " ".join(limitations(page))
    assert "one seed" in said
    assert "Only 10 abnormal cases" in said
    assert "phantoms" not in said
    assert "has been looked at" not in said  # once is what it is for
    assert "demonstration model" not in said
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        for seed in (1, 2):
            run = trained_run(writer, f"seed {seed}", training__seed=seed)
            measure(writer, run, said=predictions(n=320, seed=seed), split=Split.VALIDATION, model="assets/base-model")
    said = " ".join(limitations(api.build_report(workspace)))
    assert "one seed" not in said
    assert "abnormal cases were measured" not in said
    assert "they flatter" in said
    assert "demonstration model" in said


def test_a_damaged_recipe_and_protocol_do_not_stop_the_page(tmp_path: Path) -> None:
    workspace = full_workspace(tmp_path, n=16)
    with raw(workspace) as connection:
        connection.execute("UPDATE runs SET recipe = 'no json'")
        connection.execute("UPDATE evaluations SET protocol = '[1]'")
    text = text_of(api.build_report(workspace))
    assert "How these came about is not recorded here" in text
    assert "(not recorded)" in text


# ----- the command


def test_the_command_writes_a_folder_and_says_what_is_wrong_first(tmp_path: Path, capsys: Any) -> None:
    full_workspace(tmp_path, n=8)
    line = CommandLine(tmp_path, capsys)
    done = line("export", "report", "--question", "q7", "--split", "test", "--out", str(tmp_path / "out"))
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "report.html").is_file()
    assert "answered by a server that failed" in " ".join(done.out.split())
    assert "Research only" in done.err
    assert "\x1b" not in done.out
    again = line("export", "report", "--json")
    assert again.json["runs"] == 2
    assert again.json["folder"] == str(tmp_path / "reports" / "Q7-test")
    assert again.json["note"] == "Research only, not for clinical use."


def test_the_command_refuses_wrong_words(tmp_path: Path, capsys: Any) -> None:
    full_workspace(tmp_path, n=8)
    line = CommandLine(tmp_path, capsys)
    assert line("export", "report", "--question", "Q9").code == 2
    assert line("export", "report", "--split", "training").code == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    refused = line("export", "report", "--out", str(tmp_path / "mine"))
    assert refused.code == 1
    assert "--replace" in refused.err
    assert [each.name for each in (tmp_path / "mine").iterdir()] == ["thesis.tex"]


def test_references_alone_have_a_page(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        measure(writer, None, Reference.MAJORITY, said=predictions(n=16))
    report = api.build_report(workspace)
    assert summary_text(report).startswith("No tuned run was measured here")
    assert "majority class" in text_of(report)
