"""Putting a database in the place of a damaged one, which is kept: ended at any moment, no row of it is lost."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from engine.files import flush
from engine.maintenance.backup import BESIDE

FRESH = ".runs.db.restoring"
"""Name of the new file until it is whole."""
_KEPT_TOO = ("-wal", "-journal", "")
"""The file itself last: where it is there under its new name, all of it is. (-shm is made anew.)"""


def half_replaced(database: Path) -> Path | None:
    """Where a replacement was ended before its last step: the kept name of the damaged file, whose log lies there."""
    if not database.exists():
        return None
    # The kept name is a link to the very file, until the new one has taken its place.
    found = [path for path in kept_files(database) if path.samefile(database)]
    return found[0] if found else None


def kept_files(database: Path) -> list[Path]:
    """Damaged files of earlier replacements, without what belongs to them."""
    return sorted(path for path in database.parent.glob(f"{database.name}.damaged-*") if not path.name.endswith(BESIDE))


def put_in_place(database: Path, fresh: Path) -> Path | None:
    """Make `fresh` the database; the name under which the old one is kept, None where there was none.

    The old files are linked to their new names first, so at no moment a part of them has no name.

    Raises:
        OSError: the folder cannot be written.
    """
    kept = half_replaced(database) or _keep(database)
    flush(fresh)
    flush(database.parent)
    for ending in BESIDE:
        database.with_name(database.name + ending).unlink(missing_ok=True)
    fresh.rename(database)
    flush(database.parent)
    return kept


def _keep(database: Path) -> Path | None:
    there = [ending for ending in _KEPT_TOO if database.with_name(database.name + ending).exists()]
    if not there:
        return None
    kept = _free_name(database)
    for ending in there:
        _link(database.with_name(database.name + ending), kept.with_name(kept.name + ending))
    return kept


def _free_name(database: Path) -> Path:
    base = database.with_name(f"{database.name}.damaged-{time.strftime('%Y-%m-%d-%H%M%S')}")
    kept, number = base, 1
    while any(os.path.lexists(kept.with_name(kept.name + ending)) for ending in ("", *BESIDE)):
        number += 1
        kept = base.with_name(f"{base.name}-{number}")
    return kept


def _link(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        shutil.copy2(file, name)
        flush(name)
