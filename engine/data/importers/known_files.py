"""What was learned of image files, kept in `files.json`: an import reads again only what has changed on disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from engine.data.check import CHECK_VERSION, ImageFacts, check_file
from engine.data.files import write_durably
from engine.data.paths import Finder, RejectedError

FILES = "files.json"
FORMAT = 1
CHECK_THREADS = 2
"""Reading and hashing release the interpreter lock; more threads than this gain nothing on two cores."""

SETTLED_SECONDS = 2.0
"""A file changed so shortly before it was read is read again next time: clocks of file systems tick as slowly as this,
so a second change could leave size and time as they are."""

_COLUMNS = ("paths", "sizes", "times", "inodes", "hashes", "widths", "heights")


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file has not changed, without reading it."""

    size: int
    """Bytes."""
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, facts: os.stat_result) -> Stamp:
        """The stamp of a file from its `stat`."""
        return cls(facts.st_size, facts.st_mtime_ns, facts.st_ino)


KnownFiles = Mapping[str, tuple[Stamp, ImageFacts]]
"""Stamp and facts of sound images by path."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One image file as it was looked at."""

    outcome: ImageFacts | str
    """Facts, or in one phrase why it cannot be used."""
    stamp: Stamp | None
    """None where there is no file, or it changed a moment ago."""
    read: bool
    """Whether its bytes were read; False for a file known from before."""


def look_at_images(root: Path, paths: Sequence[str], known: KnownFiles) -> Iterator[tuple[int, Looked]]:
    """Look at every image under `root`, reading only those that `known` does not know as they are now.

    Yields:
        (place in `paths`, what was found), known ones first.
    """
    finder = Finder(root.resolve())
    unknown: list[tuple[int, Path, os.stat_result]] = []
    for place, path in enumerate(paths):
        try:
            file, facts = finder.find(path)
        except RejectedError as rejected:
            yield place, Looked(rejected.reason, None, False)
            continue
        before = known.get(path)
        if before is not None and before[0] == Stamp.of(facts):
            yield place, Looked(before[1], before[0], False)
        else:
            unknown.append((place, file, facts))
    pool = ThreadPoolExecutor(CHECK_THREADS)
    try:
        outcomes = pool.map(_read, unknown)
        for (place, _, _), looked in zip(unknown, outcomes, strict=True):
            yield place, looked
    finally:
        pool.shutdown(cancel_futures=True)  # whoever interrupts this does not wait for all the other images


def _read(item: tuple[int, Path, os.stat_result]) -> Looked:
    # The stamp is older than the reading: a change in between shows in the next import.
    _, file, facts = item
    settled = time.time() - facts.st_mtime >= SETTLED_SECONDS
    return Looked(check_file(file), Stamp.of(facts) if settled else None, True)


def write_known_files(folder: Path, known: KnownFiles) -> None:
    """Keep `known` in the folder of a dataset. Raises OSError."""
    rows = [
        (path, stamp.size, stamp.mtime_ns, stamp.inode, facts.sha256, facts.width, facts.height)
        for path, (stamp, facts) in known.items()
    ]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(_COLUMNS)
    content = {"format": FORMAT, "check": CHECK_VERSION, **dict(zip(_COLUMNS, columns, strict=True))}
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    write_durably(folder / f"{FILES}.tmp", text.encode("ascii"))
    (folder / f"{FILES}.tmp").replace(folder / FILES)


def read_known_files(folder: Path) -> KnownFiles:
    """What was kept; nothing where it is missing, damaged or of another version: the files can be read again."""
    try:
        content = json.loads((folder / FILES).read_bytes())
        if (content["format"], content["check"]) != (FORMAT, CHECK_VERSION):
            return {}
        rows = zip(*(content[column] for column in _COLUMNS), strict=True)
        return {
            path: (Stamp(size, time_ns, inode), ImageFacts(sha256, width, height))
            for path, size, time_ns, inode, sha256, width, height in rows
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
