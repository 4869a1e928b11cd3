"""A dataset like the user's, small: 14 view folders, the annotation sheet, the same as chat JSONL sorted by view.

`build_clinical(folder, images=140)` writes images of 24x24 pixels and returns where everything lies. Answers are free
text with the misspellings, double spaces and broken cells of the real one; 2 % are abnormal. The files on disk are
proper; `sheet_names` writes the sheet's names as people do, so that every tolerance is needed somewhere.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from data_helpers import png_bytes

from engine.data.apportion import apportion
from engine.questions.prompts import QUESTIONS, SYSTEM_PROMPT
from engine.types import QUESTION_IDS

VIEW_SIZES: Mapping[str, int] = {
    "Abdomen": 2424,
    "Aorta": 1308,
    "CRL-View": 1989,
    "Cervical": 500,
    "Cervix": 1626,
    "Femur": 1165,
    "NT-View": 2028,
    "Non_standard_NT": 487,
    "Public_Symphysis_fetal_head": 1358,
    "Standard_NT": 1508,
    "Thorax": 1793,
    "Trans-cerebellum": 684,
    "Trans-thalamic": 1565,
    "Trans-ventricular": 584,
}
"""Images of each view in the real data; the builder keeps their proportions."""

ABNORMAL_SHARE = 0.02
NORMAL = (
    "Normal for gestational age",
    "Normal  for gestational age.",
    "normal for gestational age",
    "No abnormality seen",
)
ABNORMAL = ("Abnormal NT thickening", "Abnormal VSD", "Abnormal dilated lateral ventricle", "Increased NT")
SAID: Mapping[str, Sequence[str]] = {
    "Q1": ("aorta, inferior vena cava, liver, stomach", "Stomach, liver ,vertebrea", "pubic symphsis, fetal head"),
    "Q2": ("Axial upper abdomen, vertebral column to left", "Fetal head to right", "Cephalic presentation "),
    "Q3": ("Transverse trans-abdominal plane", "Trans-thalamic veiw", "Mid-sagittal", "longituidinal view"),
    "Q4": ("AC", "BPD and HC", "femur length (FL)", "NT thickness"),
    "Q5": ("8-13 weeks", "20-25 weeks", "20 - 25  weeks.", "38+ weeks"),
    "Q6": ("Good image quality", "Good  image quality.", "Medium", "low image quality"),
    "Q8": ("Prenatal routine monitoring", "Follow up", "Clinical assessment for delivery mode", "high probablity"),
}
HEADS = ("Folder Name", "Image Name", "Status", *(QUESTIONS[question].column for question in QUESTION_IDS))


@dataclass(frozen=True)
class Clinical:
    """Where a built dataset lies, and what it holds."""

    root: Path
    """Folder of the view folders."""
    sheet: Path
    jsonl: Path
    """The same answers, one line a question, sorted by view."""
    answers: Mapping[str, Mapping[str, str]]
    """Raw answers by path on disk."""


def view_counts(images: int) -> dict[str, int]:
    """How many of `images` belong to each view."""
    return dict(zip(VIEW_SIZES, apportion(list(VIEW_SIZES.values()), images, minimum=1), strict=True))


def build_clinical(folder: Path, images: int = 140, seed: int = 0, *, sheet_names: bool = False) -> Clinical:
    """Write a dataset under `folder`.

    Args:
        images: of all views together.
        seed: of the answers.
        sheet_names: the sheet names folders and files as people do: spaces, other case, other extension.
    """
    draw = random.Random(seed)
    root = folder / "Fetal Ultrasound"
    answers: dict[str, dict[str, str]] = {}
    for view, count in view_counts(images).items():
        (root / view).mkdir(parents=True)
        for number in range(1, count + 1):
            path = f"{view}/{view}_{number:03d}.png"
            (root / path).write_bytes(png_bytes(len(answers) + 1000 * seed, 24, 24))
            answers[path] = {question: draw.choice(said) for question, said in SAID.items()}
    sick = draw.sample(sorted(answers), max(1, round(ABNORMAL_SHARE * len(answers))))
    for path, given in answers.items():
        given["Q7"] = draw.choice(ABNORMAL if path in sick else NORMAL)
    ordered = {path: {question: given[question] for question in QUESTION_IDS} for path, given in answers.items()}
    rows = [sheet_row(path, given, by_hand=sheet_names) for path, given in ordered.items()]
    return Clinical(
        root,
        write_sheet(folder / "annotations.xlsx", [HEADS, *rows]),
        write_chat(folder / "annotations.jsonl", ordered),
        ordered,
    )


def sheet_row(
    path: str, answers: Mapping[str, str], *, by_hand: bool = False, status: str = "complete"
) -> list[object]:
    """The row of one image."""
    view, _, name = path.partition("/")
    if by_hand:
        view, name = name_by_hand(view, name)
    return [view, name, status, *(answers.get(question) for question in QUESTION_IDS)]


def name_by_hand(view: str, name: str) -> tuple[str, str]:
    """Folder and file as somebody typed them; which way depends on the file's number."""
    stem, number = name[: -len(".png")].rsplit("_", 1)
    ways = (
        name,
        f"{stem} {number}.png",
        f"{stem}_{number}.PNG",
        f"{stem}_{number}.jpg",
        f"{stem}_{number}",
        f"{stem}  {number}.png",
        f"{stem}_{int(number)}.png",
        f"{stem}_{number}.png".lower(),
    )
    return view.replace("_", " ").replace("-", " "), ways[int(number) % len(ways)]


def write_sheet(file: Path, rows: Sequence[Sequence[object]], *, title: str = "Annotations") -> Path:
    """Write a workbook of one sheet; the cells are taken as they are."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(list(row))
    book.save(file)
    return file


def write_chat(file: Path, answers: Mapping[str, Mapping[str, str]]) -> Path:
    """Write chat JSONL, one line a question, in the order of `answers`."""
    with file.open("w", encoding="utf-8") as stream:
        for path, given in answers.items():
            for question, answer in given.items():
                stream.write(json.dumps(chat_record(path, question, answer), ensure_ascii=False) + "\n")
    return file


def chat_record(path: str, question: str, answer: str) -> dict[str, object]:
    """One conversation in the form of the user's chat files."""
    asked = [{"type": "image"}, {"type": "text", "text": QUESTIONS[question].prompts["detailed"]}]
    return {
        "messages": [
            {"role": "system", "content": SYSTEM_PROMPT},
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answer},
        ],
        "images": [path],
    }


BROKEN_CELLS: Mapping[str, object] = {"Q5": datetime(2013, 8, 15), "Q6": 3, "Q4": "18-200 weeks", "Q8": True}
"""Cells that a spreadsheet made of what somebody typed."""
