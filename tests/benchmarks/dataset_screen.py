"""From key to picture on the dataset screen: `.venv/bin/python tests/benchmarks/dataset_screen.py [PRESSES]`.

The workbench on a pseudo-terminal of 200x50 goes from image to image with the down key; the clock runs from the key to
the last byte of what it changes: row, picture and answers. The same screen is measured without its loader: every image
decoded as a whole, at full size, none ahead and none kept. Images are phantoms of 160x160 and noise of 800x600 pixels.
"""

from __future__ import annotations

import json
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from terminal import OPEN, Terminal

from engine import api

PRESSES = 30
QUIET_SECONDS = 0.4
"""So long nothing may come after a key for it to be over."""
REPEAT_SECONDS = 1 / 30
"""Of a key that is held down."""
DOWN = "\x1b[B"
WHOLE = """
import engine.api as api
from PIL import Image
from engine.data.preview import fitted, stretch_table
from tui.screens.dataset_image import ImagePane

class Whole:
    def get(self, file, width, height, mode):
        with Image.open(file) as opened:
            grey = opened.convert("L")
        size = fitted(*grey.size, width, height)
        small = grey.point(stretch_table(grey.histogram())).resize(size, Image.Resampling.LANCZOS)
        return api.Preview(*small.size, small.tobytes(), False, *grey.size, api.PreviewMode.STRETCHED)

    def cached(self, file, width, height, mode):
        return None

api.PreviewLoader = Whole
show = ImagePane.show_item
ImagePane.show_item = lambda self, item, root=None, around=(), known="": show(self, item, root, (), known)
"""


def import_noise(workspace: api.Workspace, folder: Path, count: int) -> None:
    """Images of the size that ultrasound machines write, a fan of speckle each."""
    from PIL import Image, ImageChops

    fan = Image.radial_gradient("L").resize((800, 600)).point(lambda level: 255 - level)
    lines = []
    for number in range(count):
        path = f"Noise/Noise_{number:03d}.png"
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        ImageChops.multiply(Image.effect_noise((800, 600), 70.0), fan.rotate(number)).save(folder / path)
        content = [{"type": "image"}, {"type": "text", "text": "Normality Assessment: is it normal?"}]
        messages = [{"role": "user", "content": content}, {"role": "assistant", "content": f"Normal, {number}"}]
        lines.append(json.dumps({"messages": messages, "images": [path]}))
    (folder / "noise.jsonl").write_text("\n".join(lines))
    api.import_chat_file(workspace, "noise", folder / "noise.jsonl", folder)


def settle(terminal: Terminal, seconds: float = QUIET_SECONDS) -> float:
    """Read until nothing has come for so long; the time of the last byte."""
    last = time.perf_counter()
    while select.select([terminal._master], [], [], seconds)[0] and terminal._receive():
        last = time.perf_counter()
    return last


def measure(code: str, workspace: api.Workspace, presses: int) -> tuple[list[float], float]:
    """Milliseconds of each single press, and from the last press of a held key to the last byte."""
    with Terminal(code, str(workspace.root)) as terminal:
        terminal.read_until(b"No runs")
        terminal.send("1")
        settle(terminal, 2.0)
        singles = []
        for _ in range(presses):
            pressed = time.perf_counter()
            terminal.send(DOWN)
            singles.append(1e3 * (settle(terminal) - pressed))
        terminal.send("g")
        settle(terminal)
        for _ in range(presses):
            pressed = time.perf_counter()
            terminal.send(DOWN)
            terminal.read(REPEAT_SECONDS)
        return singles, max(0.0, 1e3 * (settle(terminal) - pressed))


def tell(name: str, singles: Sequence[float], held: float) -> float:
    """Print the figures and return the median."""
    median, high = statistics.median(singles), statistics.quantiles(singles, n=20, method="inclusive")[-1]
    print(f"RESULT key to picture, {name}: median {median:.1f} ms, p95 {high:.1f} ms; held key: {held:.0f} ms behind")
    return median


def main(presses: int = PRESSES) -> int:
    with tempfile.TemporaryDirectory() as folder:
        phantoms, noise = api.Workspace(Path(folder) / "a"), api.Workspace(Path(folder) / "b")
        api.import_phantom_dataset(phantoms, "phantoms", count=2400, size=160)
        import_noise(noise, Path(folder) / "images", 2 * presses)
        tell("phantoms 160x160", *measure(OPEN, phantoms, presses))
        ours = tell("800x600", *measure(OPEN, noise, presses))
        whole = tell("800x600, whole image each time", *measure(WHOLE + OPEN, noise, presses))
    print(f"RESULT key to picture, 800x600: whole image / ours = {whole / ours:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(each) for each in sys.argv[1:])))
