"""Checkpoints that are either whole or not there, and that are proved to be what was written before they are used.

The trainer writes beside the others; one rename makes a checkpoint count (`engine.training.whole`). The last file that
is written is a manifest with the size and the SHA-256 of all others.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from engine.files import sha256_of
from engine.training.whole import ASIDE, recovered

STAGING = ".partial"
"""Folder inside `checkpoints/` in which a checkpoint is written."""
NAME = re.compile(r"checkpoint-(\d+)")
MANIFEST = "manifest.json"
"""`{file: {"size": bytes, "sha256": text}}`; absent in checkpoints of earlier versions."""
BROKEN = ".broken"
"""Ending of a checkpoint that is not what was written; kept for whoever wants to know why."""
GONE = ".gone"
"""Ending of a checkpoint that is being removed."""
REQUIRED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json")
RANDOM_STATES = ("rng_state.pth", "rng_state_0.pth")
"""One of these: the second is that of the first of several ranks; a checkpoint is renamed when all have written."""

logger = logging.getLogger(__name__)


def write_manifest(folder: Path) -> None:
    """Write down what every file of a checkpoint is; the last thing before it is flushed and renamed."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = {
        str(path.relative_to(folder)): {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in files
        if path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")


def fault_of(folder: Path) -> str:
    """What is wrong with a checkpoint, read in full: a file that is gone, cut short or changed; "" for nothing."""
    if checkpoint_step(folder) is None:
        return "it is not complete"
    if not (folder / MANIFEST).is_file():
        return ""
    for name, wanted in _manifest(folder).items():
        try:
            if sha256_of(folder / name) != wanted.get("sha256"):
                return f"{name} is not what was written"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror}"
    return ""


def checkpoint_step(folder: Path) -> int | None:
    """Step of a complete checkpoint; None for anything else. Sizes are compared, contents are not (`fault_of`).

    A checkpoint is complete when every file is there in its size, and the trainer's state names the same step.
    """
    match = NAME.fullmatch(folder.name)
    if match is None or any(not _size(folder / name) for name in REQUIRED):
        return None
    if not any(_size(folder / name) for name in RANDOM_STATES):
        return None
    try:
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        manifest = _manifest(folder)
        if any(_size(folder / name) != wanted.get("size") for name, wanted in manifest.items()):
            return None
    except (ValueError, OSError):
        return None
    step = int(match.group(1))
    return step if isinstance(state, dict) and state.get("global_step") == step else None


def complete_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first; half-written ones are passed over."""
    if not folder.is_dir():
        return []
    found = [(step, path) for path in folder.iterdir() if (step := checkpoint_step(path)) is not None]
    return [path for _, path in sorted(found)]


def latest_checkpoint(folder: Path, tell: Callable[[str], None] | None = None) -> Path | None:
    """The newest checkpoint that is what was written, or None. Others are renamed, so that nobody takes them.

    Args:
        folder: `checkpoints/` of a run.
        tell: takes a sentence for each that could not be used; None: the log does.
    """
    tell = tell or logger.warning
    if not folder.is_dir():
        return None
    _clear_away(folder)
    for aside in folder.glob(f"checkpoint-*{ASIDE}"):
        recovered(aside.with_name(aside.name.removesuffix(ASIDE)))
    named = [path for path in folder.iterdir() if NAME.fullmatch(path.name) and path.is_dir()]
    for path in sorted(named, key=_number, reverse=True):
        fault = fault_of(path)
        if not fault:
            return path
        path.rename(_free_name(path))
        tell(f"{path.name} cannot be used: {fault}; an earlier one is taken, or the run begins anew.")
    return None


def rotate(folder: Path, kept: int) -> None:
    """Remove the oldest complete checkpoints, so that `kept` stay; what is broken is not counted as one that stays."""
    for path in complete_checkpoints(folder)[:-kept]:
        _remove(path)


def give_up_for_room(folder: Path) -> int:
    """Remove all but the newest checkpoint that is what was written, broken ones too; how many there were.

    Read in full, because it is the last one to go on from.
    """
    if not folder.is_dir():
        return 0
    good = next((path for path in reversed(complete_checkpoints(folder)) if not fault_of(path)), None)
    spare = [path for path in folder.glob("checkpoint-*") if path != good and path.is_dir()]
    for path in spare:
        _remove(path)
    return len(spare)


def _remove(path: Path) -> None:
    """Under another name first: a folder that is half removed must not be taken for a checkpoint."""
    gone = path.with_name(f".{path.name}{GONE}")
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _clear_away(folder: Path) -> None:
    """Remove what an earlier process did not get to: half-written and half-removed checkpoints."""
    for left in (folder / STAGING, *folder.glob(f".*{GONE}")):
        shutil.rmtree(left, ignore_errors=True)


def _number(path: Path) -> int:
    match = NAME.fullmatch(path.name)
    return int(match.group(1)) if match else -1


def _free_name(path: Path) -> Path:
    number, name = 1, path.with_name(path.name + BROKEN)
    while name.exists():
        number += 1
        name = path.with_name(f"{path.name}{BROKEN}-{number}")
    return name


def _manifest(folder: Path) -> dict[str, dict[str, object]]:
    """Raises ValueError where it is no manifest."""
    if not (folder / MANIFEST).is_file():
        return {}
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or any(not isinstance(each, dict) for each in content.values()):
        raise ValueError("the manifest is no table of files")
    # A manifest is a file like any other: names in it lead nowhere else.
    return {
        name: each for name, each in content.items() if ".." not in Path(name).parts and not Path(name).is_absolute()
    }


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
