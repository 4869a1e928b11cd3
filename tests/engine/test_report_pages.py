"""The files of a report: harmless, whole, the same every time; and the folder that they go to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_helpers import control_characters, small_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from page_helpers import Page
from report_helpers import full_workspace, measure, predictions, text_of, trained_run

from engine import api
from engine.data.manifest import open_dataset
from engine.errors import DataError
from engine.reporting.document.blocks import Block, Callout, Heading, Listing, Paragraph, Row, Strong, Table
from engine.reporting.folder import write_report
from engine.reporting.html import to_html
from engine.reporting.markdown import to_markdown
from engine.reporting.rendering import FILES, render
from engine.reporting.tables import report_json
from engine.store.writer import Writer


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return render(api.build_report(full_workspace(tmp_path_factory.mktemp("pages"))))


def test_the_html_is_whole_and_neither_runs_nor_fetches_anything(files: dict[str, bytes]) -> None:
    text = files["report.html"].decode()
    page = Page(text)
    assert page.open == []
    assert {"html", "svg", "table", "figure", "pre"} <= set(page.tags)
    assert not {"script", "img", "link", "iframe", "object", "a", "image"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in ("href", "src", "xlink:href"):
            assert value.startswith("#")
        assert "url(http" not in value
    assert not re.search(r"@import|url\((?!#)", text)
    # Of names alone: as text, and in what stands for a picture.
    outside = re.sub(r"evil\.example", "", text)
    assert outside.count("http:") == text.count("http://evil.example")
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    used = {value.removeprefix("#") for _, name, value in page.attributes if name == "href"}
    used |= set(re.findall(r"url\(#([^)]+)\)", text))
    assert used <= set(ids)
    assert text.count("Research only, not for clinical use.") >= 2


def test_hostile_names_are_text_in_html_and_in_markdown(files: dict[str, bytes]) -> None:
    html, markdown = files["report.html"].decode(), files["report.md"].decode()
    assert "<script>alert(1)</script>" in "".join(Page(html).text)
    assert "<b>abnormal</b>" in "".join(Page(html).text)  # the prompt, verbatim
    for content in (html, markdown, files["report.json"].decode(), files["figures.csv"].decode()):
        assert not control_characters(content) - {"\n", "\t"}
    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)
    tags = set(Page(rendered).tags)
    assert "script" not in tags
    assert "a" not in tags
    pictures = re.findall(r'<img src="([^"]+)"', rendered)
    assert sorted(pictures) == sorted(
        f"plots/{n}.png" for n in ("intervals", "views", "roc", "calibration", "confusion")
    )
    assert "<script>alert(1)</script>" in "".join(Page(rendered).text)
    assert "<b>abnormal</b>" in "".join(Page(rendered).text)


def test_svg_files_hold_no_date_and_png_files_are_pictures(files: dict[str, bytes]) -> None:
    for name, content in files.items():
        if name.endswith(".svg"):
            assert b"<metadata>" not in content
            assert b"<script" not in content
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")
            assert b"Software" not in content[:400]


def test_the_same_database_gives_the_same_bytes(tmp_path: Path) -> None:
    workspace = full_workspace(tmp_path, n=8)
    assert render(api.build_report(workspace)) == render(api.build_report(workspace))


def test_a_picture_says_its_numbers(files: dict[str, bytes]) -> None:
    alternatives = [
        value for tag, name, value in Page(files["report.html"].decode()).attributes if name == "aria-label"
    ]
    assert len(alternatives) == 5
    figures = json.loads(files["report.json"])["runs"][0]["scores"]
    auroc = next(each for each in figures if (each["scope"], each["name"]) == ("all", "auroc"))
    assert any(f"AUROC {api.figure(auroc['value'])}" in each for each in alternatives)


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NASTY = st.sampled_from(["- x", "1. x", "# x", "| a |", "---", "===", "> q", "    code", "```", "<b>", "[a](b)",
                         "![a](b)", "www.a.bc", "http://a.bc", "&lt;", "$x$", "*a*", "_a_", "~~a~~", "\\", "a\nb",
                         "`", "<!--"])  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(text=st.one_of(ANY_TEXT, NASTY, st.tuples(NASTY, ANY_TEXT).map("".join)))
def test_any_text_stays_text(text: str) -> None:
    blocks: list[Block] = [
        Heading(1, text),
        Paragraph([text]),
        Paragraph([Strong(text), text]),
        Callout([text], severe=True),
        Listing([[text]]),
        Table(text, ["a", text], [Row([text, text])], words=(1,)),
    ]
    expected = {"html", "head", "meta", "title", "style", "body", "main", "h1", "p", "strong", "ul", "li", "div",
                "table", "thead", "tbody", "tr", "th", "td", "br", "small"}  # fmt: skip
    page = Page(to_html(text, blocks, {}))
    assert page.open == []
    assert set(page.tags) <= expected
    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(to_markdown(blocks))
    assert set(Page(rendered).tags) <= expected | {"blockquote", "em"}
    assert rendered.count("<h1>") == 1
    assert rendered.count("<li>") == 1
    assert rendered.count("<td") == 2


# ----- data


def test_the_methods_name_the_data_that_the_workspace_still_has(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    record = open_dataset(workspace, "fetal").record
    with Writer.open(workspace) as writer:
        prints = (record.fingerprint, record.split_fingerprint)
        measure(writer, trained_run(writer, "a"), said=predictions(n=16), prints=prints)
    report = api.build_report(workspace)
    assert report.data.known
    assert report.data.images == sum(count.images for count in report.data.counts) == 40
    assert sum(count.abnormal for count in report.data.counts) == 10
    text = text_of(report)
    assert record.fingerprint in text
    assert "It holds 40 images of 2 views" in text
    assert "80 / 10 / 10 % with seed 0" in text
    assert str(tmp_path) not in text + report_json(report, {})
    # Another import of the data: nothing is said of the present one.
    with Writer.open(workspace) as writer:
        measure(
            writer, trained_run(writer, "b"), said=predictions("Q6", n=16), question="Q6", prints=("other", "split")
        )
    assert not api.build_report(workspace).data.known


# ----- the folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


SMALL = {
    "report.html": b"<p>", "plots/roc.svg": b"<svg/>",
    "report.json": b'{"made_by": "sonotune export report", "files": {}}',
}  # fmt: skip


def small(**changed: bytes) -> dict[str, bytes]:
    import hashlib

    files = {**SMALL, **{name.replace("__", "."): content for name, content in changed.items()}}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != "report.json"}
    return {**files, "report.json": json.dumps({"made_by": "sonotune export report", "files": sums}).encode()}


def test_a_new_an_empty_and_an_own_folder_are_filled(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    write_report(folder, small())
    assert contents(folder) == small()
    newer = {name: content for name, content in small(report__html=b"<p>2").items() if name != "plots/roc.svg"}
    write_report(folder, newer)
    assert contents(folder) == newer  # a plot of the older report does not stay
    (tmp_path / "empty").mkdir()
    write_report(tmp_path / "empty", small())
    assert contents(tmp_path / "empty") == small()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deep", "empty"]  # nothing half done is left


def test_files_of_others_are_never_lost(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "plots").mkdir(parents=True)
    (folder / "plots" / "own.png").write_bytes(b"own")
    (folder / "report.html").write_bytes(b"not ours")
    before = contents(folder)
    with pytest.raises(DataError, match="no report"):
        write_report(folder, small())
    assert contents(folder) == before
    write_report(folder, small(), replace=True)
    assert contents(folder) == {**small(), "plots/own.png": b"own"}
    # Now it is ours: it can be written again, and what is not ours stays.
    write_report(folder, small(report__html=b"<p>3"))
    assert contents(folder) == {**small(report__html=b"<p>3"), "plots/own.png": b"own"}


def test_a_report_that_somebody_has_changed_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    write_report(folder, small())
    (folder / "report.html").write_bytes(b"<p> with my remarks")
    with pytest.raises(DataError, match="changed by somebody"):
        write_report(folder, small(report__html=b"<p>2"))
    assert (folder / "report.html").read_bytes() == b"<p> with my remarks"
    write_report(folder, small(report__html=b"<p>2"), replace=True)
    assert contents(folder) == small(report__html=b"<p>2")


def test_nothing_is_written_through_a_link_or_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / "plots").symlink_to(tmp_path / "elsewhere")
    for target in (folder, tmp_path / "file"):
        with pytest.raises(DataError):
            write_report(target, small(), replace=True)
    assert not any((tmp_path / "elsewhere").iterdir())
    with pytest.raises(DataError, match="can't be written"):
        write_report(tmp_path / "file" / "below", small())


def test_names_of_files_never_come_from_data(files: dict[str, bytes]) -> None:
    assert set(files) <= set(FILES)
