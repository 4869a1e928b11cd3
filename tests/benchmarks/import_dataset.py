"""How long an import takes: `.venv/bin/python tests/benchmarks/import_dataset.py [--images 15446] [--noise 8]`.

A dataset as large as the user's (14 view folders, ultrasound-like PNG of 800x600, the annotation sheet) is imported,
imported again after three rows were mended, and reopened by a fresh process as the workbench does. The same images are
then loaded the eager way: every one decoded to RGB up front, as the user's script did before its first training step.

A few hundred different images are drawn; the others are copies whose bytes differ by a text chunk. What is measured is
reading, checking, hashing and decoding, none of which knows a copy. Needs about 4 GB in the folder of temporary files.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from clinical_data import ABNORMAL, HEADS, NORMAL, SAID, sheet_row, view_counts, write_sheet

from engine import api

DRAWN = 300
BROKEN = 15
REOPEN = """
import json, sys, time
start = time.perf_counter()
from engine import api
from engine.data.manifest import open_dataset
names = [api.Live, api.browse, api.view_summary, api.ImageQuery]
workspace, marks = api.Workspace.find(sys.argv[1]), [time.perf_counter()]
dataset = open_dataset(workspace, "fetal")
found = [len(dataset.counts())]
marks.append(time.perf_counter())
live = api.Live(workspace)
view = api.view_summary(live, "fetal")[0].view
found.append(len(api.browse(live, api.ImageQuery("fetal", view=view)).items[:50]))
marks.append(time.perf_counter())
found.append(len(api.browse(live, api.ImageQuery("fetal")).items))
marks.append(time.perf_counter())
found.append(len(dataset.cases()))
marks.append(time.perf_counter())
print(json.dumps([[1e3 * (mark - start) for mark in marks], found]))
"""
"""Milliseconds until: modules are loaded, the dataset is open, its views and a page of images are read, all images are
listed, all cases are there with their answers; and how many of each."""
EAGER = """
import sys, time
from pathlib import Path
start = time.perf_counter()
from PIL import Image
pixels = 0
for file in sorted(Path(sys.argv[1]).rglob("*.png")):
    with Image.open(file) as image:
        pixels += image.convert("RGB").size[0]
print(time.perf_counter() - start, pixels)
"""


def draw_images(count: int, noise: float) -> list[bytes]:
    """Fans of speckle as a scanner writes them, as PNG."""
    from PIL import Image, ImageChops

    fan = Image.radial_gradient("L").resize((800, 600)).point(lambda level: 255 - level)
    drawn = []
    for number in range(count):
        stream = BytesIO()
        # Speckle is coarser than a pixel; scanners export their screen, so grey images have three channels.
        speckle = Image.effect_noise((400, 300), noise).resize((800, 600), Image.Resampling.BILINEAR)
        ImageChops.multiply(speckle, fan.rotate(number)).convert("RGB").save(stream, "PNG")
        drawn.append(stream.getvalue())
    return drawn


def copy_of(image: bytes, number: int) -> bytes:
    """The same picture with other bytes: a text chunk behind the header."""
    text = b"number\\0" + str(number).encode()
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
    return image[:33] + chunk + image[33:]


def build(folder: Path, images: int, noise: float) -> tuple[Path, list[list[object]], int]:
    """(image root, rows of the sheet, bytes of all images)."""
    drawn, root, rows, size = draw_images(min(DRAWN, images), noise), folder / "Fetal Ultrasound", [], 0
    for view, count in view_counts(images).items():
        (root / view).mkdir(parents=True)
        for number in range(1, count + 1):
            data = copy_of(drawn[len(rows) % len(drawn)], len(rows))
            path = f"{view}/{view}_{number:04d}.png"
            (root / path).write_bytes(data)
            size += len(data)
            said = {question: texts[number % len(texts)] for question, texts in SAID.items()}
            said["Q7"] = ABNORMAL[number % len(ABNORMAL)] if number % 50 == 0 else NORMAL[number % len(NORMAL)]
            rows.append(sheet_row(path.replace("_", " "), said))
    return root, rows, size


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """(seconds, seconds of processor time of all threads and children, outcome)."""
    start, used = time.perf_counter(), processor_seconds()
    outcome = work()
    return time.perf_counter() - start, processor_seconds() - used, outcome


def processor_seconds() -> float:
    """Of this process and its ended children: what a busy machine cannot stretch."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def run_python(code: str, argument: str) -> str:
    """What a fresh process prints."""
    return subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=True).stdout


def reopen(workspace: api.Workspace) -> list[float]:
    """The marks that `REOPEN` tells; fails where it finds less than there is."""
    marks, found = json.loads(run_python(REOPEN, str(workspace.root)))
    assert min(found) > 0
    assert found[2] >= found[3]
    return [float(mark) for mark in marks]


def main(words: Sequence[str]) -> int:
    """Build, measure, tell."""
    options = argparse.ArgumentParser()
    options.add_argument("--images", type=int, default=15_446)
    options.add_argument("--noise", type=float, default=8.0, help="speckle: more of it makes larger files")
    given = options.parse_args(words)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root, rows, size = build(folder, given.images, given.noise)
        mean = size / len(rows) / 1000
        print(f"RESULT images: {len(rows):,} of 800x600, {size / 1e9:.2f} GB, {mean:.0f} kB each")
        mended = [row[1] for row in rows[:BROKEN]]
        for row in rows[:BROKEN]:
            row[1] = f"lost {row[1]}"
        sheet, workspace = write_sheet(folder / "fetal.xlsx", [HEADS, *rows]), api.Workspace(folder / "workspace")

        def bring_in() -> api.DatasetSummary:
            return api.import_source(workspace, sheet, images=root)

        first, first_used, summary = timed(bring_in)
        rate = summary.record.images / first
        print(f"RESULT import: {first:.1f} s ({first_used:.1f} s of processor), {rate:.0f} images/s, budget 60 s")
        for row, proper in zip(rows[:3], mended, strict=False):
            row[1] = proper
        write_sheet(sheet, [HEADS, *rows])
        again, again_used, summary = timed(bring_in)
        report = summary.report
        assert report is not None
        print(
            f"RESULT import after mending 3 rows: {again:.2f} s ({again_used:.1f} s of processor), "
            f"{report.files_read} files read, {report.changes}"
        )
        reopened = sorted(reopen(workspace) for _ in range(5))[2]
        modules, opened, page, listed, cases = reopened
        print(
            f"RESULT reopened in a fresh process, median of 5: {page - modules:.0f} ms to counts, views and the first "
            f"page (budget 200; counts {opened - modules:.0f}), {listed - modules:.0f} to the list of all images, "
            f"{cases - modules:.0f} to all cases with answers; loading the modules before took {modules:.0f}"
        )
        eager, eager_used, _ = timed(lambda: run_python(EAGER, str(root)))
        print(f"RESULT the eager way, every image decoded to RGB: {eager:.1f} s ({eager_used:.1f} s of processor)")
        print(f"RESULT in processor time: eager / import = {eager_used / first_used:.1f}")
        print(f"RESULT eager / import = {eager / first:.1f}; eager / mended import = {eager / again:.0f}; "
              f"eager / reopen = {1e3 * eager / (page - modules):.0f}")  # fmt: skip
    return int(first > 60 or page - modules > 200)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
