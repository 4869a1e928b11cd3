"""Studies as a board: every file there is, how far it is, and what is answered so far."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.api.study_files import OpenStudy, open_study
from engine.api.study_finding import standing_of
from engine.api.study_results import kept_result
from engine.api.study_states import StudyState, settle_study_jobs, state_of
from engine.errors import SonotuneError
from engine.study.decisions import rule_words
from engine.study.places import study_files
from engine.study.results import StudyResult
from engine.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ListedStudy:
    """One study of the board, or a file that cannot be used."""

    name: str
    """Of the study; of the file where that cannot be read. Untrusted text, as all here."""
    path: Path
    state: StudyState | None
    """None where the file cannot be used."""
    result: StudyResult | None
    """What is answered so far, where it has been computed for what is measured now."""
    varies: tuple[str, ...]
    """Recipe keys in which its arms may differ."""
    rules: tuple[str, ...]
    """Its decisions with their rules, in words."""
    problems: tuple[str, ...]
    """Why the file cannot be used; empty for one that can."""
    key: str = ""
    """What its result depends on, as one value: with another one an older result is out of date."""


def study_list(workspace: Workspace, scale: str | None = None) -> list[ListedStudy]:
    """All studies in the order of their priority, those that cannot be used last; nothing is computed.

    Args:
        workspace: whose studies, and those of the repository.
        scale: those that have it are shown at it; None takes `full` where there is an NVIDIA GPU, else `demo`.
    """
    settle_study_jobs(workspace)
    listed = [_listed(workspace, name, path, scale) for name, path in study_files(workspace.root).items()]
    return sorted(listed, key=lambda each: (each.state is None, each.state.priority if each.state else 0, each.name))


def listed_study(workspace: Workspace, name: str | Path, scale: str | None = None) -> ListedStudy:
    """One study as the board shows it.

    Arguments and errors as for `open_study`.
    """
    settle_study_jobs(workspace)
    return _of(workspace, open_study(workspace, name, scale))


def study_definition(workspace: Workspace, name: str | Path, scale: str | None = None) -> str:
    """The TOML text of a study; untrusted.

    Arguments and errors as for `open_study`.
    """
    return open_study(workspace, name, scale).file.text


def _listed(workspace: Workspace, name: str, path: Path, scale: str | None) -> ListedStudy:
    try:
        return _of(workspace, _at(workspace, path, scale))
    except SonotuneError as error:
        # A file that one is just writing must not hide the others.
        problems = tuple(getattr(error, "problems", ())) or (error.title,)
        return ListedStudy(name, path, None, None, (), (), problems)


def _at(workspace: Workspace, path: Path, scale: str | None) -> OpenStudy:
    """The study at that scale, or at the usual one where it has no such scale."""
    study = open_study(workspace, path)
    if scale is None or scale == study.scale or scale not in study.scaled.study.scales:
        return study
    return open_study(workspace, path, scale)


def _of(workspace: Workspace, study: OpenStudy) -> ListedStudy:
    standing = standing_of(workspace, study)
    declared = study.scaled.study
    key, result = kept_result(workspace, standing)
    return ListedStudy(
        name=study.name,
        path=study.file.path,
        state=state_of(standing),
        result=result,
        varies=declared.varies,
        rules=rule_words(study.scaled),
        problems=(),
        key=key,
    )
