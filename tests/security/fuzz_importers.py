"""Fuzz target: every importer, from the file on disk to the published dataset; and split files.

Around the image root lie a secret, links to it and a pipe that would hang who opens it. Each process has one folder for
all of its inputs: images are written once, sources over each other.
"""

from __future__ import annotations

import atexit
import io
import mimetypes
import os
import shutil
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from fuzzing import SCRATCH, Target, staying_inside
from hostile import DAMAGE, TEXT, VALUES, damaged, joined, json_bytes, usually
from hypothesis import strategies as st

from engine.data.importers.request import SourceOptions
from engine.data.importers.split_file import REST, read_split_file
from engine.data.importers.start import start_import
from engine.data.manifest import open_dataset
from engine.data.paths import normalise_path
from engine.errors import SonotuneError
from engine.questions.prompts import QUESTIONS
from engine.types import QUESTION_IDS
from engine.workspace import Workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
from data_helpers import ANSWERS, png_bytes

NAMES = ("Femur/a_1.png", "Femur/a_2.png", "Thorax/b 01.png", "Thorax/c.png", "NT-View/d.png")
TRAPS = (
    "Femur/link.png",
    "Femur/pipe.png",
    "out/secret.png",
    "Femur/../../secret.png",
    "self/Femur/a_1.png",
    "Femur",
    "zero/x.png",
)
SPELT = ("femur/A_1.PNG", "root/Femur/a_1.png", "Femur/a_1", "Thorax\\b_1.png", "./Thorax//c.png", "NT View/D.jpg")

PATH = usually(
    st.sampled_from((*NAMES, *NAMES, *SPELT, *TRAPS)),
    st.one_of(joined(), VALUES, st.builds("Femur/{}".format, joined())),
)
ANSWER = usually(st.sampled_from(tuple(ANSWERS.values())))
PROMPT = usually(st.sampled_from([each.prompts["detailed"] for each in QUESTIONS.values()]))
CONTENT = st.one_of(PROMPT, PROMPT.map(lambda text: [{"type": "image"}, {"type": "text", "text": text}]))
KEYS = usually(st.just(None), TEXT, of=20)


def _chat(words: tuple[str, ...]) -> st.SearchStrategy[Any]:
    messages, role, content, user, assistant = words
    told = st.tuples(CONTENT, ANSWER, usually(st.just(assistant), of=20)).map(
        lambda each: [{role: user, content: each[0]}, {role: each[2], content: each[1]}]
    )
    images = st.one_of(PATH.map(lambda path: [path]), PATH.map(lambda path: [path]), PATH, st.lists(PATH, max_size=2))
    record = st.fixed_dictionaries(
        {messages: usually(told, of=20), "images": images}, optional={"id": VALUES, "split": TEXT}
    )
    return usually(record, of=20)


RECORDS = _chat(("messages", "role", "content", "user", "assistant"))
JSONL = st.lists(json_bytes(RECORDS), max_size=4).map(b"\n".join).map(lambda data: ("jsonl", data))
SHARED = _chat(("conversations", "from", "value", "human", "gpt"))
INFO = st.one_of(
    st.none(), st.none(), json_bytes(st.fixed_dictionaries({"x": st.fixed_dictionaries(
        {"file_name": st.just("source.json"), "formatting": usually(st.just("sharegpt"))},
        optional={"columns": VALUES, "tags": usually(st.dictionaries(st.sampled_from(("role_tag", "user_tag")), TEXT))})}))
)  # fmt: skip
SHAREGPT = st.tuples(json_bytes(st.lists(st.one_of(SHARED, SHARED, RECORDS), max_size=4)), INFO).map(
    lambda each: ("sharegpt", *each)
)

HEADS = (
    "Folder Name",
    "Image Name",
    "Status",
    *(f"{question}: {QUESTIONS[question].title}" for question in QUESTION_IDS),
)
CELL = st.tuples(st.sampled_from(("inlineStr",) * 6 + ("n", "b", "d", "e", "s", "str", "x")), TEXT)
ROW = st.lists(CELL, max_size=3)
SHEET = st.fixed_dictionaries(
    {
        "rows": st.lists(st.tuples(st.sampled_from(NAMES), ROW, st.integers(0, 10)), max_size=4),
        "heads": usually(st.just(HEADS), st.lists(TEXT, max_size=4).map(tuple), of=20),
        "tail": st.sampled_from(("", "", "", '<mergeCells><mergeCell ref="A2:A4"/></mergeCells>', "<x>", '<mergeCell ref="B2:B9999999"/>')),
        "harm": st.one_of(st.none(), st.none(), st.none(), st.tuples(st.sampled_from(("zip", "sheet", "book", "shared")), st.integers(0, 500), DAMAGE)),
    }
).map(lambda each: ("sheet", each))  # fmt: skip

COLUMN = st.one_of(
    st.lists(st.one_of(st.none(), TEXT), min_size=2, max_size=2),
    st.lists(st.one_of(st.none(), st.integers(-9, 9)), min_size=2, max_size=2),
    st.lists(st.one_of(st.none(), st.binary(max_size=8)), min_size=2, max_size=2),
    st.lists(st.fixed_dictionaries({"bytes": st.one_of(st.none(), st.just(png_bytes(3, 4, 3))), "path": st.one_of(st.none(), TEXT)}), min_size=2, max_size=2),
    st.sampled_from(NAMES).map(lambda name: [name, name]),
)  # fmt: skip
TABLE = st.fixed_dictionaries(
    {
        "columns": st.fixed_dictionaries(
            {"image": COLUMN, "Q7": COLUMN},
            optional=dict.fromkeys(("view", "file_name", "label", "split", "status", "question", "answer", "messages"), COLUMN),
        ),
        "form": st.sampled_from(("arrow", "stream", "parquet")),
        "features": st.one_of(st.none(), json_bytes(st.fixed_dictionaries({"info": st.fixed_dictionaries(
            {"features": st.dictionaries(st.sampled_from(("image", "label", "Q7")), st.one_of(
                st.just({"_type": "Image"}), st.fixed_dictionaries({"_type": st.just("ClassLabel"), "names": VALUES}), VALUES))})}))),
        "state": st.one_of(st.none(), st.none(), json_bytes(st.fixed_dictionaries(
            {"_data_files": usually(st.lists(st.fixed_dictionaries({"filename": usually(st.just("train.parquet"), TEXT, of=3)}), max_size=2))}))),
        "harm": st.one_of(st.none(), st.none(), st.none(), st.tuples(st.integers(0, 3000), DAMAGE)),
    }
).map(lambda each: ("huggingface", each))  # fmt: skip

WORDS = usually(st.sampled_from(("train", "val", "test")))
SPLITS_JSON = json_bytes(st.one_of(
    st.dictionaries(WORDS.filter(lambda word: isinstance(word, str)), st.lists(PATH, max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(NAMES + SPELT), WORDS, max_size=5),
    st.lists(st.fixed_dictionaries({"path": PATH, "split": WORDS}), max_size=4), VALUES,
))  # fmt: skip
SPLITS_TABLE = st.lists(
    st.tuples(st.one_of(st.sampled_from(NAMES), TEXT), st.one_of(st.sampled_from(("train", "test")), TEXT)), max_size=5
).map(
    lambda rows: "\n".join(f"{path},{word}" for path, word in [("path", "split"), *rows]).encode(
        "utf-8", "surrogatepass"
    )
)
SPLIT_FILE = st.tuples(st.one_of(SPLITS_JSON, SPLITS_TABLE), st.sampled_from(REST)).map(lambda each: ("split", *each))


class World:
    """The folder of one process."""

    def __init__(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="sonotune-fuzz-", dir=SCRATCH))
        atexit.register(shutil.rmtree, self.base, ignore_errors=True)
        self.root, self.sources, self.hf = self.base / "root", self.base / "sources", self.base / "sources" / "hf"
        for number, name in enumerate(NAMES):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(png_bytes(number, 4, 3))
        self.hf.mkdir(parents=True)
        (self.base / "outside").mkdir()
        for secret in (self.base / "secret.png", self.base / "outside" / "secret.png"):
            secret.write_bytes(png_bytes(99, 4, 3))
        (self.root / "Femur" / "link.png").symlink_to(self.base / "secret.png")
        (self.root / "out").symlink_to(self.base / "outside")
        (self.root / "self").symlink_to(self.root)
        (self.root / "zero").mkdir()
        (self.root / "zero" / "x.png").symlink_to("/dev/zero")
        os.mkfifo(self.root / "Femur" / "pipe.png")
        self.workspace = Workspace(self.base / "workspace")
        mimetypes.init()  # openpyxl would read the tables of the system, which lie in no folder of ours

    def import_from(self, source: Path, kind: str, harmed_split: Path | None = None) -> None:
        """Import, and look at what came of it."""
        options = SourceOptions(replace=True, split_file=harmed_split)
        record = start_import(self.workspace, "fuzz", source, self.root, kind, None, options)
        dataset = open_dataset(self.workspace, "fuzz")
        cases = dataset.cases()
        assert len(cases) == record.images
        for case in cases:
            assert normalise_path(case.path) == case.path
            assert case.file.resolve().is_relative_to(dataset.image_root.resolve()), case.path
        assert len(dataset.problems) == record.problems


@cache
def world() -> World:
    """The one of this process."""
    return World()


def check(given: tuple[Any, ...]) -> None:
    """Import one source."""
    kind, *parts = given
    here = world()
    source = _WRITERS[kind](here, *parts)
    with staying_inside(here.base / "workspace", readable=(here.root, here.sources)):
        try:
            if kind == "split":
                split = read_split_file(source, NAMES, rest=parts[1])
                assert set(split) <= set(NAMES)
            else:
                here.import_from(source, kind)
        except SonotuneError as error:
            assert error.title
            assert error.next_step
            str(error).encode("utf-8")


def _write_jsonl(here: World, data: bytes) -> Path:
    return _written(here.sources / "source.jsonl", data)


def _write_sharegpt(here: World, data: bytes, info: bytes | None) -> Path:
    beside = here.sources / "dataset_info.json"
    beside.unlink(missing_ok=True)
    if info is not None:
        beside.write_bytes(info)
    return _written(here.sources / "source.json", data)


def _write_split(here: World, data: bytes, _rest: str) -> Path:
    return _written(here.sources / "split.csv", data)


def _write_sheet(here: World, given: dict[str, Any]) -> Path:
    harm = given["harm"] or ("", 0, b"")
    parts = {
        "[Content_Types].xml": CONTENT_TYPES, "_rels/.rels": RELATIONS, "xl/_rels/workbook.xml.rels": BOOK_RELATIONS,
        "xl/workbook.xml": BOOK, "xl/worksheets/sheet1.xml": _sheet(given), "xl/sharedStrings.xml": SHARED_STRINGS,
    }  # fmt: skip
    for name, part in (
        ("sheet", "xl/worksheets/sheet1.xml"),
        ("book", "xl/workbook.xml"),
        ("shared", "xl/sharedStrings.xml"),
    ):
        if harm[0] == name:
            parts[part] = damaged(parts[part], harm[1], harm[2])
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    data = stream.getvalue()
    return _written(here.sources / "source.xlsx", damaged(data, harm[1] * 7, harm[2]) if harm[0] == "zip" else data)


def _sheet(given: dict[str, Any]) -> bytes:
    rows = [_row([("inlineStr", head) for head in given["heads"]])]
    for name, odd, place in given["rows"]:
        folder, _, file = name.partition("/")
        cells = [("inlineStr", each) for each in (folder, file, "complete", *ANSWERS.values())]
        cells[place : place + len(odd)] = odd
        rows.append(_row(cells))
    return f'<worksheet xmlns="{MAIN}"><sheetData>{"".join(rows)}</sheetData>{given["tail"]}</worksheet>'.encode(
        "utf-8", "surrogatepass"
    )


def _row(cells: list[tuple[str, str]]) -> str:
    return "<row>" + "".join(_xml_cell(*cell) for cell in cells) + "</row>"


def _xml_cell(kind: str, text: str) -> str:
    # Half of the hostile characters are no XML; as references they are sometimes let through.
    inner = escape("".join(each if each >= " " else f"_x{ord(each):04X}_" for each in text))
    return (
        f'<c t="inlineStr"><is><t>{inner}</t></is></c>' if kind == "inlineStr" else f'<c t="{kind}"><v>{inner}</v></c>'
    )


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
CONTENT_TYPES = (
    f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{TYPE}.sharedStrings+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{TYPE}.worksheet+xml"/></Types>'
).encode()
RELATIONS = (
    f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
).encode()
BOOK_RELATIONS = (
    f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="r2" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
).encode()
BOOK = f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>'.encode()
SHARED_STRINGS = f'<sst xmlns="{MAIN}"><si><t>complete</t></si><si><t>Femur</t></si></sst>'.encode()


def _write_hf(here: World, given: dict[str, Any]) -> Path:
    for file in here.hf.iterdir():
        file.unlink()
    data = damaged(_table(given), *given["harm"]) if given["harm"] else _table(given)
    (here.hf / ("train.parquet" if given["form"] == "parquet" else "train.arrow")).write_bytes(data)
    if given["state"] is not None:
        (here.hf / "state.json").write_bytes(given["state"])
    return here.hf


def _table(given: dict[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name, values in given["columns"].items():
        # Arrow itself refuses half a surrogate pair; what is not UTF-8 comes in as bytes that claim to be text.
        raw = [each.encode("utf-8", "surrogatepass") if isinstance(each, str) else each for each in values]
        text = any(isinstance(each, str) for each in values)
        if any(isinstance(each, dict) for each in raw):
            raw = [
                {**each, "path": each["path"] and each["path"].encode("utf-8", "replace").decode()} for each in values
            ]
        columns[name] = pa.array(raw, pa.binary()).view(pa.string()) if text else pa.array(raw)
    table = pa.table(columns)
    if given["features"] is not None:
        table = table.replace_schema_metadata({b"huggingface": given["features"]})
    sink = io.BytesIO()
    if given["form"] == "parquet":
        pq.write_table(table, sink)
    else:
        make = pa.ipc.new_stream if given["form"] == "stream" else pa.ipc.new_file
        with make(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


def _written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


_WRITERS = {
    "jsonl": _write_jsonl, "sharegpt": _write_sharegpt, "sheet": _write_sheet, "huggingface": _write_hf, "split": _write_split,
}  # fmt: skip
FOUND: tuple[Any, ...] = (
    # A view named "." made an image in no folder, and a traceback.
    ("huggingface", {"columns": {"image": [{"bytes": png_bytes(3, 4, 3), "path": "a.png"}] * 2, "view": ["."] * 2, "Q7": ["Normal"] * 2},
                     "form": "parquet", "features": None, "state": None, "harm": None}),
    # XML that lxml refuses: its error is none of the standard library's.
    ("sheet", {"rows": [], "heads": HEADS, "tail": "", "harm": ("book", 68, b"\n")}),
)  # fmt: skip
KINDS = (JSONL, JSONL, JSONL, SHAREGPT, SHAREGPT, SHEET, TABLE, TABLE, SPLIT_FILE, SPLIT_FILE)
"""A workbook takes as long as five others."""
TARGET = Target("importers", st.integers(0, len(KINDS) - 1).flatmap(KINDS.__getitem__), check, FOUND)
