"""The results of the image check, kept by content hash: `datasets/<name>/checks.arrows`.

An Arrow IPC stream to which every few hundred images are appended: a check that is interrupted at 15,000 images loses
those of the last seconds, and nothing is written twice. A file that ends in the middle of a batch is read up to there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.data.quality.signature import CHECK_VERSION, THUMBNAIL_SIDE, Signature

CACHE = "checks.arrows"
_VERSION_KEY = b"sonotune.check"


class CheckCache:
    """The cache of one dataset; one process writes it at a time (see `background`), any number may read."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / CACHE

    def read(self) -> dict[str, Signature]:
        """All results of this version of the check, by content hash; empty where there are none.

        Whatever cannot be read is as good as never checked: a cache is never a reason to fail.
        """
        found: dict[str, Signature] = {}
        for batch, _ in self._batches():
            with contextlib.suppress(KeyError, TypeError, ValueError):  # a batch that holds something else
                found.update((each.sha256, each) for each in _signatures(batch.to_pydict()))
        return found

    def append(self, signatures: Sequence[Signature]) -> None:
        """Add results and wait until they are on disk.

        Raises:
            OSError: the file cannot be written.
        """
        if signatures:
            whole = max((end for _, end in self._batches()), default=0)
            with self._file.open("r+b" if self._file.exists() else "wb") as stream:
                stream.truncate(whole)  # half a batch, left by who was killed while writing, would hide what follows
                stream.seek(whole)
                stream.write((b"" if whole else _schema_bytes()) + _batch_bytes(signatures))
                stream.flush()
                os.fsync(stream.fileno())

    def forget_others(self, wanted: Collection[str]) -> None:
        """Drop results of content that the dataset no longer has, where they are more than half of all.

        Raises:
            OSError: the file cannot be written.
        """
        found = self.read()
        kept = [found[sha256] for sha256 in wanted if sha256 in found]
        if len(found) > 2 * len(kept):
            new = self._file.with_name(f"{CACHE}.tmp")
            new.write_bytes(_schema_bytes() + (_batch_bytes(kept) if kept else b""))
            new.replace(self._file)

    def _batches(self) -> Iterator[tuple[Any, int]]:
        """Every whole batch of the file, with the byte at which it ends; an empty one stands for the schema."""
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]

        try:
            with pa.memory_map(str(self._file)) as source, pa.ipc.open_stream(source) as reader:
                if (reader.schema.metadata or {}).get(_VERSION_KEY) != str(CHECK_VERSION).encode():
                    return
                yield pa.RecordBatch.from_pylist([], schema=reader.schema), source.tell()
                while True:
                    yield reader.read_next_batch(), source.tell()
        except (StopIteration, OSError, pa.ArrowException):
            return  # its end, or half a batch, or no such file: what is missing is checked again


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            ("sha256", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("phash", pa.uint64()),
            ("mean", pa.float32()),
            ("deviation", pa.float32()),
            ("sharpness", pa.float32()),
            ("thumbnail", pa.binary()),
            ("fault", pa.string()),
        ],
        metadata={_VERSION_KEY: str(CHECK_VERSION).encode()},
    )


def _schema_bytes() -> bytes:
    return bytes(_schema().serialize())


def _batch_bytes(signatures: Sequence[Signature]) -> bytes:
    import pyarrow as pa

    schema = _schema()
    columns = [pa.array([getattr(each, name) for each in signatures], schema.field(name).type) for name in schema.names]
    return bytes(pa.record_batch(columns, schema=schema).serialize())


def _signatures(columns: dict[str, list[Any]]) -> Iterable[Signature]:
    names = [field.name for field in fields(Signature)]
    for row in zip(*(columns[name] for name in names), strict=True):
        signature = Signature(*row)
        if signature.fault is None and len(signature.thumbnail) != THUMBNAIL_SIDE**2:
            raise ValueError("a thumbnail of another size")
        yield signature
