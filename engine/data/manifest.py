"""The manifest of a dataset: `datasets/<name>/manifest.json` (small), `cases.arrow` and `problems.json` beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.data.files import check_name, write_durably
from engine.errors import DataError
from engine.files import flush
from engine.types import Case, DatasetRecord, Problem, Split
from engine.workspace import Workspace

FORMAT = 1
"""Version of the files' layout; another one is refused with the way out."""

MANIFEST, CASES, PROBLEMS = "manifest.json", "cases.arrow", "problems.json"


@dataclass(frozen=True, slots=True)
class ViewCount:
    """How many images one view has in one split, by what their Q7 answer says."""

    view: str
    split: Split
    normal: int = 0
    abnormal: int = 0
    unclear: int = 0
    unparseable: int = 0
    unanswered: int = 0
    """Images without an answer to Q7."""

    @property
    def total(self) -> int:
        """All images of this view in this split."""
        return self.normal + self.abnormal + self.unclear + self.unparseable + self.unanswered


@dataclass(frozen=True, slots=True)
class Dataset:
    """An imported dataset. Opening reads the small manifest only; cases and problems are read when asked for."""

    record: DatasetRecord
    folder: Path
    image_root: Path
    """Where the images lie now."""
    view_counts: tuple[ViewCount, ...]

    def cases(self, split: Split | str | None = None, question: str | None = None) -> list[Case]:
        """Cases in path order: all, or those of one split, or those that have an answer to `question`.

        `question` may be `report`, which needs all eight answers.

        Raises:
            DataError: the case file is missing, damaged or from another import.
        """
        from engine.data.arrow import read_cases
        from engine.data.labels import target_text

        wanted = None if split is None else Split(split)
        cases = read_cases(self.folder / CASES, self.image_root, case_key(self.record))
        return [
            case
            for case in cases
            if (wanted is None or case.split == wanted)
            and (question is None or target_text(case.answers, question) is not None)
        ]

    @property
    def problems(self) -> list[Problem]:
        """What the import left out, and why.

        Raises:
            DataError: the list is missing or damaged.
        """
        rows = _read_json(self.folder / PROBLEMS, self.record.name)
        try:
            return [Problem(**row) for row in rows]
        except TypeError as error:
            raise _damaged(self.record.name, f"{PROBLEMS}: {error}") from error

    def counts(self) -> list[ViewCount]:
        """One row a view and split, views in alphabetical order, splits from train to test."""
        return list(self.view_counts)


def open_dataset(workspace: Workspace, name: str) -> Dataset:
    """Open a dataset of the workspace.

    Raises:
        DataError: there is none of that name, or its manifest is damaged or of another version.
    """
    folder = workspace.dataset(check_name(name))
    if not (folder / MANIFEST).is_file():
        names = ", ".join(dataset_names(workspace))
        raise DataError(
            f"There is no dataset named {name} in {workspace.root}.",
            f"Datasets here: {names}." if names else "No dataset has been imported yet.",
            "Import it with `sonotune data import`; `sonotune data import phantoms` needs no files.",
        )
    content = _read_json(folder / MANIFEST, name)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _damaged(name, f"{MANIFEST} is not of format {FORMAT}")
    try:
        record = DatasetRecord(**content["record"])
        counts = tuple(ViewCount(**{**row, "split": Split(row["split"])}) for row in content["counts"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(name, f"{MANIFEST}: {type(error).__name__}: {error}") from error
    return Dataset(record, folder, image_root(workspace, record), counts)


def image_root(workspace: Workspace, record: DatasetRecord) -> Path:
    """Where the images of a dataset lie now; a relative root in the record follows the workspace when it moves."""
    return workspace.root / record.image_root


def dataset_names(workspace: Workspace) -> list[str]:
    """Names of the datasets of a workspace, in alphabetical order."""
    return sorted(file.parent.name for file in workspace.datasets.glob(f"[!.]*/{MANIFEST}"))


def count_views(labelled: Iterable[tuple[str, Split, str]]) -> tuple[ViewCount, ...]:
    """Count (view, split, label) triples; a label is a `Verdict` value or `unanswered`."""
    counter = Counter(labelled)
    cells = sorted({(view, list(Split).index(split)) for view, split, _ in counter})
    rows = []
    for view, place in cells:
        split = list(Split)[place]
        labels = {label: n for (each, part, label), n in counter.items() if (each, part) == (view, split)}
        rows.append(ViewCount(view, split, **labels))
    return tuple(rows)


def case_key(record: DatasetRecord) -> str:
    """What ties `cases.arrow` to its manifest."""
    return f"{record.fingerprint}:{record.split_fingerprint}"


def write_dataset(
    folder: Path,
    record: DatasetRecord,
    cases: Sequence[Case],
    problems: Sequence[Problem],
    counts: Sequence[ViewCount],
    install: Callable[[], None] | None = None,
) -> None:
    """Write all files under temporary names, flush them, then rename them; the manifest goes last.

    `install` puts new images in their place; it runs when everything that may fill the disk has been written.

    A crash leaves either the old dataset, or the new one, or a manifest that refuses the other's case file.
    """
    from engine.data.arrow import write_cases

    folder.mkdir(parents=True, exist_ok=True)
    manifest: Mapping[str, object] = {
        "format": FORMAT,
        "record": asdict(record),
        "counts": [asdict(row) for row in counts],
    }
    write_cases(folder / f"{CASES}.tmp", cases, case_key(record))
    write_durably(folder / f"{PROBLEMS}.tmp", _json_bytes([asdict(problem) for problem in problems]))
    write_durably(folder / f"{MANIFEST}.tmp", _json_bytes(manifest))
    if install is not None:
        install()
    for name in (CASES, PROBLEMS, MANIFEST):
        (folder / f"{name}.tmp").replace(folder / name)
    flush(folder)


def _json_bytes(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=True, indent=1).encode("ascii") + b"\n"


def _read_json(file: Path, name: str) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(name, f"{file.name}: {type(error).__name__}: {error}") from error


def _damaged(name: str, reason: str) -> DataError:
    return DataError(
        f"The dataset {name} is damaged.", reason, "Import it again with `--replace`; runs and scores are not touched."
    )
