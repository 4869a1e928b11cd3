"""Writing what surrounds runs: datasets, tags, notes, studies and the test-set ledger."""

from __future__ import annotations

from collections.abc import Iterable

from engine.store.mapping import columns, insert, to_row
from engine.store.records import ImageRow, StudyRow
from engine.store.writer_base import WriterBase
from engine.types import DatasetRecord


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

    def add_note(self, run_id: int, text: str) -> int:
        """Attach a note to a run; return its id."""
        with self._transaction():
            return self._insert("notes", {"run_id": run_id, "time": self._now(), "text": text})

    def add_study(self, study: StudyRow) -> None:
        """Store a study as it was launched, replacing an earlier one of that name."""
        with self._transaction() as connection:
            connection.execute(insert("studies", columns(StudyRow), replace=True), to_row(study))

    def add_test_look(self, evaluation_id: int, dataset: str, split_fingerprint: str, purpose: str) -> int:
        """Enter a look at a test split into the ledger; return its id."""
        values = {
            "time": self._now(),
            "dataset": dataset,
            "split_fingerprint": split_fingerprint,
            "evaluation_id": evaluation_id,
            "purpose": purpose,
        }
        with self._transaction():
            return self._insert("test_looks", values)
