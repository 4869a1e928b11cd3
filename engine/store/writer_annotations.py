"""Writing what surrounds runs: datasets, tags, notes, studies and the test-set ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable
from typing import Any

from engine.errors import JobError
from engine.store.mapping import columns, insert, to_row
from engine.store.records import ImageRow, StudyRow
from engine.store.writer_base import WriterBase, missing_job
from engine.types import DatasetRecord, JobKind


class AnnotationWrites(WriterBase):
    """The part of the writer that importers and people use."""

    def record_dataset(self, record: DatasetRecord, images: Iterable[ImageRow]) -> None:
        """Store a dataset and its images (usable ones and problems), replacing an earlier import of that name."""
        statement = insert("images", ("dataset", *columns(ImageRow)))
        rows = [{"dataset": record.name, **to_row(image)} for image in images]
        with self._transaction() as connection:
            connection.execute("DELETE FROM images WHERE dataset = ?", (record.name,))
            connection.execute("DELETE FROM datasets WHERE name = ?", (record.name,))
            self._insert("datasets", to_row(record))
            connection.executemany(statement, rows)

    def set_tags(self, run_id: int, tags: Iterable[str]) -> None:
        """Replace the tags of a run."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM tags WHERE run_id = ?", (run_id,))
            connection.executemany("INSERT INTO tags (run_id, tag) VALUES (?, ?)", [(run_id, tag) for tag in set(tags)])

    def change_tags(self, run_id: int, change: Callable[[Collection[str]], Collection[str]]) -> None:
        """Replace the tags of a run by what `change` makes of its present ones; where it raises, they stay."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT tag FROM tags WHERE run_id = ?", (run_id,)).fetchall()
            before = frozenset(str(row[0]) for row in rows)
            tags = change(before)
            connection.execute("DELETE FROM tags WHERE run_id = ?", (run_id,))
            connection.executemany("INSERT INTO tags (run_id, tag) VALUES (?, ?)", [(run_id, tag) for tag in set(tags)])
            if set(tags) != before:
                self._add_event("run_id", run_id, "tagged", ", ".join(sorted(tags)) or "no tags any more")

    def rename_run(self, run_id: int, name: str) -> str:
        """Give a run another name, with an event; its folder and its recipe stay as they are.

        Its evaluations take the name too, so that no row of a run is found under two.

        Returns:
            The name that it had.

        Raises:
            JobError: there is no such run, or another run has that name.
        """
        with self._transaction() as connection:
            found = connection.execute("SELECT name FROM runs WHERE id = ?", (run_id,)).fetchone()
            if found is None:
                raise missing_job(JobKind.TRAINING, run_id)
            other = connection.execute("SELECT id FROM runs WHERE name = ? AND id <> ?", (name, run_id)).fetchone()
            if other is not None:
                raise JobError(f"Run {other[0]} has the name {name} already", next_step="Choose another name.")
            before = str(found[0])
            if before != name:
                connection.execute("UPDATE runs SET name = ? WHERE id = ?", (name, run_id))
                connection.execute("UPDATE evaluations SET name = ? WHERE run_id = ?", (name, run_id))
                self._add_event("run_id", run_id, "renamed", f"from {before} to {name}")
            return before

    def add_note(self, run_id: int, text: str) -> int:
        """Attach a note to a run; return its id."""
        with self._transaction():
            note = self._insert("notes", {"run_id": run_id, "time": self._now(), "text": text})
            self._add_event("run_id", run_id, "noted", text.partition("\n")[0][:80])
            return note

    def add_study(self, study: StudyRow) -> None:
        """Store a study as it was launched, replacing an earlier one of that name."""
        with self._transaction() as connection:
            connection.execute(insert("studies", columns(StudyRow), replace=True), to_row(study))

    def set_setting(self, key: str, value: Any) -> None:
        """Set something for this workspace as a whole, replacing what was set; `value` is anything that JSON can hold.

        None takes the setting away, so that `Reader.setting` returns None again.
        """
        with self._transaction() as connection:
            if value is None:
                connection.execute("DELETE FROM settings WHERE key = ?", (key,))
            else:
                text = json.dumps(value, ensure_ascii=False, allow_nan=False)
                connection.execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", (key, text))

    def add_test_look(self, evaluation_id: int, dataset: str, split_fingerprint: str, purpose: str) -> int:
        """Enter a look at a test split into the ledger; return its id."""
        with self._transaction():
            return self._enter_look(evaluation_id, dataset, split_fingerprint, purpose)
