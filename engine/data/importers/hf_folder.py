"""Import of a Hugging Face `datasets` folder on disk; its images may be embedded in it, or lie beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.files import check_name, import_lock
from engine.data.importers.collect import Collector
from engine.data.importers.embedded import ImageWriter
from engine.data.importers.hf_files import Shard, find_shards, read_rows, read_schema
from engine.data.importers.hf_rows import RowForm, form_of_table, image_of, split_of_row, take_answers, view_of_row
from engine.data.importers.known_files import read_known_files
from engine.data.importers.parsed import ParsedLine
from engine.data.importers.pipeline import Gathered, import_gathered, require_folder
from engine.data.importers.publish import Recorder
from engine.data.importers.report import Notice, Tolerances, notice
from engine.data.importers.request import SourceOptions
from engine.data.importers.staging import staging_folder, swap_folders
from engine.data.paths import RejectedError, normalise_path, storable, view_of
from engine.types import DatasetRecord, Split
from engine.workspace import Workspace

KIND = "huggingface"
IMAGES = "images"
"""Folder of the written images within the dataset's folder."""


def import_hf_folder(
    workspace: Workspace,
    name: str,
    folder: Path,
    image_root: Path | None,
    options: SourceOptions,
    recorder: Recorder | None = None,
) -> DatasetRecord:
    """Import what `save_to_disk` left, or a folder of Parquet files, into `datasets/<name>/`.

    Embedded images are written to `datasets/<name>/images/<view>/`. Its own splits are kept when it has several.

    Args:
        image_root: where images lie that are named, not embedded; None takes `folder`.

    Raises:
        DataError: the folder cannot be read or has not the columns, nothing usable is in it, or the name is taken by
            other content; an existing dataset then stays as it was.
    """
    check_name(name)
    require_folder(folder)
    shards = find_shards(folder)
    with import_lock(workspace, name), staging_folder(workspace.dataset(name), IMAGES) as staging:
        final = workspace.dataset(name) / IMAGES
        reading = _Reading(folder, ImageWriter(staging, final, read_known_files(workspace.dataset(name))))
        for shard in shards:
            reading.read(shard)
        if not reading.embedded:
            root = image_root or folder
            require_folder(root)
            gathered = reading.gathered(named_images=True)
            return import_gathered(workspace, name, KIND, gathered, root.resolve(), options, recorder)
        return import_gathered(
            workspace,
            name,
            KIND,
            reading.gathered(named_images=False),
            staging,
            options,
            recorder,
            recorded_root=final,
            install=_installer(staging, final),
        )


def _installer(staging: Path, final: Path) -> Callable[[], None]:
    return lambda: swap_folders(staging, final)


@dataclass(slots=True)
class _Reading:
    """The rows of a folder as they are read; numbered from 1 on through all its files."""

    folder: Path
    writer: ImageWriter
    embedded: int = 0
    """Rows whose image came with them."""
    _lines: list[tuple[int, ParsedLine]] = field(default_factory=list)
    _named: list[tuple[int, ParsedLine]] = field(default_factory=list)
    """Rows that only name their image."""
    _rejected: list[tuple[int, RejectedError]] = field(default_factory=list)
    _not_complete: Counter[str] = field(default_factory=Counter)
    _rows: int = 0

    def read(self, shard: Shard) -> None:
        """Take in the rows of one data file."""
        form = form_of_table(*read_schema(self.folder, shard))
        for row in read_rows(self.folder, shard, form.columns):
            self._rows += 1
            status = " ".join((form.text(row, form.status) or "complete").split()).casefold()
            if status != "complete":
                self._not_complete[storable(status, 60)] += 1
                continue
            try:
                self._take(row, form, shard)
            except RejectedError as rejected:
                self._rejected.append((self._rows, rejected))

    def _take(self, row: dict[str, object], form: RowForm, shard: Shard) -> None:
        data, name = image_of(row, form)
        split = split_of_row(row, form, shard.split)
        if data is not None:
            line = ParsedLine(self.writer.put(view_of_row(row, form, name), name, data), split=split)
            self.embedded += 1
            lines = self._lines
        else:
            path = normalise_path(name)
            line = ParsedLine(path if "/" in path else f"{view_of_row(row, form, name)}/{path}", split=split)
            view_of(line.path)
            lines = self._named
        take_answers(line, row, form)
        lines.append((self._rows, line))

    def gathered(self, *, named_images: bool) -> Gathered:
        """All rows; those that only name their image are rejected unless `named_images`."""
        collector = Collector(self.folder.name, "rows")
        lines = self._named if named_images else self._lines
        kept = len({line.split for _, line in lines}) > 1  # one split alone says nothing of validation and test
        for number, line in lines:
            line.split = line.split if kept else None
            collector.add(number, line)
        for number, line in [] if named_images else self._named:
            collector.reject(number, storable(line.path), "the row names an image, while others hold theirs")
        for number, rejected in self._rejected:
            collector.reject(number, rejected.item, rejected.reason)
        options: dict[str, object] = {
            "file": storable(self.folder.name),
            "repeated_lines": collector.repeats,
            "embedded": not named_images,
            "splits": "kept" if kept else "drawn",
        }
        return Gathered(collector, Tolerances(self.folder.name), options, self._notices(kept))

    def _notices(self, kept: bool) -> list[Notice]:
        found = []
        if self._not_complete:
            rows = [f"{status}: {count} rows" for status, count in self._not_complete.most_common()]
            found.append(notice("rows that are not complete", rows, count=self._not_complete.total()))
        if kept:
            there = {line.split for _, line in [*self._lines, *self._named]}
            found.append(notice("its own split was kept", [split.value for split in Split if split in there]))
            if missing := [split.value for split in Split if split not in there]:
                found.append(notice("parts that its own split lacks", missing, loud=True))
        return found
