"""How texts are read: with the layers of normalisation that a protocol names, and with all where nobody names any."""

from __future__ import annotations

from functools import partial

from engine.questions.answers import keywords
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.parsers.gestational_age import bin_index
from engine.scoring.measures import Readers

DEFAULT = Readers(keywords, bin_index)


def readers_with(layers: Layers) -> Readers:
    """The readers of `engine.questions`, with some layers of normalisation alone."""
    return DEFAULT if layers == ALL_LAYERS else Readers(partial(keywords, layers=layers), bin_index)


def readers_or_default(readers: Readers | None) -> Readers:
    """The given readers, or those of `engine.questions`."""
    return DEFAULT if readers is None else readers
