"""From a cell of a confusion table to its images: counts, lists, evaluations side by side, one case in full."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from cases_helpers import CANDIDATES, case_workspace, measured, paths, said, target_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_helpers import add_run, prediction, raw

from engine import api
from engine.api import CaseQuery, Decision, Label
from engine.errors import DataError, JobError, UsageError
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.types import Outcome, Prediction, Verdict
from engine.workspace import Workspace

NORMAL, ABNORMAL = Label("value", "normal"), Label("value", "abnormal")
HOSTILE = (
    "[bold]x[/] [@click=app.quit]y[/]",
    "\x1b[2J\x1b]0;t\x07",
    "\u202egnp.exe שלום",
    "w" * 100_000,
    "=1+1",
    "a\nb",
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return case_workspace(tmp_path)


def counts(confusion: api.Confusion) -> dict[tuple[str, str], int]:
    """Cells that are not empty, by the words of their labels."""
    table = confusion.table
    found = {(api.label_text(r), api.label_text(c)): table.count(r, c).n for r in table.rows for c in table.columns}
    return {key: n for key, n in found.items() if n}


def found_paths(workspace: Workspace, **query: object) -> list[str]:
    return [item.path for item in api.cases(workspace, CaseQuery(**query)).items]  # type: ignore[arg-type]


# ----- the confusion table


def test_outputs_that_are_no_answer_have_columns_of_their_own(workspace: Workspace) -> None:
    confusion = api.confusion(workspace, 2)
    assert counts(confusion) == {
        ("normal", "normal"): 9,
        ("normal", "abnormal"): 8,
        ("abnormal", "abnormal"): 4,
        ("normal", "error"): 1,
        ("normal", "unparseable"): 1,
        ("normal", "cut off"): 1,
    }
    assert [api.label_text(each) for each in confusion.table.columns] == [
        "normal", "abnormal", "unclear", "unparseable", "error", "cut off",
    ]  # fmt: skip
    assert confusion.table.count() == (api.CellCount(24, 13, 24))
    assert confusion.table.count(NORMAL).n == 20
    assert confusion.table.count(column=ABNORMAL) == api.CellCount(12, 4, 12)
    assert confusion.all_views.not_right == 11


def test_by_threshold_the_probability_decides_and_stands_also_where_the_text_says_nothing(workspace: Workspace) -> None:
    confusion = api.confusion(workspace, 2, decision=Decision.THRESHOLD)
    assert counts(confusion) == {
        ("normal", "normal"): 11,
        ("normal", "abnormal"): 8,
        ("abnormal", "abnormal"): 4,
        ("normal", "error"): 1,
    }
    with raw(workspace) as database:
        database.execute("UPDATE evaluations SET threshold = NULL WHERE id = 2")
        database.execute("UPDATE predictions SET p_abnormal = 0.5 WHERE evaluation_id = 2 AND path LIKE 'Femur%'")
        database.execute(
            "UPDATE predictions SET p_abnormal = NULL WHERE evaluation_id = 2 AND path LIKE 'Abdomen%2.png'"
        )
    confusion = api.confusion(workspace, 2, decision=Decision.THRESHOLD)
    assert (confusion.subject.threshold, confusion.subject.threshold_source) == (0.5, "")
    assert counts(confusion)["normal", "abnormal"] == 14  # at the threshold itself: abnormal
    assert counts(confusion)["normal", "no P"] == 1


def test_views_of_nuchal_translucency_come_first_then_those_with_the_most_mistakes(workspace: Workspace) -> None:
    views = api.confusion(workspace, 2).views
    assert [(each.view, each.n, each.not_right) for each in views] == [
        ("NT-View", 6, 4),
        ("Standard_NT", 6, 4),
        ("Abdomen", 6, 3),
        ("Femur", 6, 0),
    ]
    only = api.confusion(workspace, 2, views=("Abdomen",))
    assert sum(counts(only).values()) == 6
    assert only.views == views


@pytest.mark.parametrize(
    ("view", "is_nt"),
    [
        ("NT-View", True),
        ("Standard_NT", True),
        ("Non_standard_NT", True),
        ("nt", True),
        ("Front", False),
        ("NTX", False),
        ("Abdomen", False),
    ],
)
def test_nt_is_a_word(view: str, is_nt: bool) -> None:
    assert api.is_nt(view) is is_nt


def test_a_question_with_few_answers_has_them_as_rows_and_columns(workspace: Workspace) -> None:
    bins = ["8-13", "20-25", "30-35"]
    rows = [
        said(f"Femur/{n}.png", f"{bins[n % 3]} weeks", f"{bins[n // 2 % 3]} weeks", question="Q5") for n in range(12)
    ]
    rows.append(said("Femur/odd.png", "35-38 weeks", "8-13 weeks", question="Q5"))
    rows.append(said("Femur/none.png", "no idea at all", "18-200 weeks", question="Q5"))
    with Writer.open(workspace) as writer:
        evaluation = measured(writer, 1, rows, question="Q5", threshold=None)
    confusion = api.confusion(workspace, evaluation)
    assert [api.label_text(each) for each in confusion.table.rows] == [*bins, "unparseable"]
    assert [api.label_text(each) for each in confusion.table.columns] == [
        *bins,
        "other",
        "unparseable",
        "error",
        "cut off",
    ]
    assert counts(confusion)["8-13", "other"] == 1
    expected = Counter((row.target_parsed, row.parsed) for row in rows[:12])
    assert {key: n for key, n in counts(confusion).items() if key[0] in bins and key[1] in bins} == expected
    assert confusion.all_views.scored == 13
    other = found_paths(workspace, evaluation=evaluation, cells=((Label("value", "8-13"), Label("other")),))
    assert other == ["Femur/odd.png"]


def test_a_question_with_many_answers_has_outcomes_as_columns(workspace: Workspace) -> None:
    rows = [
        said(
            f"Femur/{n}-{again}.png", "liver" if again else f"answer {n} of many", f"answer {n} of many", question="Q8"
        )
        for n in range(12)
        for again in range(2 + (n < 3))
    ]
    with Writer.open(workspace) as writer:
        evaluation = measured(writer, 1, rows, question="Q8", threshold=None)
    confusion = api.confusion(workspace, evaluation)
    assert len(confusion.table.rows) == 9
    assert confusion.table.rows[-1] == Label("other")
    assert [api.label_text(each) for each in confusion.table.columns][:2] == ["right", "wrong"]
    rest = confusion.table.count(Label("other"))
    assert (rest.n, rest.right) == (8, 4)
    wrong = found_paths(workspace, evaluation=evaluation, cells=((Label("other"), Label("outcome:wrong")),))
    assert len(wrong) == 4
    with pytest.raises(UsageError, match="Q8 has no threshold"):
        api.confusion(workspace, evaluation, decision=Decision.THRESHOLD)


VERDICTS = [each.value for each in Verdict]
CASES = st.lists(
    st.tuples(
        st.sampled_from(["NT-View", "Abdomen", "Femur"]),
        st.sampled_from(VERDICTS),
        st.sampled_from(VERDICTS),
        st.sampled_from(list(Outcome)),
        st.one_of(st.none(), st.floats(0, 1)),
        st.sampled_from(["good words", "BAD Words", "50%_'", "Ärger"]),
        st.floats(0, 10),
    ),
    max_size=25,
)


def _random(rows: list[tuple[str, str, str, Outcome, float | None, str, float]]) -> list[Prediction]:
    return [
        prediction(
            f"{view}/{number}.png",
            view=view,
            target_parsed=meant,
            parsed=parsed,
            outcome=outcome,
            p_abnormal=p,
            raw_output=output,
            latency_seconds=latency,
        )
        for number, (view, meant, parsed, outcome, p, output, latency) in enumerate(rows)
    ]


def _plain_said(row: Prediction, threshold: float | None) -> str:
    if threshold is not None:
        if row.p_abnormal is None:
            return "error" if row.outcome is Outcome.ERROR else "no P"
        return "abnormal" if row.p_abnormal >= threshold else "normal"
    if row.outcome in (Outcome.ERROR, Outcome.CUT_OFF):
        return row.outcome.replace("_", " ")
    return row.parsed


def _plain_outcome(row: Prediction, threshold: float | None) -> str:
    if threshold is None:
        return row.outcome
    if row.target_parsed not in ("normal", "abnormal"):
        return "unscored"
    if row.p_abnormal is None:
        return "error" if row.outcome is Outcome.ERROR else "no_probability"
    return "right" if _plain_said(row, threshold) == row.target_parsed else "wrong"


@pytest.fixture(scope="module")
def one_database(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp("random"))
    with Writer.open(workspace) as writer:
        add_run(writer, "a")
        add_run(writer, "b")
    return workspace


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=CASES, others=CASES, by_threshold=st.booleans(), threshold=st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_sql_counts_and_lists_as_plain_python_does(
    one_database: Workspace,
    rows: list[tuple[str, str, str, Outcome, float | None, str, float]],
    others: list[tuple[str, str, str, Outcome, float | None, str, float]],
    by_threshold: bool,
    threshold: float,
) -> None:
    mine, theirs = _random(rows), {row.path: row for row in _random(others)}
    with Writer.open(one_database) as writer:
        first = measured(writer, 1, mine, threshold=threshold)
        second = measured(writer, 2, theirs.values(), threshold=threshold)
    limit = threshold if by_threshold else None
    decision = Decision.THRESHOLD if by_threshold else Decision.TEXT

    confusion = api.confusion(one_database, first, decision=decision)
    assert counts(confusion) == Counter((row.target_parsed, _plain_said(row, limit)) for row in mine)
    assert confusion.table.count().right == sum(_plain_outcome(row, limit) == "right" for row in mine)
    for view in confusion.views:
        here = Counter(_plain_outcome(row, limit) for row in mine if row.view == view.view)
        assert view.outcomes == here

    def listed(**query: object) -> set[str]:
        return set(found_paths(one_database, evaluation=first, others=(second,), decision=decision, **query))

    cell = (NORMAL, ABNORMAL)
    assert listed(cells=(cell,)) == {
        row.path for row in mine if (row.target_parsed, _plain_said(row, limit)) == ("normal", "abnormal")
    }
    assert listed(outcomes=("right",), views=("NT-View", "Femur")) == {
        row.path for row in mine if _plain_outcome(row, limit) == "right" and row.view != "Abdomen"
    }
    both = [
        (row, theirs[row.path])
        for row in mine
        if row.path in theirs
        and "unscored" not in (_plain_outcome(row, limit), _plain_outcome(theirs[row.path], limit))
    ]
    rights = [
        (row.path, _plain_outcome(row, limit) == "right", _plain_outcome(other, limit) == "right")
        for row, other in both
    ]
    assert listed(differ="fixed") == {path for path, right, other in rights if other and not right}
    assert listed(differ="broken") == {path for path, right, other in rights if right and not other}
    assert listed(differ="any") == {path for path, right, other in rights if right != other}
    assert listed(filter="words") == {row.path for row in mine if "words" in row.raw_output.lower()}
    assert listed(filter="ärger or p_abnormal > 0.4") == {
        row.path
        for row in mine
        if "ärger" in row.raw_output.casefold() or (row.p_abnormal is not None and row.p_abnormal > 0.4)
    }


# ----- lists


def test_a_list_begins_with_nt_and_sorts_numbers_by_their_value(workspace: Workspace) -> None:
    names = [f"{view}/{number}.png" for view in ("Abdomen", "NT-View") for number in (10, 9)]
    rows = [said(path, "Normal", "Normal", p, latency=p) for p, path in zip((0.3, 0.1, 0.2, 0.4), names, strict=True)]
    rows.append(said("Abdomen/none.png", "Normal", "Normal", None, latency=9.0))
    with Writer.open(workspace) as writer:
        evaluation = measured(writer, 1, rows)
    by_view = ["NT-View/9.png", "NT-View/10.png", "Abdomen/9.png", "Abdomen/10.png", "Abdomen/none.png"]
    assert found_paths(workspace, evaluation=evaluation) == by_view
    assert found_paths(workspace, evaluation=evaluation, sort="path")[:2] == ["Abdomen/9.png", "Abdomen/10.png"]
    by_p = found_paths(workspace, evaluation=evaluation, sort="p_abnormal", descending=True)
    assert by_p == ["NT-View/9.png", "Abdomen/10.png", "NT-View/10.png", "Abdomen/9.png", "Abdomen/none.png"]
    assert found_paths(workspace, evaluation=evaluation, sort="latency")[-1] == "Abdomen/none.png"
    page = api.cases(workspace, CaseQuery(evaluation, sort="path", offset=1, limit=2))
    assert [item.path for item in page.items] == ["Abdomen/10.png", "Abdomen/none.png"]
    assert page.found == 5


def test_evaluations_of_other_cases_stand_side_by_side_with_a_word_about_it(workspace: Workspace) -> None:
    found = api.cases(workspace, CaseQuery(1, others=(3, 2, 1)))
    assert [each.name for each in found.others] == ["half", "eager"]
    assert [each.common for each in found.others] == [12, 24]
    assert found.notes == ("half was measured on other cases: 12 of 24 images in common.",)
    by_path = {item.path: item for item in found.items}
    assert by_path["Femur/Femur_000.png"].others[0] is None
    assert by_path["Femur/Femur_001.png"].others[0] == api.CaseAnswer(NORMAL, "right", 0.1, "Normal")
    assert found.root is not None
    assert (found.root / "Femur/Femur_001.png").is_file()
    with raw(workspace) as database:
        database.execute(
            "UPDATE predictions SET target = 'Increased NT' WHERE evaluation_id = 3 AND path LIKE 'Femur%1.png'"
        )
        database.execute("UPDATE evaluations SET clean_protocol_fingerprint = 'x' WHERE id = 2")
    found = api.cases(workspace, CaseQuery(1, others=(3, 2)))
    assert found.notes[0].endswith("in common, 1 with another target.")
    assert found.notes[1] == "eager was measured in another way (prompt, image size, limits or candidates)."


def test_what_cannot_stand_side_by_side_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="cannot stand beside"):
        api.cases(workspace, CaseQuery(1, others=(5,)))
    with Writer.open(workspace) as writer:
        elsewhere = measured(writer, 2, [said("a/b.png", "Normal", "Normal")], dataset="another")
    with pytest.raises(UsageError, match="cannot stand beside"):
        api.cases(workspace, CaseQuery(1, others=(elsewhere,)))
    with pytest.raises(UsageError, match="nothing to differ from"):
        api.cases(workspace, CaseQuery(1, differ="any"))
    with pytest.raises(UsageError, match="sorted"):
        api.cases(workspace, CaseQuery(1, sort="loss"))
    with pytest.raises(UsageError, match="outcome"):
        api.cases(workspace, CaseQuery(1, outcomes=("good",)))
    with pytest.raises(JobError):
        api.cases(workspace, CaseQuery(99))


def test_cells_are_typed_as_words(workspace: Workspace) -> None:
    assert api.parse_cell("abnormal:normal", workspace, 2) == (ABNORMAL, NORMAL)
    assert api.parse_cell("*:Cut Off", workspace, 2) == (None, Label("cut_off"))
    assert api.parse_cell("normal:*", workspace, 2) == (NORMAL, None)
    for wrong in ("abnormal", "abnormal:maybe", "cut off:normal"):
        with pytest.raises(UsageError, match="There is no cell"):
            api.parse_cell(wrong, workspace, 2)


def test_subjects_are_found_by_number_name_and_reference(workspace: Workspace) -> None:
    assert api.find_case_evaluation(workspace, "careful", question="Q7") == 1
    assert api.find_case_evaluation(workspace, 1) == 6  # measured last, and not the grey control
    assert api.find_case_evaluation(workspace, "base") == 4
    with pytest.raises(JobError, match="half has no finished evaluation of Q1"):
        api.find_case_evaluation(workspace, "half", question="Q1")
    with pytest.raises(JobError, match="There is no run"):
        api.find_case_evaluation(workspace, "nobody")
    with Writer.open(workspace) as writer:
        measured(writer, 3, [said(paths()[0], "Normal", "Normal")], cases="cases-1")
        newest = measured(writer, 3, [said(paths()[0], "Normal", "Normal")], cases="cases-9")
    assert api.find_case_evaluation(workspace, "half") == newest
    assert api.find_case_evaluation(workspace, "half", like=1) == newest - 1  # the same cases win
    names = [each.name for each in api.case_evaluations(workspace, 1)]
    assert names == ["untuned base assets/base-model", "half", "careful (grey images)", "eager", "half", "half"]


def test_predictions_of_another_tool_are_cases_too(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        run = add_run(writer, "tool", kind="imported")
        evaluation = measured(
            writer, run, [said(path, "HTTP 429", target_of(path)) for path in paths()], threshold=None
        )
    confusion = api.confusion(workspace, evaluation)
    assert confusion.subject.imported
    assert confusion.all_views.outcomes == {"error": 24}
    assert api.cases(workspace, CaseQuery(evaluation, outcomes=("error",))).found == 24
    assert counts(api.confusion(workspace, evaluation, decision=Decision.THRESHOLD)) == {
        ("normal", "error"): 20,
        ("abnormal", "error"): 4,
    }


# ----- one case


def test_one_case_has_everything_that_is_known_of_it(workspace: Workspace) -> None:
    path = "NT-View/NT-View_000.png"
    with Writer.open(workspace) as writer:
        writer.set_marks(1, [MarkRow(1, "leak", "all", "3 images")])
    details = api.case_details(workspace, (1, 3, 2, 4), path)
    careful, half, eager, base = details.replies
    assert details.image is not None
    assert details.image.file is not None
    assert details.image_problem == ""
    assert (details.view, details.target, details.target_read) == ("NT-View", "Abnormal NT thickening", "abnormal")
    assert careful.prediction is not None
    assert careful.prediction.outcome is Outcome.RIGHT
    assert [mark.kind for mark in careful.subject.marks] == ["leak"]
    assert (careful.by_threshold, careful.threshold_outcome) == (Verdict.ABNORMAL, Outcome.RIGHT)
    assert [text for text, _ in careful.candidates] == [CANDIDATES[1], CANDIDATES[0], CANDIDATES[2]]
    assert [each.question for each in careful.elsewhere] == ["Q1", "Q8"]
    assert [each.rule for each in careful.broken]  # an abnormal finding, and nothing but routine monitoring
    assert any("Q7" in dict(each.said) and "Q8" in dict(each.said) for each in careful.broken)
    assert half.prediction is None
    assert api.decided(half, Decision.TEXT) is None
    assert eager.elsewhere == ()
    assert base.subject.threshold_source == ""
    assert api.decided(base, Decision.TEXT) == ("unparseable", Outcome.UNPARSEABLE)
    assert api.decided(base, Decision.THRESHOLD) == ("abnormal", Outcome.RIGHT)
    shown = json.dumps(api.case_as_json(details), default=str)
    assert "Research only" in shown


def test_a_report_breaks_rules_by_itself(workspace: Workspace) -> None:
    report = "Normality Assessment: Abnormal VSD\nClinical Recommendations: Prenatal routine monitoring"
    with Writer.open(workspace) as writer:
        evaluation = measured(
            writer, 2, [said("Femur/Femur_000.png", report, report, question="report")], question="report"
        )
    reply = api.case_details(workspace, (evaluation,), "Femur/Femur_000.png").replies[0]
    assert any({"Q7", "Q8"} == set(dict(each.said)) for each in reply.broken)
    assert reply.by_threshold is None


def test_an_image_that_is_not_there_any_more_is_said_so(workspace: Workspace) -> None:
    path = paths()[0]
    root = api.cases(workspace, CaseQuery(1)).root
    assert root is not None
    (root / path).unlink()
    details = api.case_details(workspace, (1,), path)
    assert details.image is not None
    assert details.image.file is None
    assert details.image_problem
    with raw(workspace) as database:
        database.execute("DELETE FROM images WHERE path = ?", (path,))
    details = api.case_details(workspace, (1,), path)
    assert details.image is None
    assert "no such image" in details.image_problem
    with raw(workspace) as database:
        database.execute("DELETE FROM images")
        database.execute("DELETE FROM datasets")
    assert api.cases(workspace, CaseQuery(1)).root is None
    with pytest.raises(DataError, match="No evaluation has measured"):
        api.case_details(workspace, (1, 2), "nowhere.png")


def test_what_the_check_of_images_left_behind_is_told(workspace: Workspace) -> None:
    from engine.data.manifest import open_dataset
    from engine.data.quality.checking import check_all

    path = paths()[0]
    before = api.case_quality(workspace, "fetal", path)
    assert before == api.CaseQuality((), (), checked=False)
    check_all(open_dataset(workspace, "fetal"), processes=1)
    after = api.case_quality(workspace, "fetal", path)
    assert after.checked
    assert after.problems == ("It is tiny: 40×30 pixels.",)
    with raw(workspace) as database:
        (sha256,) = database.execute("SELECT sha256 FROM images WHERE path = ?", (path,)).fetchone()
        database.execute("UPDATE images SET sha256 = ? WHERE path = ?", (sha256, paths()[1]))
    assert [(each.path, each.exact) for each in api.case_quality(workspace, "fetal", path).twins] == [
        (paths()[1], True)
    ]
    _near_duplicates(workspace, sha256, paths()[5])
    twins = api.case_quality(workspace, "fetal", path).twins
    assert [(each.path, each.exact, each.similarity) for each in twins[1:]] == [(paths()[5], False, 0.97)]
    assert api.case_quality(workspace, "fetal", "nowhere.png") == api.CaseQuality((), (), checked=False)


def _near_duplicates(workspace: Workspace, sha256: str, path: str) -> None:
    """What a search of the check leaves on disk."""
    from engine.data.quality.duplicates import MATCHES, _write_links

    with raw(workspace) as database:
        (other,) = database.execute("SELECT sha256 FROM images WHERE path = ?", (path,)).fetchone()
    _write_links(workspace.datasets / "fetal" / MATCHES, b"key", [(*sorted((sha256, other)), 4, 0.97)])


# ----- hostile text and exports


def test_hostile_text_is_listed_filtered_and_written_without_harm(workspace: Workspace) -> None:
    rows = [
        said(f"Femur/[red]{n}\x1b[31m.png", text, "-2+3" if n else "=HYPERLINK(1)", 0.1, question="Q8")
        for n, text in enumerate(HOSTILE)
    ]
    with Writer.open(workspace) as writer:
        run = add_run(writer, "=cmd|' /C calc'!A0")
        evaluation = measured(writer, run, rows, question="Q8", threshold=None)
    assert len(api.cases(workspace, CaseQuery(evaluation)).items[3].answer.output) == 400
    found = api.cases(workspace, CaseQuery(evaluation, whole=True, sort="path"))
    assert [item.answer.output for item in found.items] == list(HOSTILE)
    assert found_paths(workspace, evaluation=evaluation, filter="'[@click'") == [rows[0].path]
    table = api.export_cases(found, "csv")
    for cells in list(csv.reader(io.StringIO(table)))[1:]:
        assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")] == []
        assert cells[-1] == "Research only, not for clinical use."
    page = api.export_cases(found, "markdown")
    assert "[bold]" not in page
    assert "w" * 200 not in page
    for text in (table, page):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
    values = api.cases_as_json(found, api.confusion(workspace, evaluation))
    assert json.loads(json.dumps(values))["note"].startswith("Research only")
    assert values["found"] == len(HOSTILE)


def test_an_export_has_every_run_side_by_side(workspace: Workspace) -> None:
    found = api.cases(workspace, CaseQuery(2, others=(3,), outcomes=("error", "cut_off"), whole=True))
    heads, *lines = api.export_cases(found, "csv").splitlines()
    assert heads.startswith(
        "path,view,target,target_read,said,outcome,p_abnormal,raw_output,latency_seconds,with1_name"
    )
    assert len(lines) == 2
    assert (
        "Abdomen/Abdomen_000.png,Abdomen,Normal for gestational age,normal,error,error,,ERROR: API error 503"
        in lines[0]
    )
    assert "half,not measured,,,," in lines[0]
    page = api.export_cases(found, "markdown")
    assert "half was measured on other cases: 12 of 24 images in common." in page.replace("\\", "")
    assert "Research only" in page
    assert "error, cut off; 2 cases" in page
    assert api.cases_as_json(found)["cases"][0]["with"] == [{"evaluation": 3, "measured": False}]


def test_nothing_measured_yet_is_an_empty_table(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        evaluation = measured(writer, 1, [])
    confusion = api.confusion(workspace, evaluation)
    assert counts(confusion) == {}
    assert confusion.views == ()
    assert api.cases(workspace, CaseQuery(evaluation, sort="p_abnormal")).found == 0
