"""What the subjects said, brought to the images that all of them were measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.comparison.subjects import Candidate
from engine.store.outputs import OutputRow
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.text import one_line


@dataclass(frozen=True, slots=True)
class Loaded:
    """One subject with what it said."""

    candidate: Candidate
    row: EvaluationRow
    outputs: list[OutputRow]
    measured: int
    """Images that the evaluation has measured, compared or not."""

    @property
    def short(self) -> str:
        """`run 3`, `majority`; untrusted text."""
        run, reference = self.candidate.run, self.candidate.reference
        if run is not None:
            return f"run {run.id}"
        return str(reference) if reference else self.candidate.word


def load_outputs(reader: Reader, candidates: Sequence[Candidate], rows: Sequence[EvaluationRow]) -> list[Loaded]:
    """What each subject said in its evaluation."""
    found = []
    for candidate, row in zip(candidates, rows, strict=True):
        outputs = reader.outputs(row.id, row.question)
        found.append(Loaded(candidate, row, outputs, len(outputs)))
    return found


def shared_paths(loaded: Sequence[Loaded]) -> set[str]:
    """Images that all were measured on, with one and the same target."""
    targets = [{output.path: output.target for output in each.outputs} for each in loaded]
    first = targets[0]
    return {path for path, target in first.items() if all(other.get(path) == target for other in targets[1:])}


def cut_to(loaded: Sequence[Loaded], paths: set[str]) -> list[Loaded]:
    """The same subjects on these images alone."""
    return [replace(each, outputs=[output for output in each.outputs if output.path in paths]) for each in loaded]


def counts_text(loaded: Sequence[Loaded], shared: int) -> str:
    """How many images each subject was measured on, and how many all have in common, one line each."""
    lines = [f"{one_line(each.candidate.title)}: {each.measured:,} images." for each in loaded]
    return "\n".join([*lines, f"In common, with the same targets: {shared:,}."])
