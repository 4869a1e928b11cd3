"""Planning and rendering of phantoms: which ones, then their pixels, in a pool of processes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from engine.data.apportion import apportion
from engine.data.importers.collect import Entry
from engine.data.importers.request import Progress
from engine.data.pool import prepare_process
from engine.data.split import rank
from engine.errors import DataError
from engine.types import QUESTION_IDS

CHUNK = 8
"""Phantoms a process takes at a time."""


@dataclass(frozen=True, slots=True)
class PhantomPlan:
    """One phantom to render; complete in itself, so that the number of processes cannot matter."""

    path: str
    """`<View>/<View>_00001.png`."""
    seed: int
    view: str
    abnormal: bool
    size: int
    """Side in pixels."""


def plan_phantoms(count: int, seed: int, abnormal_share: float, size: int) -> list[PhantomPlan]:
    """Which phantoms an import renders, in path order of each view; pure arithmetic."""
    from engine.data.phantoms import VIEWS

    per_view = apportion([1.0] * len(VIEWS), count)
    abnormal = apportion(per_view, round(count * abnormal_share), caps=per_view)
    plans = []
    for view, members, sick in zip(VIEWS, per_view, abnormal, strict=True):
        # Which numbers are abnormal is drawn by hash: a file order sorted by label would be a trap of its own.
        chosen = set(sorted(range(members), key=lambda number: rank("abnormal", seed, view, number))[:sick])
        for number in range(members):
            own_seed = int(rank("phantom", seed, view, number)[:15], 16)
            path = f"{view}/{view}_{number + 1:05d}.png"
            plans.append(PhantomPlan(path, own_seed, view, number in chosen, size))
    return plans


def generator_fingerprint() -> str:
    """SHA-256 over the sources of the phantom generator: a dataset drawn by older code counts as another one."""
    from engine.data import phantoms

    folder = Path(phantoms.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def render_phantoms(
    plans: Sequence[PhantomPlan], folder: Path, processes: int | None = None, progress: Progress | None = None
) -> list[Entry]:
    """Render `plans` as PNG files under `folder`.

    Args:
        processes: how many render; None for one a core. The outcome doesn't depend on it.
        progress: called with (images rendered, images).

    Returns:
        One entry an image with its eight answers, in the order of `plans`.

    Raises:
        DataError: a rendering process died.
    """
    for view in sorted({plan.view for plan in plans}):
        (folder / view).mkdir()
    entries = []
    for plan, answers in zip(plans, _rendered(plans, folder, processes), strict=True):
        ordered = {question: answers[question] for question in QUESTION_IDS if question in answers}
        entries.append(Entry(plan.path, ordered, f"phantom {plan.seed}"))
        if progress is not None:
            progress(len(entries), len(plans))
    return entries


def _rendered(plans: Sequence[PhantomPlan], folder: Path, processes: int | None) -> Iterator[Mapping[str, str]]:
    """Answers in the order of `plans`, while the images are being written."""
    workers = min(processes or os.cpu_count() or 1, -(-len(plans) // CHUNK))
    jobs = [(plan, str(folder)) for plan in plans]
    if workers == 1:
        yield from map(_render_one, jobs)
        return
    # Spawned, not forked: the caller may run threads (a progress bar, torch), and a forked copy of them can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=prepare_process) as pool:
        try:
            yield from pool.map(_render_one, jobs, chunksize=CHUNK)
        except BrokenProcessPool as error:
            raise DataError(
                "A process that renders phantoms died.",
                "Most often the machine ran out of memory.",
                "Free some memory and import again; nothing was changed.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _render_one(job: tuple[PhantomPlan, str]) -> dict[str, str]:
    from PIL import Image

    from engine.data.phantoms import answers, render

    plan, folder = job
    pixels, labels = render(plan.seed, view=plan.view, abnormal=plan.abnormal, size=plan.size)
    Image.fromarray(pixels).save(Path(folder) / plan.path, "PNG", optimize=False, compress_level=1)
    return dict(answers(labels))
