"""What a part of the report hands back."""

from __future__ import annotations

from dataclasses import dataclass

from engine.study.results import StudyChart, StudyTable


@dataclass(frozen=True, slots=True)
class PartResult:
    """What one part has found; nothing where nothing of it is measured yet."""

    tables: tuple[StudyTable, ...] = ()
    charts: tuple[StudyChart, ...] = ()
