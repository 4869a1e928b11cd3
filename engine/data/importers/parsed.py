"""What one line, row or record of a source says of one image; every format is turned into this."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.data.paths import RejectedError, is_encodable, storable
from engine.types import Split


@dataclass(slots=True)
class ParsedLine:
    """What one line says."""

    path: str
    """Normalised image path; its first folder is the view."""
    answers: list[tuple[str, str]] = field(default_factory=list)
    """(question id, raw answer)."""
    faults: list[RejectedError] = field(default_factory=list)
    """Answers of this line that cannot be used."""
    unknown_keys: list[str] = field(default_factory=list)
    """Keys without a meaning here; the import counts them and goes on."""
    split: Split | None = None
    """The split that the source gives the image."""

    def answer(self, question: str, text: str) -> None:
        """Take in an answer as it stands; one that UTF-8 cannot hold becomes a fault."""
        if is_encodable(text):
            self.answers.append((question, text))
        else:
            reason = f"the answer to {question} is not valid Unicode"
            self.faults.append(RejectedError(storable(self.path), reason))
