"""The layers, and the version that goes into the protocol of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

NORMALISATION_VERSION = 1
"""Raise it with every change of a table or a rule that changes what any answer becomes."""

LONGEST_READ = 8_000
"""Characters of an answer that are spelt and read; a combined report has about 600. What is longer than this after the
text layer is left as it is by the other layers, so that hostile text costs no more than long text."""


class Layer(StrEnum):
    """One step of normalisation."""

    TEXT = "text"
    """Unicode forms, case, spaces, dashes, bullets, markdown, marks at the end."""
    SPELLING = "spelling"
    """Misspelt words of the domain."""
    MEANING = "meaning"
    """Synonyms, order of lists, bins, tiers: the canonical form of an answer."""


Layers = frozenset[Layer]

ALL_LAYERS: Layers = frozenset(Layer)
NO_LAYERS: Layers = frozenset()


def layer_names(layers: Iterable[str]) -> tuple[str, ...]:
    """The names of layers, each once and in the order in which they are applied: the form that is stored."""
    given = frozenset(layers)
    return tuple(layer.value for layer in Layer if layer in given)


def layers_named(names: str) -> Layers:
    """Layers from a comma list such as `text,spelling`; an empty string names none.

    Raises:
        KeyError: the first name that is no layer.
    """
    known = {layer.value: layer for layer in Layer}
    return frozenset(known[name.strip()] for name in names.split(",") if name.strip())
