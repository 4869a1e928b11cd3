"""What the plan of a study comes to, in words. Values in, paragraphs out; names in it are untrusted."""

from __future__ import annotations

from collections import Counter

from engine import api
from tui.text import counted
from tui.widgets.lines import Paragraph

WORDS = {
    "train": "to train",
    "resume": "to resume from the last checkpoint",
    "reuse": "done already and reused",
    "wait": "on the way already",
    "untuned": "of the untuned model",
}
"""What the first word of an action says of a cell."""
NOTHING_LEFT = "Nothing is missing: all of it is measured, or on its way."
BESIDES = "with the reference rows and blank-image controls that are missing"
MOST_NAMED = 4


def kind_of(cell: api.PlannedCell) -> str:
    """The first word of its action."""
    return cell.action.partition(" ")[0]


def nothing_to_do(cell: api.PlannedCell) -> bool:
    """Whether a launch leaves a cell alone."""
    return not cell.measure and kind_of(cell) not in ("train", "resume")


def what_is_measured(cell: api.PlannedCell) -> str:
    """Its measurements in words; of many the first and their number."""
    if not cell.measure:
        return "nothing is missing"
    more = f" (+{len(cell.measure) - 1})" if len(cell.measure) > 1 else ""
    return cell.measure[0] + more


def summary(plan: api.StudyPlan) -> list[Paragraph]:
    """How much is trained, reused and measured, on which data; what stands in the way, with the way out."""
    state = plan.state
    paragraphs: list[Paragraph] = [[(f"{state.name} at scale {state.scale}", "dim")]]
    if all(map(nothing_to_do, plan.cells)):
        return [*paragraphs, [(NOTHING_LEFT, "good")]]
    kinds = Counter(map(kind_of, plan.cells))
    words = [f"{kinds[kind]} {says}" for kind, says in WORDS.items() if kinds[kind]]
    paragraphs.append([("runs     ", "dim"), (", ".join(words), "bold")])
    measurements = counted(sum(len(cell.measure) for cell in plan.cells), "measurement")
    paragraphs.append([("then     ", "dim"), (f"{measurements} {BESIDES}", "text")])
    paragraphs.append([("data     ", "dim"), (f"{state.split} of {state.dataset}", "text")])
    paragraphs.append([("machine  ", "dim"), (state.machine, "text")])
    if state.split == api.Split.TEST:
        words_of_test = "It decides on the test split: every look spends some of its worth, and stands in the ledger."
        paragraphs.append([("! ", "warn"), (words_of_test, "warn")])
    notes = dict.fromkeys(note for cell in plan.cells for note in cell.notes)
    paragraphs += [[("! ", "warn"), (note, "warn")] for note in [*notes, *state.warnings]]
    needs = plan.needs
    paragraphs += [[("✗ ", "bad"), (need, "bad")] for need in needs[:MOST_NAMED]]
    if len(needs) > MOST_NAMED:
        paragraphs.append([(f"and {len(needs) - MOST_NAMED} more of the kind", "bad")])
    return paragraphs
