"""Where everything of one workspace lies on disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT_VARIABLE = "SONOTUNE_WORKSPACE"


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

    @property
    def worker_lock(self) -> Path:
        """File that the one worker of this workspace holds locked."""
        return self.root / "worker.lock"

    @property
    def worker_log(self) -> Path:
        """What the worker printed."""
        return self.outputs / "worker.log"
