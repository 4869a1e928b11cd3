"""Which pictures the samples of a run need: repeats share the one of their image, synthetic ones have their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.training.balance import Origin, Sample
from engine.types import Case


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures by number: those that are trained on first, then those of the validation loss."""

    files: list[Path]
    made: dict[int, str]
    """Keys of the synthetic pictures by number; their file is that of the real image."""
    numbers: list[int]
    """Number of the picture of each sample, then of each validation case."""
    trained: int
    """How many pictures are trained on."""
    sizes: list[tuple[int, int]]
    """Width and height of each file in pixels, as recorded when it was imported."""

    @classmethod
    def of(cls, samples: Sequence[Sample], check: Sequence[Case], seed: int) -> Pictures:
        """Pictures of the training samples and of the cases of the validation loss."""
        files: list[Path] = []
        sizes: list[tuple[int, int]] = []
        made: dict[int, str] = {}
        place: dict[str, int] = {}
        for sample in samples:
            name = _picture_of(sample)
            if name in place:
                continue
            place[name] = len(files)
            files.append(sample.case.file)
            sizes.append((sample.case.width, sample.case.height))
            if sample.origin is Origin.SYNTHETIC:
                made[place[name]] = f"{seed}/synthetic/{name}"
        trained = len(files)
        numbers = [place[_picture_of(sample)] for sample in samples]
        return cls(
            [*files, *(case.file for case in check)],
            made,
            [*numbers, *range(trained, trained + len(check))],
            trained,
            [*sizes, *((case.width, case.height) for case in check)],
        )


def _picture_of(sample: Sample) -> str:
    return sample.name if sample.origin is Origin.SYNTHETIC else sample.case.path
