"""The files of a study's report: harmless, whole, the same every time; and the folder that they go to."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from cli_helpers import control_characters
from markdown_it import MarkdownIt
from page_helpers import Page
from report_helpers import full_workspace
from study_result_helpers import DEFINITION, HOSTILE, barely_begun, hostile, incomplete, many_arms, rich

from engine import api
from engine.errors import DataError
from engine.reporting.folder import RANKING, require_free, write_report
from engine.reporting.study.model import StudyPage
from engine.reporting.study.rendering import STUDY, render_study
from engine.study.results import StudyResult
from engine.workspace import Workspace

FILE = re.compile(r"report\.(?:html|md|json)|figures\.csv|plots/[a-z][a-z-]{0,40}-\d+\.(?:svg|png)")
MAKERS = (rich, incomplete, barely_begun, hostile, many_arms)


@pytest.fixture(scope="module")
def pages() -> dict[str, dict[str, bytes]]:
    """The files of every example, drawn once."""
    return {make.__name__: render_study(StudyPage(make(), DEFINITION)) for make in MAKERS}


def rendered(markdown: str) -> str:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return str(parser.render(markdown))


@pytest.mark.parametrize("name", [make.__name__ for make in MAKERS])
def test_the_html_is_whole_and_neither_runs_nor_fetches_anything(pages: dict[str, dict[str, bytes]], name: str) -> None:
    text = pages[name]["report.html"].decode()
    page = Page(text)
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "object", "a", "image"} & set(page.tags)
    for tag, attribute, value in page.attributes:
        assert not attribute.startswith("on"), (tag, attribute)
        if attribute in ("href", "src", "xlink:href"):
            assert value.startswith("#")
    assert not re.search(r"@import|url\((?!#)", text)
    assert text.count("http:") == text.count("](http:")  # of names alone, as text, some of them cut
    ids = [value for _, attribute, value in page.attributes if attribute == "id"]
    assert len(ids) == len(set(ids))
    used = {value.removeprefix("#") for _, attribute, value in page.attributes if attribute == "href"}
    assert used | set(re.findall(r"url\(#([^)]+)\)", text)) <= set(ids)
    assert text.count("Research only, not for clinical use.") >= 2


@pytest.mark.parametrize("name", [make.__name__ for make in MAKERS])
def test_the_markdown_has_well_formed_tables_and_its_pictures_exist(
    pages: dict[str, dict[str, bytes]], name: str
) -> None:
    files = pages[name]
    text = files["report.md"].decode()
    outside = re.sub(r"(?ms)^`{3,}.*?^`{3,}$", "", text)
    tables = re.findall(r"(?m)(?:^\|.*\n?)+", outside)
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, table[:200]
        assert re.fullmatch(r"\|(?: -{3}:? \|)+", table.splitlines()[1])
    html = rendered(text)
    assert html.count("<table>") == len(tables)
    pictures = re.findall(r'<img src="([^"]+)"', html)
    assert sorted(pictures) == sorted(each for each in files if each.endswith(".png"))
    assert html.count("<h1>") == 1


def test_hostile_text_stays_text_in_every_file(pages: dict[str, dict[str, bytes]]) -> None:
    files = pages["hostile"]
    html, markdown = files["report.html"].decode(), files["report.md"].decode()
    said = "<script>alert(1)</script> [x](http://evil.example) | `b` ![i](http://evil.example/i.png) *s* $x^2$"
    # As title, question, machine, note, dataset, warning, missing part, mark, ask, sentence, head, cell.
    assert "".join(Page(html).text).count(said) > 30
    read = Page(rendered(markdown))
    assert "".join(read.text).count(said) > 30
    assert not {"script", "a", "s"} & set(read.tags)
    assert "<b>bold</b>" in "".join(read.text)  # the study file, verbatim
    for name, content in files.items():
        if not name.endswith(".png"):
            assert not control_characters(content.decode()) - {"\n", "\t"}, name
            assert "\u202e" not in content.decode()
    cells = [cell for row in csv.reader(io.StringIO(files["figures.csv"].decode())) for cell in row]
    assert "'=1+1" in cells
    assert not any(cell.startswith(("=", "@", "+")) for cell in cells)


def test_plots_hold_hostile_names_as_text_and_no_formula(pages: dict[str, dict[str, bytes]]) -> None:
    drawings = [content.decode() for name, content in pages["hostile"].items() if name.endswith(".svg")]
    assert len(drawings) == 4
    for drawing in drawings:
        assert "<script" not in drawing
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in drawing
        assert "<metadata>" not in drawing
    # A formula would be drawn as several pieces of text without its dollar signs.
    named = replace(rich(), figures=tuple(replace(each, arm=f"${each.arm}^2$") for each in rich().figures), charts=())
    [svg] = [text.decode() for name, text in render_study(StudyPage(named)).items() if name.endswith(".svg")]
    assert ">$basic^2$</text>" in svg


def test_no_name_of_a_file_comes_from_a_study(pages: dict[str, dict[str, bytes]]) -> None:
    for files in pages.values():
        assert all(FILE.fullmatch(name) for name in files), list(files)
    assert "plots/robustness-1.png" in pages["rich"]
    assert not any("script" in name or ".." in name for name in pages["hostile"])


def test_the_same_result_gives_the_same_bytes(pages: dict[str, dict[str, bytes]]) -> None:
    again = render_study(StudyPage(rich(), DEFINITION))
    assert again == pages["rich"]
    assert again["report.html"] != pages["incomplete"]["report.html"]


def test_an_incomplete_study_says_so_at_the_top_of_every_file(pages: dict[str, dict[str, bytes]]) -> None:
    files = pages["incomplete"]
    assert "<title>Augmentation (incomplete)</title>" in files["report.html"].decode()
    assert "<h1>Augmentation (incomplete)</h1>" in files["report.html"].decode()
    assert files["report.md"].startswith(b"# Augmentation (incomplete)\n")
    assert json.loads(files["report.json"])["title"] == "Augmentation (incomplete)"
    assert b"incomplete" not in pages["rich"]["report.html"].lower()


def test_pictures_say_their_numbers(pages: dict[str, dict[str, bytes]]) -> None:
    found = [v for _, name, v in Page(pages["rich"]["report.html"].decode()).attributes if name == "aria-label"]
    assert len(found) == 4
    assert "basic 0.83 (0.78–0.88), n = 240" in found[0]
    assert "majority by view 0.62 (0.57–0.67), n = 240" in found[0]
    assert "blur, advanced: at severity = 0 0.77 (0.71–0.83)" in found[1]
    assert "n = 240 at every point" in found[1]
    assert "Q8 0.44 (0.38–0.50), n = 126" in found[3]


# ----- the folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def small(**changed: object) -> StudyResult:
    """A result that is drawn quickly: one plot with three rows."""
    return replace(rich(), figures=rich().figures[:3], charts=(), **changed)  # type: ignore[arg-type]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work")


def test_an_export_says_where_everything_is(workspace: Workspace) -> None:
    found = api.export_study(workspace, small(), definition=DEFINITION)
    assert found.folder == workspace.root / "reports" / "study-augmentation-demo"
    assert found.title == "Augmentation"
    assert [each.name for each in (found.markdown, found.html, found.figures, found.json)] == [
        "report.md", "report.html", "figures.csv", "report.json",
    ]  # fmt: skip
    assert [str(each.relative_to(found.folder)) for each in found.plots] == ["plots/figures-1.svg",
                                                                            "plots/figures-1.png"]  # fmt: skip
    files = contents(found.folder)
    assert len(files) == 6
    sums = json.loads(files["report.json"])["files"]
    assert sums == {n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n != "report.json"}
    assert str(workspace.root).encode() not in b"".join(files.values())


def test_a_name_that_was_not_checked_never_becomes_a_path(workspace: Workspace) -> None:
    bad = small(study="../../etc", scale="a/b")
    assert api.study_report_folder(workspace, bad) == workspace.root / "reports" / "study-other-other"


def test_a_newer_report_replaces_an_older_one_with_its_plots(workspace: Workspace) -> None:
    more = replace(small(), charts=rich().charts[:1])
    api.export_study(workspace, more)
    folder = api.export_study(workspace, small()).folder
    assert "plots/robustness-1.png" not in contents(folder)
    # Beside a file of somebody else as well: what was ours goes, what is theirs stays.
    api.export_study(workspace, more)
    (folder / "plots" / "mine.png").write_bytes(b"mine")
    found = contents(api.export_study(workspace, small()).folder)
    assert found["plots/mine.png"] == b"mine"
    assert "plots/robustness-1.png" not in found


def test_nothing_of_somebody_else_is_lost(workspace: Workspace, tmp_path: Path) -> None:
    folder = api.export_study(workspace, small()).folder
    # A plot that is going to be written, but was not ours.
    (folder / "plots" / "robustness-1.png").write_bytes(b"mine")
    with pytest.raises(DataError, match="changed by somebody"):
        api.export_study(workspace, replace(small(), charts=rich().charts[:1]))
    assert (folder / "plots" / "robustness-1.png").read_bytes() == b"mine"
    (folder / "plots" / "robustness-1.png").unlink()
    (folder / "report.md").write_bytes(b"# with my remarks")
    before = contents(folder)
    with pytest.raises(DataError, match="changed by somebody"):
        api.export_study(workspace, small())
    assert contents(folder) == before
    api.export_study(workspace, small(), replace=True)
    assert (folder / "report.md").read_bytes() != b"# with my remarks"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_bytes(b"x")
    with pytest.raises(DataError, match="no report") as refused:
        api.export_study(workspace, small(), other)
    assert "--output" in refused.value.next_step
    assert contents(other) == {"thesis.tex": b"x"}


def test_a_listed_file_that_is_not_what_was_written_is_not_deleted(workspace: Workspace) -> None:
    """The list stands in a file that anybody can edit: it must not be able to name what is deleted."""
    folder = api.export_study(workspace, small()).folder
    (folder / "thesis.tex").write_bytes(b"x")
    content = json.loads((folder / "report.json").read_bytes())
    content["files"] |= {"thesis.tex": "0" * 64, "../outside": "0" * 64, "plots": ""}
    (folder / "report.json").write_text(json.dumps(content))
    api.export_study(workspace, small(), replace=True)
    assert (folder / "thesis.tex").read_bytes() == b"x"


def test_the_report_of_a_ranking_is_not_taken_for_one_of_a_study(workspace: Workspace, tmp_path: Path) -> None:
    folder = tmp_path / "ranking"
    write_report(folder, {"report.json": json.dumps({"made_by": RANKING.made_by, "files": {}}).encode()})
    require_free(folder)
    before = contents(folder)
    with pytest.raises(DataError, match="no report"):
        api.export_study(workspace, small(), folder)
    assert contents(folder) == before
    own = api.export_study(workspace, small()).folder
    with pytest.raises(DataError, match="no report"):
        require_free(own)
    require_free(own, kind=STUDY)


def test_sources_are_read_from_the_workspace(tmp_path: Path) -> None:
    workspace = full_workspace(tmp_path, n=8)
    measured = {row.id: row for run in api.runs(workspace) for row in api.run_details(workspace, run.id).evaluations}
    numbers = (*sorted(measured), 9_999)
    found = api.export_study(workspace, small(evaluations=numbers))
    sources = json.loads(found.json.read_bytes())["sources"]
    assert [each["evaluation"] for each in sources] == list(numbers[:-1])
    names = {run.id: (run.name, run.seed, run.git_revision or "") for run in api.runs(workspace)}
    assert len(names) > 1
    for each in sources:
        row = measured[each["evaluation"]]
        assert (each["subject"], each["seed"], each["revision"]) == names[each["run"]]
        assert (each["n"], each["question"], each["split"]) == (row.n, row.question, str(row.split))
        assert (each["images"] == "grey images") == (row.degradation == "blank")
    text = found.markdown.read_text()
    assert "1 evaluation without a record in this workspace: `9999`" in text
    assert "<script" not in re.sub(r"(?s)```.*?```", "", text).replace("\\<script", "")


def test_the_hostile_example_is_hostile() -> None:
    """A guard of these tests themselves."""
    assert {"\x1b", "\u202e"} <= set(HOSTILE)
