"""What `sonotune preflight` prints: the verdict first, then what takes how much, how it runs, and how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine import api
from engine.cli.console import shown
from engine.formatting import size

if TYPE_CHECKING:
    from engine.preflight.models import Preflight

BAR_CELLS = 28
VERDICTS = {True: "fits", False: "does_not_fit", None: "unknown"}
"""In words that programs compare: both what does not fit and what failed end with exit code 1."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def verdict_style(found: Preflight) -> str:
    """Green where it fits, red where it does not, plain where nobody can say."""
    return {True: "bold green", False: "bold red", None: "bold"}[found.fits]


def report(
    found: Preflight, measured: api.MemoryMeasured | None = None, beside: Sequence[tuple[str, str, str]] = ()
) -> Group:
    """Everything for a person but the proposal.

    Args:
        found: the preflight, as it is after the measurement.
        measured: what a measured preflight of the same recipe found.
        beside: name, estimate and measurement of what was measured.
    """
    hint = " Compare it with a card: --memory 24GB." if found.fits is None and measured is None else ""
    head = shown(verdict(found, measured) + hint, verdict_style(found))
    parts: list[RenderableType] = [head, shown(""), memory_table(found)]
    if beside:
        parts += [shown(""), measured_table(beside)]
    parts += [shown(""), facts_table([*api.layout_facts(found), *api.time_facts(found), *source_facts(found)])]
    parts += [shown(f"! {warning}", "yellow") for warning in found.warnings]
    return Group(*parts)


def verdict(found: Preflight, measured: api.MemoryMeasured | None) -> str:
    """The verdict in one sentence: of the measurement where there is one."""
    if measured is None:
        return api.preflight_verdict(found)
    return api.measured_verdict(measured, found.card.memory)


def memory_table(found: Preflight) -> Table:
    """What takes how much of the card; of the peak where there is no card."""
    estimate = found.estimate
    whole = found.card.memory or estimate.peak
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="left")
    table.add_column(justify="right")
    for part in api.memory_parts(estimate):
        table.add_row(shown(part.name), shown(size(part.bytes)), _bar(part.bytes / whole))
    table.add_row(shown("total", "bold"), shown(size(estimate.peak), "bold"), _bar(estimate.peak / whole))
    return table


def _bar(share: float) -> Text:
    eighths = round(max(0.0, min(1.0, share)) * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return Text("█" * full + (_EIGHTHS[rest] if rest else ""))


def measured_table(beside: Sequence[tuple[str, str, str]]) -> Table:
    """Estimate and measurement side by side."""
    table = Table.grid(padding=(0, 2))
    table.add_row(shown("", "dim"), shown("estimated", "dim"), shown("measured", "dim"))
    for name, estimated, real in beside:
        table.add_row(shown(name), shown(estimated), shown(real))
    return table


def facts_table(facts: Sequence[tuple[str, str]]) -> Table:
    """Names and words."""
    table = Table.grid(padding=(0, 2))
    for name, words in facts:
        table.add_row(shown(name, "bold"), shown(words))
    return table


def source_facts(found: Preflight) -> list[tuple[str, str]]:
    """Where the figures come from."""
    work = found.workload
    return [
        ("model", f"{found.model}, by {found.shape_source}"),
        (
            "data",
            f"{work.samples:,} samples of {work.images:,} images; the longest row has {_row_words(found)} tokens, "
            f"{work.image_tokens:,} of them the image's",
        ),
        ("estimate", found.calibration),
    ]


def _row_words(found: Preflight) -> str:
    """Tokens of the longest row: what is shared, and the questions that share it."""
    work = found.workload
    times = f"{work.samples_per_image} x " if found.layout.packed and work.samples_per_image > 1 else ""
    return f"{work.root_tokens:,} + {times}{work.branch_tokens:,}"


def proposal_lines(found: Preflight, recipe: str, overrides: Sequence[str], workspace: str = "") -> list[Text]:
    """The nearest recipe that fits, the last line its command; said plainly where nothing does; else nothing.

    Args:
        found: the preflight.
        recipe: preset or file as it was given.
        overrides: the `--set` that were given.
        workspace: as it was given; "" where none was.
    """
    proposal = found.proposal
    if found.fits is not False or proposal is None:
        return []
    command = proposed_command(found, recipe, overrides, workspace=workspace)
    if command is None:
        return [shown(proposal.words, "yellow")]
    return [shown(proposal.words), shown(command, "bold")]


def proposed_command(
    found: Preflight, recipe: str, overrides: Sequence[str], command: str = "launch", workspace: str = ""
) -> str | None:
    """The command line of the proposal; None where there is none that fits."""
    proposal = found.proposal
    if proposal is None or not proposal.fits or not proposal.changes:
        return None
    return api.launch_command(recipe, overrides, proposal.changes, command, workspace)


def as_document(
    found: Preflight,
    recipe: str,
    overrides: Sequence[str],
    measured: api.MemoryMeasured | None,
    workspace: str = "",
) -> dict[str, Any]:
    """Everything for a program; memory in bytes, times in seconds. `verdict` is one of `VERDICTS`, `words` says it."""
    document = asdict(found)
    document["estimate"]["peak"] = found.estimate.peak
    document["verdict"] = VERDICTS[found.fits]
    document["words"] = verdict(found, measured)
    if found.proposal is not None:
        document["proposal"]["estimate"]["peak"] = found.proposal.estimate.peak
        document["proposal"]["command"] = proposed_command(found, recipe, overrides, workspace=workspace)
    document["measured"] = None if measured is None else asdict(measured)
    return document
