"""What a fuzz target is, and what may come of one input: a result, or an error that tells the user what to do.

Anything else (another exception, a file opened for writing outside the target's own folder, a file read outside what it
may read) is a failure.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

HERE = Path(__file__).resolve().parent
SCRATCH = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
"""In memory where there is such a place: a hundred thousand imports flush their files to disk."""


LIBRARIES = (Path(sys.prefix), Path(sys.base_prefix), HERE.parents[1], Path("/usr/share/zoneinfo"))
"""What Python and its libraries read for themselves: code, and time zones."""


@dataclass(frozen=True)
class Target:
    """One thing that takes untrusted input."""

    name: str
    inputs: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    """Feeds one input; raises for what must not happen."""
    found: Sequence[Any] = field(default_factory=tuple)
    """Inputs that once failed; tried first, every time."""


class _Watch:
    """One audit hook a process, because none can be taken off again; it looks only while somebody is watching."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] | None = None
        self.installed = False

    def begin(self) -> list[tuple[str, bool]]:
        if not self.installed:
            self.installed = True
            sys.addaudithook(self._hook)
        self.seen = []
        return self.seen

    def end(self) -> None:
        self.seen = None

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        if event == "open":
            path, mode, flags = arguments
            # A relative name without a mode is one below an open folder, as `shutil.rmtree` walks; it told the folder.
            if isinstance(path, (str, bytes)) and (mode is not None or Path(os.fsdecode(path)).is_absolute()):
                self.seen.append((os.fsdecode(path), _writes(mode, flags)))
        elif event in _CHANGING:
            count, folders = _CHANGING[event]
            if all(arguments[place] in (-1, None) for place in folders):
                self.seen += [
                    (os.fsdecode(each), True) for each in arguments[:count] if isinstance(each, (str, bytes, Path))
                ]


def _writes(mode: object, flags: object) -> bool:
    by_flags = isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
    return by_flags or (isinstance(mode, str) and mode[:1] in ("w", "a", "x"))


_CHANGING: dict[str, tuple[int, tuple[int, ...]]] = {
    "os.mkdir": (1, (2,)), "os.rename": (2, (2, 3)), "os.remove": (1, (1,)), "os.rmdir": (1, (1,)), "os.link": (2, (2, 3)),
    "os.symlink": (2, (2,)), "os.truncate": (1, ()), "shutil.rmtree": (1, ()),
}  # fmt: skip
"""Events that change a folder: how many of their arguments are paths, and which are open folders that these are below.
(Those were told when they were opened.)"""
_WATCH = _Watch()


@contextmanager
def opened_files() -> Iterator[list[tuple[str, bool]]]:
    """(path, whether it was to be written) of every file that Python opens, makes, renames or removes in the block.

    Code in C that opens files by itself (SQLite, Arrow, safetensors) is not seen.
    """
    # Modules that are imported meanwhile would be compiled, and Python would keep the result beside them.
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    seen = _WATCH.begin()
    try:
        yield seen
    finally:
        _WATCH.end()
        sys.dont_write_bytecode = before


@contextmanager
def staying_inside(*folders: Path, readable: Sequence[Path] = ()) -> Iterator[None]:
    """Fail where a file outside `folders` is written, or one outside them, `readable` and Python's own is read."""
    with opened_files() as seen:
        yield
    allowed = [os.path.realpath(folder) for folder in folders]
    may_read = allowed + [os.path.realpath(path) for path in (*readable, *LIBRARIES)]
    for path, writes in seen:
        # Not followed to the end: what is a link now may have been a file when it was opened, and gone by now.
        real = os.path.realpath(path)
        if not any(real == each or real.startswith(each + os.sep) for each in (allowed if writes else may_read)):
            raise AssertionError(f"{'written' if writes else 'read'} outside its folder: {path!r}")
