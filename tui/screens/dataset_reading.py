"""What the dataset screen asks the engine; this runs in the poller's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine import api


@dataclass(frozen=True, slots=True)
class Entry:
    """One dataset of the workspace, and what tells one import of it from the next."""

    name: str
    kind: str
    images: int
    """Usable ones."""
    problems: int
    """Images and lines that the import left out."""
    created_at: float
    fingerprint: str
    split_fingerprint: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants to see."""

    dataset: str | None = None
    """None: the one imported last."""
    view: str | None = None
    """None: all."""
    filter: str = ""
    sort: str = "path"
    descending: bool = False
    problems_only: bool = False
    found: frozenset[str] = frozenset()
    """Paths of images that were found unusable after the import: problems like those of the import."""


@dataclass(frozen=True, slots=True)
class DatasetData:
    """One answer of the poller."""

    datasets: tuple[Entry, ...] = ()
    """The newest first."""
    current: Entry | None = None
    views: tuple[api.ViewSummary, ...] = ()
    images: api.ImageList | None = None
    """None where there is no dataset, or the filter cannot be understood."""
    problem: api.SonotuneError | None = None
    """What is wrong with the filter."""


@dataclass(frozen=True, slots=True)
class CheckData:
    """The check of the images, as it was a moment ago."""

    dataset: Entry
    status: api.CheckStatus | None
    """None where it cannot be known."""
    trouble: str = ""
    """Why not, or what the check said before it ended early; untrusted text."""

    @property
    def running(self) -> bool:
        """Whether a process is at it."""
        return self.status is not None and self.status.state is api.CheckState.RUNNING

    @property
    def result(self) -> tuple[object, ...]:
        """What differs once there is something new to read; a running check is read when it has ended."""
        return (self.dataset, self.running, None if self.running or self.status is None else self.status)


def read_check(live: api.Live, dataset: Entry) -> CheckData:
    """How far the check of the images is; reads three small files."""
    try:
        status = api.background_check_status(live.workspace, dataset.name)
        log = api.check_log(live.workspace, dataset.name) if status.state is api.CheckState.INTERRUPTED else ""
    except api.SonotuneError as error:
        return CheckData(dataset, None, error.title)
    return CheckData(dataset, status, log.strip().rpartition("\n")[2])


class DatasetFeed:
    """Reads again only after an import: a training writes many times a second, and touches no dataset."""

    def __init__(self) -> None:
        self._known: tuple[object, DatasetData] = (None, DatasetData())

    def read(self, live: api.Live, wanted: Wanted) -> DatasetData:
        """Datasets, views and images; belongs to the poller's thread."""
        datasets = _entries(live)
        asked = (datasets, wanted)
        if self._known[0] != asked:
            self._known = (asked, _read(live, datasets, wanted))
        return self._known[1]

    def read_check(self, live: api.Live) -> CheckData | None:
        """The check of the dataset that was read last; belongs to the poller's thread."""
        current = self._known[1].current
        return None if current is None else read_check(live, current)

    def check_of(self, live: api.Live, name: str) -> CheckData | None:
        """The check of the dataset of that name; None where it is gone."""
        current = next((entry for entry in _entries(live) if entry.name == name), None)
        return None if current is None else read_check(live, current)


def _entries(live: api.Live) -> tuple[Entry, ...]:
    reader = live.reader()
    records = [] if reader is None else sorted(reader.datasets(), key=lambda record: -record.created_at)
    return tuple(
        Entry(
            record.name,
            record.kind,
            record.images,
            record.problems,
            record.created_at,
            record.fingerprint,
            record.split_fingerprint,
        )
        for record in records
    )


def _read(live: api.Live, datasets: Sequence[Entry], wanted: Wanted) -> DatasetData:
    if not datasets:
        return DatasetData()
    current = next((entry for entry in datasets if entry.name == wanted.dataset), datasets[0])
    views = tuple(api.view_summary(live, current.name))
    try:
        images = _images(live, current, wanted)
    except api.FilterError as error:
        return DatasetData(tuple(datasets), current, views, None, error)
    return DatasetData(tuple(datasets), current, views, images)


def _images(live: api.Live, current: Entry, wanted: Wanted) -> api.ImageList:
    by_import = wanted.problems_only and not wanted.found
    query = api.ImageQuery(
        current.name,
        view=wanted.view,
        problems_only=by_import,
        filter=wanted.filter,
        sort=wanted.sort,
        descending=wanted.descending,
    )
    images = api.browse(live, query)
    if wanted.problems_only and not by_import:
        images.items[:] = [item for item in images.items if item.problem or item.path in wanted.found]
    return images
