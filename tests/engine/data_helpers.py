"""Builders for small datasets, shared by the tests of engine.data."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.data.check import PNG_SIGNATURE
from engine.data.importers.jsonl import import_jsonl
from engine.questions.prompts import QUESTIONS, SYSTEM_PROMPT
from engine.types import Case, DatasetRecord, Split
from engine.workspace import Workspace

ANSWERS = {
    "Q1": "aorta, liver, stomach",
    "Q2": "Fetal head to right",
    "Q3": "Transverse plane",
    "Q4": "AC",
    "Q5": "20-25 weeks",
    "Q6": "Good image quality",
    "Q7": "Normal for gestational age",
    "Q8": "Follow up",
}
ABNORMAL = "Abnormal dilated lateral ventricle"


def png_bytes(shade: int = 0, width: int = 40, height: int = 30) -> bytes:
    """A valid grey PNG whose content depends on `shade`."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((shade * 7 + x + y) % 256 for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    text = chunk(b"tEXt", f"shade\0{shade}".encode())
    return PNG_SIGNATURE + chunk(b"IHDR", header) + text + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg_bytes(shade: int = 0, width: int = 40, height: int = 30, **options: object) -> bytes:
    """A valid JPEG."""
    from io import BytesIO

    from PIL import Image

    stream = BytesIO()
    Image.linear_gradient("L").resize((width, height)).point(lambda level: (level + shade) % 256).save(
        stream, "JPEG", **options
    )
    return stream.getvalue()


def write_image(root: Path, path: str, data: bytes | None = None) -> str:
    """Write an image under `root`; by default a PNG whose bytes depend on its path."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(png_bytes(int(hashlib.sha256(path.encode()).hexdigest()[:8], 16)) if data is None else data)
    return path


def chat_line(path: object, question: str = "Q7", answer: object = ANSWERS["Q7"], **extra: object) -> str:
    """One line in the form of the user's chat files."""
    prompt = QUESTIONS[question].prompts["detailed"]
    messages = [
        {"role": "system", "content": SYSTEM_PROMPT},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]},
        {"role": "assistant", "content": answer},
    ]
    return json.dumps({"messages": messages, "images": [path], **extra})


def eight_lines(path: str, **answers: str) -> list[str]:
    """The eight lines of one image."""
    return [chat_line(path, question, answer) for question, answer in {**ANSWERS, **answers}.items()]


def write_lines(file: Path, lines: Sequence[str | bytes]) -> Path:
    """Write lines as they are, bytes included."""
    file.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + b"\n")
    return file


def make_dataset(
    base: Path, images: Mapping[str, int], abnormal_every: int = 5, name: str = "fetal", **options: object
) -> tuple[Workspace, DatasetRecord]:
    """Import a dataset with `images[view]` images a view, of which every `abnormal_every`-th is abnormal."""
    root, lines = base / "images", []
    for view, count in images.items():
        for number in range(count):
            path = write_image(root, f"{view}/{view}_{number:03d}.png")
            lines += eight_lines(path, **({"Q7": ABNORMAL} if number % abnormal_every == 0 else {}))
    workspace = Workspace(base / "workspace")
    file = write_lines(base / f"{name}.jsonl", lines)
    return workspace, import_jsonl(workspace, name, file, root, **options)  # type: ignore[arg-type]


def case(path: str, *, q7: str | None = "Normal", split: Split = Split.TRAIN, sha256: str = "0" * 64) -> Case:
    """A case without a file."""
    answers = {} if q7 is None else {"Q7": q7}
    return Case(0, path, Path(path), path.split("/")[0], split, answers, sha256, 40, 30)
