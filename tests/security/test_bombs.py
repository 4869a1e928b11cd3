"""Small files that unfold to much: each in a child process with a bound on memory and on processor time."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from fuzz_importers import BOOK, BOOK_RELATIONS, CONTENT_TYPES, MAIN, RELATIONS, SHARED_STRINGS

HERE = Path(__file__).resolve().parent
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from pathlib import Path
from engine.errors import SonotuneError
{what}
try:
    read(Path(sys.argv[1]))
except SonotuneError as error:
    print("refused:", error.title, error.reason)
else:
    print("read")
"""
SHEET = "from engine.data.importers.sheet import gather_rows as read"
LAUGHS = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10))
BILLION = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "laugh">{LAUGHS}]>'
QUADRATIC = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l9 "{"laugh" * 20_000}">]>'
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'


def child(what: str, file: Path) -> str:
    """What came of a file, in a process that gets 1 GiB and 20 seconds of processor time."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD.format(what=what), str(file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def workbook(file: Path, sheet: str, shared: bytes = SHARED_STRINGS, book: bytes = BOOK) -> Path:
    parts = {
        "[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": RELATIONS, "xl/_rels/workbook.xml.rels": BOOK_RELATIONS,
        "xl/workbook.xml": book, "xl/worksheets/sheet1.xml": sheet.encode(), "xl/sharedStrings.xml": shared,
    }  # fmt: skip
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return file


def sheet(begin: str, cell: str, tail: str = "") -> str:
    rows = f'<row><c t="inlineStr"><is><t>{cell}</t></is></c></row>'
    return f'{begin}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{tail}</worksheet>'


@pytest.mark.parametrize("begin", [BILLION, QUADRATIC, OUTSIDE], ids=["billion", "quadratic", "outside"])
@pytest.mark.parametrize("place", ["sheet", "shared", "book"])
def test_entities_of_a_workbook_neither_fill_the_memory_nor_read_files(tmp_path: Path, begin: str, place: str) -> None:
    many = "&l9;" * (2_000 if begin == QUADRATIC else 1)
    plain = sheet("", "Folder Name")
    told = {
        "sheet": lambda: workbook(tmp_path / "x.xlsx", sheet(begin, many)),
        "shared": lambda: workbook(
            tmp_path / "x.xlsx", plain, f'{begin}<sst xmlns="{MAIN}"><si><t>{many}</t></si></sst>'.encode()
        ),
        "book": lambda: workbook(
            tmp_path / "x.xlsx",
            plain,
            book=f"{begin}<workbook xmlns='{MAIN}'><sheets>{many}</sheets></workbook>".encode(),
        ),
    }[place]()
    said = child(SHEET, told)
    assert said.startswith("refused")
    assert "root:" not in said


def test_a_million_merged_rows_in_every_column_take_no_memory(tmp_path: Path) -> None:
    from openpyxl.utils import get_column_letter

    merges = "".join(f'<mergeCell ref="{get_column_letter(n)}1:{get_column_letter(n)}1048576"/>' for n in range(1, 257))
    heads = "".join(
        f'<c t="inlineStr"><is><t>{head}</t></is></c>'
        for head in ("Folder Name", "Image Name", "Q7: Normality Assessment")
    )
    text = f'<worksheet xmlns="{MAIN}"><sheetData><row>{heads}</row></sheetData><mergeCells>{merges}</mergeCells></worksheet>'
    assert child(SHEET, workbook(tmp_path / "x.xlsx", text)).startswith("read")


def test_tags_that_never_end_cost_no_more_than_long_text(tmp_path: Path) -> None:
    """The search for merged cells goes over every character a bounded number of times."""
    heads = "".join(
        f'<c t="inlineStr"><is><t>{head}</t></is></c>'
        for head in ("Folder Name", "Image Name", "Q7: Normality Assessment")
    )
    text = f'<worksheet xmlns="{MAIN}"><!-- {"<mergeCell " * 150_000} --><sheetData><row>{heads}</row></sheetData></worksheet>'
    assert child(SHEET, workbook(tmp_path / "x.xlsx", text))


def test_numbers_and_nesting_of_json_have_bounds(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_bytes(
        b"[" * 2_000_000
        + b"\n"
        + b'{"images": '
        + b"9" * 3_000_000
        + b"}\n"
        + b'{"images": ["a/'
        + b" " * 3_000_000
        + b'b.png"]}\n'
    )
    assert child("from engine.data.importers.jsonl import gather_lines as read", file).startswith("read")


@pytest.mark.parametrize("question", ["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "report"])
def test_no_answer_of_ten_thousand_characters_takes_long(tmp_path: Path, question: str) -> None:
    """Repeated pieces are what makes regular expressions go back and forth; 200 kB are read within 20 s of processor
    time by each question, most of it in Q7, whose parser reads every clause."""
    pieces = (
        " ",
        "\n",
        "-",
        "1",
        "1 ",
        "1-",
        "a",
        "a ",
        "not ",
        "no abnormal ",
        "20 to 25 ",
        "weeks ",
        "**",
        "Q7: ",
        "(",
        "normal, ",
        "\t1.",
        "w",
        "'",
        "##",
    )
    file = tmp_path / "answers.txt"
    file.write_text("\0".join((piece * 10_000)[:10_000] + "x" for piece in pieces))
    what = f"""
from engine.questions.answers import read_answer
from engine.evaluation.judging import judge
def read(file):
    for text in file.read_text().split(chr(0)):
        judge({question!r}, text, "Normal")
"""
    assert child(what, file).startswith("read")
