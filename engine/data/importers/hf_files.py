"""The files of a Hugging Face `datasets` folder, and their rows in small batches; read with pyarrow alone.

`save_to_disk` leaves `state.json` (which names the data files) and `dataset_info.json`; several splits stand in a
folder each, named by `dataset_dict.json`. A folder of Parquet files, as the hub keeps them, names the split in the
names of the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.data.importers.split_file import SPLIT_WORDS
from engine.data.paths import storable
from engine.errors import DataError

DICT, STATE = "dataset_dict.json", "state.json"
BATCH_ROWS = 64
"""Rows held at a time: with embedded images a row has hundreds of kilobytes."""
MAX_JSON_BYTES = 64 * 1024**2

_WORD = re.compile(r"(?:^|[-_.])(" + "|".join(sorted(SPLIT_WORDS, key=len, reverse=True)) + r")(?=[-_.]|$)")


@dataclass(frozen=True, slots=True)
class Shard:
    """One data file of the folder."""

    file: Path
    split: str | None
    """What its split is called there; None where nothing says."""


def looks_like_hf(folder: Path) -> bool:
    """Whether a folder holds a saved dataset, or Parquet or Arrow files."""
    return any((folder / name).is_file() for name in (DICT, STATE)) or bool(_loose_files(folder))


def find_shards(folder: Path) -> list[Shard]:
    """The data files of `folder`, in the order of its splits.

    Raises:
        DataError: there are none, or the files that should name them are damaged.
    """
    with _explained(folder):
        if (folder / DICT).is_file():
            names = _read_json(folder / DICT).get("splits")
            if not isinstance(names, list):
                raise ValueError(f"{DICT} names no splits")
            found = [shard for name in names for shard in _saved(folder / _plain_name(name), name)]
        elif (folder / STATE).is_file():
            found = _saved(folder, None)
        else:
            found = [Shard(file, _split_in(file.relative_to(folder))) for file in _loose_files(folder)]
    if not found:
        raise DataError(
            f"The folder {storable(folder.name)} holds no saved dataset.",
            f"Looked for {DICT}, {STATE}, and for files named *.parquet or *.arrow.",
            "Name the folder that `save_to_disk` wrote, or one of Parquet files.",
        )
    return found


def read_rows(folder: Path, shard: Shard, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The rows of one data file as plain values, `BATCH_ROWS` in memory at a time.

    Raises:
        DataError: the file is missing or damaged.
    """
    with _explained(folder, shard.file):
        _require_own_file(folder, shard.file)
        for batch in _batches(shard.file, columns):
            batch.validate(full=True)  # a damaged or hostile file must not crash the process
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield from batch.slice(start, BATCH_ROWS).to_pylist()


def read_schema(folder: Path, shard: Shard) -> tuple[list[str], Mapping[str, Any]]:
    """(column names, Hugging Face's features by column) of one data file; DataError where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _explained(folder, shard.file):
        _require_own_file(folder, shard.file)
        if shard.file.suffix == ".parquet":
            schema = pq.read_schema(shard.file)
        else:
            with pa.memory_map(str(shard.file)) as source, _open_arrow(source) as reader:
                schema = reader.schema
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told.get("info", {}).get("features", {}) if isinstance(told, dict) else {}
        return list(schema.names), features if isinstance(features, dict) else {}


def _batches(file: Path, columns: Sequence[str]) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.suffix == ".parquet":
        with pq.ParquetFile(file) as opened:
            yield from opened.iter_batches(BATCH_ROWS, columns=list(columns))
        return
    with pa.memory_map(str(file)) as source, _open_arrow(source) as reader:
        if hasattr(reader, "num_record_batches"):
            found = (reader.get_batch(number) for number in range(reader.num_record_batches))
        else:
            found = iter(reader)
        for batch in found:
            yield batch.select(list(columns))


def _open_arrow(source: Any) -> Any:
    """A reader of the streaming format, which `datasets` writes, or of the file format."""
    import pyarrow as pa

    try:
        return pa.ipc.open_stream(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_file(source)


def _saved(folder: Path, split: str | None) -> list[Shard]:
    entries = _read_json(folder / STATE).get("_data_files")
    if not isinstance(entries, list):
        raise ValueError(f"{STATE} names no data files")
    return [Shard(folder / _plain_name(entry["filename"]), split) for entry in entries]


def _loose_files(folder: Path) -> list[Path]:
    patterns = ("*.parquet", "*/*.parquet", "*.arrow", "*/*.arrow")
    files = [file for pattern in patterns for file in folder.glob(pattern) if file.is_file()]
    return sorted(file for file in files if not file.name.startswith("cache-"))


def _split_in(path: Path) -> str | None:
    """The split that a file name ("train-00000-of-00003.parquet"), or its folder, tells."""
    for part in reversed(path.with_suffix("").parts):
        if match := _WORD.search(part.casefold()):
            return match[1]
    return None


def _require_own_file(folder: Path, file: Path) -> None:
    """Refuse a pipe, which would block the reader for ever, and a link that leads out of the folder.

    The hub's own cache is let through: its snapshots are links into the `blobs` beside them.
    """
    real = file.resolve(strict=True)
    if not real.is_file():
        raise ValueError("not a regular file")
    snapshots = next((each for each in folder.resolve().parents if each.name == "snapshots"), None)
    blobs = [] if snapshots is None else [snapshots.parent / "blobs"]
    if not any(real.is_relative_to(place) for place in (folder.resolve(), *blobs)):
        raise ValueError("a link leads out of the folder")


def _plain_name(name: object) -> str:
    """A file name from an untrusted list: it must not lead out of its folder."""
    if not isinstance(name, str) or not name or name in {".", ".."} or "/" in name or "\\" in name or "\0" in name:
        raise ValueError(f"{storable(repr(name), 80)} is no file name")
    return name


def _read_json(file: Path) -> Mapping[str, Any]:
    if file.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"{file.name} is larger than {MAX_JSON_BYTES // 1024**2} MiB")
    content = json.loads(file.read_bytes())
    if not isinstance(content, dict):
        raise TypeError(f"{file.name} is no JSON object")
    return content


@contextmanager
def _explained(folder: Path, file: Path | None = None) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, RecursionError, pa.ArrowException) as error:
        where = f"{file.name}: " if file is not None else ""
        raise DataError(
            f"The dataset folder {storable(folder.name)} cannot be read.",
            storable(f"{where}{type(error).__name__}: {error}"),
            "Write it anew with `save_to_disk`, or name another folder.",
        ) from error
