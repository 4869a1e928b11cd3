"""The user's own split: a file that says which image stands in which part.

CSV (or text with tabs or semicolons) with a column of paths and one of splits; JSON as {"train": [paths], ...}, as
{path: split}, or as a list of {"path", "split"}. Paths may differ from the dataset's as `naming` forgives, and may lack
their folder where the file name alone is unambiguous.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.data.importers.path_lookup import PathLookup
from engine.data.importers.report import Tolerances
from engine.data.importers.split_formats import named_in
from engine.data.paths import storable
from engine.errors import DataError
from engine.types import Split

REFUSE, TRAIN, LEAVE_OUT = "refuse", "train", "leave-out"
REST = (REFUSE, TRAIN, LEAVE_OUT)
"""What becomes of images that the file does not name."""

SPLIT_WORDS: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), Split.TRAIN),
    **dict.fromkeys(("validation", "valid", "val", "dev", "eval", "evaluation"), Split.VALIDATION),
    **dict.fromkeys(("test", "testing", "tst"), Split.TEST),
}
"""What people call the three parts."""


def split_of_word(word: str) -> Split | None:
    """The part that a word names ("Val", "TRAINING "); None for other words."""
    return SPLIT_WORDS.get(word.strip().casefold())


def read_split_file(
    file: Path, paths: Sequence[str], *, rest: str = REFUSE, tolerances: Tolerances | None = None
) -> dict[str, Split]:
    """The split of each image of `paths` as `file` says.

    Args:
        paths: the images of the dataset, relative to its image root.
        rest: for images that the file does not name: `refuse` them all, put them into `train`, or `leave-out`.
        tolerances: takes in every name that had to be forgiven, and names that are no image of the dataset.

    Returns:
        Split by path, in the order of `paths`; with `leave-out` those that are not named are missing.

    Raises:
        DataError: the file cannot be read, names a split that there is none of, gives one image two splits, or leaves
            images out although `rest` says refuse.
    """
    if rest not in REST:
        raise DataError(f"{rest!r} is no choice for images without a split.", next_step=f"Choose: {', '.join(REST)}.")
    tolerances = tolerances or Tolerances(file.name)
    found: dict[str, tuple[Split, int]] = {}
    lookup, faults = PathLookup(paths), []
    for number, said, word in named_in(file):
        split = split_of_word(word)
        if split is None:
            faults.append(f"{number}: {storable(word, 40)!r} is no split")
            continue
        match = lookup.find(said)
        if match is None:
            tolerances.add("no image of the dataset", said, "", [number])
            continue
        path, kinds = match
        for kind in kinds:
            tolerances.add(kind, said, path, [number])
        if path in found and found[path][0] != split:
            faults.append(
                f"{number}: {storable(path, 80)} stands in {found[path][0]} (line {found[path][1]}) and {split}"
            )
        found[path] = (split, number)
    left = [path for path in paths if path not in found]
    if faults or (left and rest == REFUSE) or not found:
        raise _refused(file, faults, left if rest == REFUSE else [], len(found))
    whole = {path: found[path][0] if path in found else Split.TRAIN for path in paths}
    return {path: split for path, split in whole.items() if path in found or rest == TRAIN}


def _refused(file: Path, faults: Sequence[str], left: Sequence[str], named: int) -> DataError:
    lines = [f"- line {fault}" for fault in faults[:10]]
    if len(faults) > 10:
        lines.append(f"- and {len(faults) - 10} more lines like these")
    if left:
        shown = ", ".join(storable(path, 80) for path in left[:5])
        lines.append(f"- {len(left)} images are not named: {shown}{' …' if len(left) > 5 else ''}")
    if not named:
        lines.append("- it names no image of the dataset")
    step = (
        "Mend the file, or pass `--split-rest train` or `--split-rest leave-out`." if left else "Mend the lines above."
    )
    return DataError(f"The split file {storable(file.name)} does not fit the dataset.", "\n".join(lines), step)
