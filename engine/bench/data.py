"""Images and answers of the benchmark: as large, as noisy and as long as the user's, the same ones from the same seed.

PNG files of 800x600 in colour with the grain of an ultrasound picture cost as much to read and decode as real ones
(about 450 kB and 7 ms); a plain drawing would not. Phantoms are drawn once and lie in a frame with depth scale, as on
a screen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.data.pool import prepare_process
from engine.questions.prompts import QUESTIONS
from engine.types import DatasetRecord
from engine.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, HEIGHT = 800, 600
GRAIN = 3.0
"""Standard deviation of the added noise in grey levels."""
CHUNK = 8
"""Images that a drawing process takes at a time."""
IMAGES = "images"
CHAT = "chat.jsonl"
_WORDING = "detailed"

_SAID = {
    "Q2": "{}, spine posterior",
    "Q3": "{}, standard plane",
    "Q4": "{} can be measured",
    "Q5": "{} of gestation",
    "Q6": "{}, little shadow",
    "Q7": "{}, no other finding",
    "Q8": "{}, next visit as planned",
}
"""How the short answers of phantoms become as long as those of the annotation sheet: about twelve tokens on average."""


def write_data(folder: Path, images: int, seed: int, progress: Callable[[int, int], None] | None = None) -> Path:
    """Write `images` PNG files and their chat file into `folder`; what is complete there already stays.

    Returns:
        The chat file: one line a question, eight lines an image.
    """
    chat = folder / CHAT
    marker = {"images": images, "seed": seed, "grain": GRAIN, "answers": _SAID}
    done = folder / "data.json"
    if done.is_file() and json.loads(done.read_text(encoding="utf-8")) == marker:
        return chat
    done.unlink(missing_ok=True)
    jobs = [(str(folder / IMAGES), number, seed) for number in range(images)]
    with _fresh(chat).open("w", encoding="utf-8") as file:
        for number, lines in enumerate(_drawn(jobs), start=1):
            file.writelines(json.dumps(line) + "\n" for line in lines)
            if progress is not None:
                progress(number, images)
    done.write_text(json.dumps(marker), encoding="utf-8")
    return chat


def import_data(workspace: Workspace, name: str, chat: Path) -> DatasetRecord:
    """Import the chat file with the product's own importer; every image goes to the training split.

    Raises:
        DataError: a file is damaged, or the name is taken by other content.
    """
    from engine.data.importers.jsonl import import_jsonl

    workspace.root.mkdir(parents=True, exist_ok=True)
    return import_jsonl(workspace, name, chat, chat.parent / IMAGES, split_seed=0, shares=(1.0, 0.0, 0.0), replace=True)


def screen(pixels: NDArray[np.uint8], noise: np.random.Generator) -> NDArray[np.uint8]:
    """A square phantom of HEIGHT pixels in the middle of a WIDTH x HEIGHT screen with depth marks and grain, in colour.

    Returns:
        uint8 (HEIGHT, WIDTH, 3), all channels equal.
    """
    import numpy as np

    frame = np.full((HEIGHT, WIDTH), 8.0, np.float32)
    left = (WIDTH - HEIGHT) // 2
    frame[:, left : left + HEIGHT] = np.maximum(pixels, 8)
    frame[40 : HEIGHT - 20 : 40, WIDTH - 24 : WIDTH - 12] = 190
    frame += noise.normal(0, GRAIN, frame.shape).astype(np.float32)
    grey = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _drawn(jobs: Sequence[tuple[str, int, int]]) -> Iterator[list[dict[str, Any]]]:
    """The lines of each image in order, while the images are being written."""
    workers = min(os.cpu_count() or 1, len(jobs) // CHUNK)
    if workers <= 1:
        yield from map(_one_image, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=prepare_process) as pool:
        yield from pool.map(_one_image, jobs, chunksize=CHUNK)


def _one_image(job: tuple[str, int, int]) -> list[dict[str, Any]]:
    """Draw and write one image; the lines of its eight questions."""
    import numpy as np
    from PIL import Image

    from engine.data.phantoms import VIEWS, answers, render

    folder, number, seed = Path(job[0]), job[1], job[2]
    view = VIEWS[number % len(VIEWS)]
    pixels, labels = render(seed * 100_003 + number, view=view, size=HEIGHT)
    path = f"{view}/{view}_{number + 1:05d}.png"
    (folder / view).mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng((seed, number))
    Image.fromarray(screen(pixels, noise)).save(folder / path, "PNG")
    return [_line(path, question, short) for question, short in answers(labels).items()]


def _line(path: str, question: str, short: str) -> dict[str, Any]:
    """A line of the chat file in the user's form."""
    asked = [{"type": "image"}, {"type": "text", "text": QUESTIONS[question].prompts[_WORDING]}]
    said = _SAID.get(question, "{}").format(short)
    return {
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": said}],
        "images": [path],
    }


def _fresh(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
