"""Which parts of the model carry LoRA in each arm, and how much of it is trained."""

from __future__ import annotations

from engine.formatting import UNKNOWN
from engine.study.analysis.material import Material
from engine.study.analysis.part import PartResult
from engine.study.analysis.words import count_words, share_words
from engine.study.results import StudyTable

HEADS = ("arm", "seeds", "vision", "language", "attention", "MLP", "modules", "trained parameters", "share")
NOTE = "Modules that carry LoRA, from the runs; the share is that of all parameters, the frozen ones included."


def modules_part(material: Material) -> PartResult:
    """A row for each arm that is trained."""
    rows = []
    for arm, cells in material.cells.items():
        if cells[0].cell.untuned:
            continue
        lora = cells[0].cell.recipe.lora
        runs = [cell.run for cell in cells if cell.run is not None]
        # The same recipe has the same modules whatever the seed.
        run = next((run for run in runs if run.lora_modules is not None), None)
        trained, total = (None, None) if run is None else (run.trained_parameters, run.total_parameters)
        rows.append(
            (
                arm,
                str(len(runs)),
                *("yes" if each else "no" for each in (lora.vision, lora.language, lora.attention, lora.mlp)),
                count_words(None if run is None else run.lora_modules),
                count_words(trained),
                share_words(trained / total) if trained is not None and total else UNKNOWN,
            )
        )
    table = StudyTable("modules", "Modules that carry LoRA", NOTE, HEADS, tuple(rows), words=(2, 3, 4, 5))
    return PartResult((table,) if rows else ())
