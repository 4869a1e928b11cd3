"""Where everything of one workspace lies on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engine.errors import StoreError

ENVIRONMENT_VARIABLE = "SONOTUNE_WORKSPACE"


def is_job_directory(directory: str) -> bool:
    """Whether a path of a row can be that of a job: below `outputs/`, or "" for predictions that were imported."""
    parts = PurePosixPath(directory).parts
    return not directory or (len(parts) > 1 and parts[0] == "outputs" and ".." not in parts)


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with `runs.db`, `datasets/` and `outputs/`."""

    root: Path

    @classmethod
    def find(cls, given: Path | str | None = None) -> Workspace:
        """The workspace that was asked for: `given`, else $SONOTUNE_WORKSPACE, else the current directory."""
        chosen = given or os.environ.get(ENVIRONMENT_VARIABLE) or "."
        return cls(Path(chosen).expanduser().resolve())

    @property
    def database(self) -> Path:
        """The SQLite file: everything recorded."""
        return self.root / "runs.db"

    @property
    def datasets(self) -> Path:
        """Folder of all imported datasets."""
        return self.root / "datasets"

    def dataset(self, name: str) -> Path:
        """Folder of one dataset."""
        return self.datasets / name

    @property
    def outputs(self) -> Path:
        """Folder of all runs."""
        return self.root / "outputs"

    def job_folder(self, directory: str) -> Path:
        """Folder of a run or an evaluation, from what its row in runs.db says.

        Raises:
            StoreError: it lies outside `outputs/`: the row is that of somebody else's workspace, or was spoiled.
        """
        if not directory:
            return self.outputs / ".none"  # imported predictions have no folder; there never is one of this name
        folder, outputs = self.root / directory, self.outputs
        if "\0" in directory and is_job_directory(directory):
            return folder  # no system opens it, and says so itself
        # `outputs` itself may be a link to a larger disk; what is in it may not lead out of it.
        if not is_job_directory(directory) or not folder.resolve().is_relative_to(outputs.resolve()):
            raise StoreError(
                "A row of runs.db names a folder that is none of its jobs",
                f"{directory[:200]!r} does not lie in {outputs}.",
                "Do not work on in this workspace unless you know who wrote it; `sonotune db check` looks at its rows.",
            )
        return folder

    @property
    def worker_lock(self) -> Path:
        """File that the one worker of this workspace holds locked."""
        return self.root / "worker.lock"

    @property
    def worker_log(self) -> Path:
        """What the worker printed."""
        return self.outputs / "worker.log"
