"""The common end of every import from files: paths to files, images checked, split, compared, published."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.importers.assemble import CROSSING, Assembled, assemble, portable
from engine.data.importers.collect import Collector, Entry
from engine.data.importers.disk import DiskIndex, match_all
from engine.data.importers.previous import Previous, load_previous
from engine.data.importers.publish import Recorder, publish, require_replaceable
from engine.data.importers.report import ImportReport, Notice, Tolerances, notice
from engine.data.importers.request import ImportRequest, SourceOptions
from engine.data.importers.split_file import LEAVE_OUT, read_split_file
from engine.data.paths import storable
from engine.errors import DataError
from engine.types import DatasetRecord
from engine.workspace import Workspace


@dataclass(slots=True)
class Gathered:
    """A source that has been read to its end."""

    collector: Collector
    tolerances: Tolerances
    options: dict[str, object]
    """For the record; `file` names the source."""
    notices: list[Notice] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    """Paths that the source mentions but does not want used: their images are not missing from it."""


def require_folder(folder: Path) -> None:
    """Refuse an image root that is no folder, with a DataError."""
    if not folder.is_dir():
        raise DataError(
            f"The image root {storable(str(folder))} is no folder.",
            "Image paths in the file are relative to it.",
            "Pass the folder that holds one folder a view.",
        )


def import_gathered(
    workspace: Workspace,
    name: str,
    kind: str,
    gathered: Gathered,
    root: Path,
    options: SourceOptions,
    recorder: Recorder | None,
    *,
    recorded_root: Path | None = None,
    install: Callable[[], None] | None = None,
) -> DatasetRecord:
    """Turn what a source says into a published dataset; the caller holds the import lock.

    Args:
        root: where the images lie now; paths of the source are matched with the files under it.
        recorded_root: where they will lie once `install` has put them there.

    Raises:
        DataError: nothing usable remains, the split file does not fit, or the name is taken by other content.
    """
    request = ImportRequest(name, kind, options.split_seed, options.shares, options.replace, gathered.options)
    source = (kind, gathered.options.get("file"), portable(recorded_root or root, workspace))
    previous = load_previous(workspace, name, source)
    entries, unnamed = _entries(gathered, root)
    entries, request = _user_split(entries, request, options, gathered)
    goes_on = _continued(previous, request, options)
    if goes_on is not None and "split_file" in goes_on.record.options:
        kept = {"split_file": goes_on.record.options["split_file"]}
        request = dataclasses.replace(request, options={**request.options, **kept})
    new = assemble(
        workspace,
        request,
        entries,
        gathered.collector.problems(),
        root=root,
        recorded_root=recorded_root,
        progress=options.progress,
        previous=goes_on,
        known={} if previous is None or options.reread else previous.known,
    )
    require_replaceable(workspace, request, new, options.measured)
    report = _report(gathered, new, previous, unnamed)
    return publish(workspace, new, recorder, install=install, report=report)


def _entries(gathered: Gathered, root: Path) -> tuple[list[Entry], list[Notice]]:
    """One entry an image under its name on disk, and a notice of the images on disk that nobody names."""
    index = DiskIndex(root)
    collector = gathered.collector
    matches = match_all(index, collector.paths())
    for said, match in matches.items():
        if match.differences and match.fault is None:
            for kind, ours, theirs in match.differences:
                gathered.tolerances.add(kind, ours, theirs, collector.lines(said))
    entries = collector.entries(matches)
    named = [entry.path for entry in entries] + [index.match(path).path for path in gathered.set_aside]
    return entries, _unnamed(index, named)


def _unnamed(index: DiskIndex, named: Iterable[str]) -> list[Notice]:
    left = [f"{folder}/{name}" for folder, names in index.unnamed(named) for name in names]
    return [notice("images on disk that the source does not name", left)] if left else []


def _user_split(
    entries: list[Entry], request: ImportRequest, options: SourceOptions, gathered: Gathered
) -> tuple[list[Entry], ImportRequest]:
    """Give entries the split of the user's file, when there is one."""
    if options.split_file is None:
        return entries, request
    usable = [entry.path for entry in entries if entry.fault is None]
    tolerances = Tolerances(options.split_file.name)
    splits = read_split_file(options.split_file, usable, rest=options.split_rest, tolerances=tolerances)
    gathered.notices += [
        notice(f"split file: {found.kind}", [f"{found.said} for {found.found}"], count=found.entries)
        for found in tolerances.listed()
    ]
    left = [entry.path for entry in entries if entry.fault is None and entry.path not in splits]
    if left and options.split_rest == LEAVE_OUT:
        gathered.notices.append(notice("images left out because the split file does not name them", left))
    kept = [
        dataclasses.replace(entry, split=splits.get(entry.path))
        for entry in entries
        if entry.fault is not None or entry.path in splits
    ]
    return kept, dataclasses.replace(request, options={**request.options, "split_file": options.split_file.name})


def _continued(previous: Previous | None, request: ImportRequest, options: SourceOptions) -> Previous | None:
    """The import that this one goes on from; None where another source or another split was asked for."""
    if previous is None or not previous.same_source or options.split_file is not None:
        return None
    return previous if request.split_rule(previous.record) == _rule_of(previous) else None


def _rule_of(previous: Previous) -> tuple[int, tuple[float, float, float]]:
    return ImportRequest("", "").split_rule(previous.record)


def _report(gathered: Gathered, new: Assembled, previous: Previous | None, unnamed: Sequence[Notice]) -> ImportReport:
    crossing = [problem.reason for problem in new.problems if problem.reason.startswith(CROSSING)]
    loud = [notice(CROSSING, crossing, loud=True)] if crossing else []
    goes_on = previous is not None and previous.same_source
    return ImportReport(
        tolerances=gathered.tolerances.listed(),
        notices=[*loud, *gathered.notices, *unnamed],
        changes=previous.changes(new.cases, new.problems) if previous is not None and goes_on else None,
        files_read=new.files_read,
        files_known=new.files_known,
    )
