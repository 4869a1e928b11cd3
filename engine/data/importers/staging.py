"""Images that an import writes itself: into a folder aside, which takes its place when everything else is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError
from engine.files import flush


@contextmanager
def staging_folder(folder: Path, images: str) -> Iterator[Path]:
    """An empty folder for new images of the dataset in `folder`; what is left in it is removed at the end.

    Leftovers of a killed import are removed first. The import lock protects it.

    Raises:
        DataError: the images cannot be written.
    """
    staging = folder / f".{images}-new"
    fresh = not folder.exists()
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        yield staging
    except OSError as error:
        raise DataError(
            "The images could not be written.",
            f"{error.filename or staging}: {error.strerror or error}",
            "Free some space or choose another workspace, then import again.",
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if fresh and folder.exists() and not any(folder.iterdir()):
            folder.rmdir()


def swap_folders(staging: Path, final: Path) -> None:
    """Put `staging` in the place of `final`. Between the two renames a crash leaves the old images as `.NAME-old`."""
    aside = final.with_name(f".{final.name}-old")
    shutil.rmtree(aside, ignore_errors=True)
    if final.exists():
        final.rename(aside)
    staging.rename(final)
    flush(final.parent)
    shutil.rmtree(aside, ignore_errors=True)
