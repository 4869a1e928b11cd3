"""Factors without a fit: those of the measurements that come with sonotune are fitted once, and come with it as well.

So an estimate needs neither numpy nor scipy before something was measured in the workspace. `python -m
engine.preflight.accuracy --factors` writes the file anew; a test holds that it is what a fit finds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, lru_cache
from pathlib import Path

from engine.errors import DataError
from engine.preflight.calibration import Calibration, calibrate, calibration_words, card_key, is_of, latest
from engine.preflight.coefficients import DEFAULTS, Coefficients
from engine.preflight.models import Measured
from engine.preflight.rows import shipped_rows

FACTORS = Path("assets") / "memory-factors.json"
"""Below the repository: factors by backend, then by card as `card_key` writes it."""
ANY_CARD = ""
"""Stands for all cards that no measurement comes with."""
Factors = Mapping[str, Mapping[str, Coefficients]]


def calibration_of(measured: Sequence[Measured], card: str, backend: str) -> Calibration:
    """Factors for a card and a backend: of the file, or fitted where the workspace has measurements of its own.

    Args:
        measured: what was measured in the workspace, on whatever card.
        card: its name.
        backend: `unsloth` or `transformers`.

    Raises:
        DataError: a file that comes with sonotune is damaged.
    """
    ours = tuple(row for row in measured if row.layout.backend == backend)
    shipped = tuple(row for row in shipped_rows() if row.layout.backend == backend)
    known = shipped_factors().get(backend, {})
    factors = known.get(card_key(card), known.get(ANY_CARD))
    if ours or factors is None or not shipped:
        return _calibrated(ours, shipped, card, backend)
    rows = latest(shipped)
    peaks = tuple(row.reserved_peak for row in rows if is_of(row, card))
    return Calibration(replace(factors, peaks=peaks), calibration_words(rows, (), card))


@lru_cache(maxsize=8)
def _calibrated(measured: tuple[Measured, ...], shipped: tuple[Measured, ...], card: str, backend: str) -> Calibration:
    """A form in which recipes are tried asks with every key, and mostly the same."""
    return calibrate(measured, card, backend, shipped=shipped)


@cache
def shipped_factors() -> Factors:
    """What the file says; nothing where it is missing, as in an installation without assets.

    Raises:
        DataError: it is damaged.
    """
    from engine.training.model_files import repository_root

    file = repository_root() / FACTORS
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_bytes())
        return {
            backend: {card: Coefficients(**values) for card, values in cards.items()}
            for backend, cards in content.items()
        }
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"The factors in {file} cannot be read",
            f"{type(error).__name__}: {error}",
            "Restore the file from the repository, or write it anew: python -m engine.preflight.accuracy --factors.",
        ) from error


def fitted_factors(rows: Sequence[Measured]) -> Factors:
    """Factors of each backend, fitted: for each card that was measured, and for any other."""
    found: dict[str, dict[str, Coefficients]] = {}
    for backend in DEFAULTS:
        cards = {card_key(row.card) for row in rows if row.layout.backend == backend}
        found[backend] = {
            card: replace(calibrate((), card, backend, shipped=rows).factors, peaks=())
            for card in (ANY_CARD, *sorted(cards))
        }
    return found


def factors_json(factors: Factors) -> str:
    """The content of the file."""
    content = {
        backend: {
            card: {name: value for name, value in asdict(each).items() if name != "peaks"}
            for card, each in cards.items()
        }
        for backend, cards in factors.items()
    }
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
