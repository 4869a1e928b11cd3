"""A study as it is meant: its file, its scale, and what was launched of it before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StudyError
from engine.jobs.devices import known_devices
from engine.store.reader import Reader
from engine.store.studies import LaunchRow
from engine.study.choosing import check_arms, choose_scale, narrowed
from engine.study.places import find_study
from engine.study.reading import StudyFile, load_study
from engine.study.scaled import Scaled, scaled
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class OpenStudy:
    """A study at one scale, with what has been launched of it."""

    workspace: Workspace
    """Where it was opened."""
    file: StudyFile
    whole: Scaled
    """With all arms of the file and its number of seeds."""
    scaled: Scaled
    """The study by now: without optional arms that nobody has asked for, with as many seeds as were ever asked for."""
    reason: str
    """Why this scale."""
    launches: tuple[LaunchRow, ...]
    """At this scale, oldest first."""
    wanted: frozenset[str]
    """Arms that were named now; empty: all that are not optional, and those named earlier."""
    wanted_seeds: int
    """How many seeds are wanted now."""

    @property
    def name(self) -> str:
        """Name of the study."""
        return self.scaled.study.name

    @property
    def scale(self) -> str:
        """Name of the scale."""
        return self.scaled.name

    @property
    def left_out(self) -> tuple[str, ...]:
        """Optional arms that nobody has asked for."""
        return tuple(name for name in self.whole.arms if name not in self.scaled.arms)


def open_study(
    workspace: Workspace,
    name: str | Path,
    scale: str | None = None,
    *,
    arms: Sequence[str] = (),
    seeds: int | None = None,
) -> OpenStudy:
    """Open a study by its name or the path of its file.

    Args:
        workspace: where studies of one's own and launches are looked for.
        name: of the study, or a path.
        scale: None takes `full` where there is an NVIDIA GPU, else `demo`.
        arms: that are wanted now; an optional one belongs to the study from its first launch on.
        seeds: of each arm; None takes as many as the file says, or as were launched already.

    Raises:
        UsageError: there is no such study, scale or arm.
        StudyError: the file cannot be used.
    """
    file = load_checked(find_study(name, workspace.root))
    gpu = any(device.id.startswith("cuda") for device in known_devices())
    choice = choose_scale(file.study, scale, gpu)
    whole = scaled(file.study, choice.name)
    wanted = check_arms(whole, arms)
    launches = study_launches(workspace, file.study.name, choice.name)
    chosen = wanted.union(*(launch.chosen for launch in launches))
    known_seeds = max([whole.seeds, *(launch.seeds for launch in launches)])
    return OpenStudy(
        workspace=workspace,
        file=file,
        whole=whole,
        scaled=narrowed(whole, chosen, max(known_seeds, seeds or 1)),
        reason=choice.reason,
        launches=launches,
        wanted=wanted,
        wanted_seeds=seeds or known_seeds,
    )


def load_checked(path: Path) -> StudyFile:
    """A study file; one that stands among others must be called what its study is.

    Raises:
        StudyError: it cannot be used, or two files would stand for the same study.
    """
    file = load_study(path)
    among_others = path.parent.name == "studies" and path.parent.parent.name == "assets"
    if among_others and path.stem != file.study.name:
        fault = f'name: found "{file.study.name}", but the file is {path.name}; give both the same name'
        raise StudyError(str(path), [fault])
    return file


def study_launches(workspace: Workspace, study: str, scale: str) -> tuple[LaunchRow, ...]:
    """Launches of a study at a scale, oldest first; none where nothing was recorded yet."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return ()
    with reader:
        return tuple(reader.study_launches(study, scale))
