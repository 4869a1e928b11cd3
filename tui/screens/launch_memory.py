"""What the memory pane of the launch screen says, as paragraphs: verdict, bar, layout, time, what to change."""

from __future__ import annotations

from collections.abc import Iterable

from engine import api
from tui.screens.launch_measuring import Measured
from tui.widgets.lines import Paragraph, Piece

BAR_CELLS = 40
NAME_CELLS = 12
_LOOKS = {
    "weights": ("█", "accent"),
    "adapters": ("▓", "accent"),
    "optimizer": ("▒", "accent"),
    "text activations": ("█", "warn"),
    "vision activations": ("▓", "warn"),
    "logits": ("▒", "warn"),
    "overhead": ("█", "dim"),
}
"""Character and tone of each part: told apart without colours too."""
_SHORT = {"text activations": "text layers", "vision activations": "vision tower"}
FREE = ("·", "track")


def memory_paragraphs(found: api.Preflight, measured: Measured) -> list[Paragraph]:
    """Everything about memory and time of the recipe in the form.

    Args:
        found: its preflight.
        measured: the measured preflight; it may be one of other values.
    """
    return [
        _verdict(found),
        *proposal_paragraphs(found),
        *measured_paragraphs(found, measured),
        *bar_paragraphs(found),
        # A narrow window shows the first dozen lines without scrolling: reasons are the longest, and come last.
        *_facts(api.time_facts(found)),
        *([[("! ", "warn"), (warning, "text")] for warning in found.warnings]),
        *_facts([("runs as", api.layout_line(found.layout)), ("because", _because(found))]),
        *_facts([("estimate", found.calibration)]),
    ]


def _because(found: api.Preflight) -> str:
    return "; ".join(filter(None, (found.layout_reason, found.packing_reason)))


def _verdict(found: api.Preflight) -> Paragraph:
    tone = {True: "good", False: "bad", None: "header"}[found.fits]
    return [(api.preflight_verdict(found), tone)]


def bar_paragraphs(found: api.Preflight) -> list[Paragraph]:
    """The parts side by side, against the card where there is one, and what each of them is."""
    parts = api.memory_parts(found.estimate)
    peak, card = found.estimate.peak, found.card.memory
    whole = max(peak, card or 0)
    bar: list[Piece] = []
    end = done = 0
    for part in parts:
        end += part.bytes
        cells = round(BAR_CELLS * end / whole) - done if whole else 0
        glyph, tone = _LOOKS[part.name]
        bar.append((glyph * cells, tone))
        done += cells
    bar.append((FREE[0] * (BAR_CELLS - done), FREE[1]))
    paragraphs: list[Paragraph] = [bar]
    if card and card < peak:
        paragraphs.append([(" " * max(0, round(BAR_CELLS * card / whole) - 1) + "▲", "bad"), (" the card ends", "bad")])
    small = peak < 2**30
    legend = [_entry(*_LOOKS[part.name], _SHORT.get(part.name, part.name), part.bytes, small) for part in parts]
    legend.append([("= ", "dim"), (f"together {api.size(peak)}", "text")])
    return [*paragraphs, *([*left, *right] for left, right in zip(legend[::2], legend[1::2], strict=True))]


def _entry(glyph: str, tone: str, name: str, count: int, small: bool) -> list[Piece]:
    """What a part of the bar is; in GiB, of a small model in MiB, as the sum at the end says."""
    amount = f"{count / 2**20:.0f}" if small else f"{count / 2**30:.1f}"
    return [(f"{glyph} ", tone), (f"{name} {amount}".ljust(BAR_CELLS // 2 - 2), "text")]


def measured_paragraphs(found: api.Preflight, measured: Measured) -> list[Paragraph]:
    """How far a measurement is, or what it found; nothing where none was asked for."""
    if measured.running:
        return [[("measuring: ", "accent"), (f"{measured.words} (esc stops it)", "text")]]
    lines: list[Paragraph] = []
    if measured.result is not None:
        result, other = measured.result, "" if measured.current else " (of the values before the last change)"
        words = api.measured_verdict(result, found.card.memory) + other
        lines.append([(words, "good" if result.fitted else "bad")])
        lines += _facts(api.measured_facts(measured.estimated or found, result))
    if measured.error is not None:
        error = measured.error
        lines.append([("not measured: ", "bad"), (" ".join(filter(None, (error.title, error.reason))), "text")])
        lines += [[("→ ", "accent"), (error.next_step, "text")]] if error.next_step else []
    return lines


def proposal_paragraphs(found: api.Preflight) -> list[Paragraph]:
    """The nearest recipe that fits, and the key that takes it."""
    proposal = found.proposal
    if found.fits is not False or proposal is None:
        return []
    key = [("a ", "accent")] if can_take(found) else [("→ ", "accent")]
    words = f"changes the recipe: {proposal.words}" if can_take(found) else proposal.words
    return [[*key, (words, "text")]]


def can_take(found: api.Preflight | None) -> bool:
    """Whether there is a proposal that fits."""
    proposal = None if found is None else found.proposal
    return proposal is not None and proposal.fits and bool(proposal.changes)


def _facts(facts: Iterable[tuple[str, str]]) -> list[Paragraph]:
    return [[(f"{name} ".ljust(NAME_CELLS), "dim"), (words, "text")] for name, words in facts if words]
