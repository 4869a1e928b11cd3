"""`sonotune cases`: tables, lists, one image, files, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cases_helpers import case_workspace, measured, said
from cli_helpers import ENVIRONMENT, HOSTILE, CommandLine, control_characters
from store_helpers import add_run

from engine.store.records import MarkRow
from engine.store.writer import Writer

RESEARCH = "Research only, not for clinical use."


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("COLUMNS", "80")
    return CommandLine(case_workspace(tmp_path).root, capsys)


def test_it_prints_both_tables_the_views_and_the_cases_that_are_not_right(run: CommandLine) -> None:
    with Writer.open(_workspace(run)) as writer:
        writer.set_marks(2, [MarkRow(2, "serving errors", "all", "1 of 24")])
    done = run("cases", "eager")
    assert done.code == 0
    for words in (
        "Q7 on test of fetal: eager · run 2",
        "! serving errors: 1 of 24",
        "By generated text",
        "By P(abnormal) ≥ 0.40, chosen on validation",
        "unparseable",
        "4 ✓",
        "not right; 11 cases",
        "NT-View/NT-View_002.png",
        "target  Normal for gestational age",
        "abnormal, wrong  P(abnormal) 0.80  “Increased NT”",
        "error  “ERROR: API error 503: overloaded”",
        RESEARCH,
    ):
        assert words in done.out, words
    assert done.out.index("NT-View ") < done.out.index("Abdomen ")
    assert max(map(len, done.out.splitlines())) <= 80


def test_options_narrow_the_list(run: CommandLine) -> None:
    def paths(*words: str) -> list[str]:
        done = run("cases", "eager", "--json", *words)
        assert done.code == 0, done.err
        return [each["path"] for each in done.json["cases"]]

    assert len(paths()) == 11
    assert len(paths("--cell", "normal:abnormal")) == 8
    assert len(paths("--cell", "normal:abnormal", "--cell", "*:error")) == 9
    assert len(paths("--view", "nt", "--cell", "*:*")) == 12
    assert len(paths("--view", "abdomen")) == 3
    assert paths("--outcome", "error, cut_off") == ["Abdomen/Abdomen_000.png", "Abdomen/Abdomen_002.png"]
    assert paths("--filter", "grey picture") == ["Abdomen/Abdomen_001.png"]
    assert len(paths("--with", "careful", "--differ", "fixed")) == 11
    assert paths("--with", "careful", "--differ", "broken") == ["NT-View/NT-View_001.png"]
    assert len(paths("--decision", "threshold", "--outcome", "wrong")) == 8
    ordered = paths("--cell", "*:*", "--sort", "p_abnormal", "--descending", "--limit", "2")
    assert ordered == ["NT-View/NT-View_000.png", "NT-View/NT-View_001.png"]


def test_json_has_the_table_the_views_and_every_run(run: CommandLine) -> None:
    found = run("cases", "2", "--with", "half", "--with", "base", "--json").json
    assert found["evaluation"]["name"] == "eager"
    assert [each["name"] for each in found["with"]] == ["half", "untuned base assets/base-model"]
    assert found["confusion"]["counts"] == [[9, 8, 0, 1, 1, 1], [0, 4, 0, 0, 0, 0]]
    assert found["confusion"]["right"] == 13
    assert [each["view"] for each in found["views"]] == ["NT-View", "Standard_NT", "Abdomen", "Femur"]
    assert found["notes"] == ["half was measured on other cases: 12 of 24 images in common."]
    assert found["note"] == RESEARCH
    first = found["cases"][0]
    assert (first["said"], first["outcome"], first["p_abnormal"]) == ("abnormal", "wrong", 0.8)
    assert first["with"][0] == {"evaluation": 3, "measured": False}
    threshold = run("cases", "2", "--decision", "threshold", "--json").json
    assert threshold["threshold"] == 0.4


def test_files_are_written_whole_and_never_replaced(run: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    done = run("cases", "eager", "--csv", str(file), "--cell", "*:*")
    assert done.code == 0
    assert "24 cases" in done.err
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert len(rows) == 24
    assert {row["note"] for row in rows} == {RESEARCH}
    again = run("cases", "eager", "--csv", str(file))
    assert again.code == 2
    assert "is there already" in again.err
    assert len(file.read_text().splitlines()) == 25
    printed = run("cases", "eager", "--csv", "-", "--limit", "1")
    assert len(printed.out.splitlines()) == 2
    page = run("cases", "eager", "--markdown", "--view", "NT-View", "--limit", "1")
    assert page.out.startswith("# Cases of eager")
    assert RESEARCH in page.out
    assert run("cases", "eager", "--markdown", "--json").code == 2


def test_one_image_in_full(run: CommandLine) -> None:
    done = run("cases", "careful", "--question", "Q7", "--with", "half", "--path", "NT-View/NT-View_000.png")
    assert done.code == 0, done.err
    for words in ("Abnormal NT thickening", "right: abnormal", "threshold 0.40", "not measured", "Q8", "annotated"):
        assert words in done.out, words
    found = run("cases", "careful", "--question", "Q7", "--path", "NT-View/NT-View_000.png", "--json").json
    assert found["replies"][0]["prediction"]["raw_output"]
    assert found["replies"][0]["broken"]
    assert found["quality"]["checked"] is False
    missing = run("cases", "careful", "--path", "nowhere.png")
    assert missing.code == 1
    assert "No evaluation has measured nowhere.png" in missing.err


@pytest.mark.parametrize(
    ("words", "code", "said_words"),
    [
        (("nobody",), 1, "There is no run nobody"),
        (("half", "--question", "Q1"), 1, "no finished evaluation of Q1"),
        (("eager", "--split", "all"), 2, "There is no split all"),
        (("eager", "--decision", "dice"), 2, "There is no decision"),
        (("careful", "--question", "Q1", "--decision", "threshold"), 2, "Q1 has no threshold"),
        (("eager", "--cell", "abnormal:maybe"), 2, "There is no cell"),
        (("eager", "--view", "Mars"), 2, "There is no view"),
        (("eager", "--outcome", "fine"), 2, "There is no outcome"),
        (("eager", "--differ", "any"), 2, "nothing to differ from"),
        (("eager", "--filter", "p_abnormal >"), 2, "p_abnormal"),
        (("eager", "--sort", "loss"), 2, "cannot be sorted"),
        (("careful", "--question", "Q8", "--with", "half"), 1, "half has no finished evaluation of Q8"),
    ],
)
def test_what_it_refuses(run: CommandLine, words: tuple[str, ...], code: int, said_words: str) -> None:
    done = run("cases", *words)
    assert done.code == code
    assert said_words in done.err


def test_a_question_without_normal_and_abnormal_and_an_imported_run(run: CommandLine) -> None:
    done = run("cases", "careful", "--question", "Q1")
    assert done.code == 0
    assert "By generated text" in done.out
    assert "P(abnormal)" not in done.out
    with Writer.open(_workspace(run)) as writer:
        measured(writer, add_run(writer, "tool", kind="imported"), [said("Femur/a.png", "Timeout", "Normal")])
    done = run("cases", "tool")
    assert "another tool" in done.out


def test_hostile_text_cannot_steer_the_terminal(run: CommandLine) -> None:
    with Writer.open(_workspace(run)) as writer:
        rows = [said(f"Femur/{HOSTILE}.png", HOSTILE + "w" * 100_000, HOSTILE, question="Q8")]
        measured(writer, add_run(writer, HOSTILE), rows, question="Q8", threshold=None)
    for words in ((), ("--path", f"Femur/{HOSTILE}.png"), ("--csv", "-"), ("--markdown",), ("--json",)):
        done = run("cases", "4", "--cell", "*:*", *words)
        assert done.code == 0, done.err
        assert not control_characters(done.out.replace("\n", ""))
    assert len(run("cases", "4").out) < 5000


def test_light_modules_stay_light() -> None:
    code = (
        "import sys, engine.api.case_browsing, engine.api.case_detail, engine.api.case_checks, engine.api.case_export\n"
        "import engine.cli.cases, tui.screens.cases_open\n"
        "heavy = {'numpy', 'pyarrow', 'torch', 'pandas', 'scipy', 'tui.screens.cases', 'tui.screens.cases_image'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert json.loads(done.stdout.replace("'", '"')) == []


def _workspace(run: CommandLine) -> Any:
    from engine.workspace import Workspace

    return Workspace(run.folder)
