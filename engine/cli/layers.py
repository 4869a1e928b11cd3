"""Layers of normalisation as they are named on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.errors import UsageError
from engine.questions.normalise.layers import Layer, Layers, layers_named
from engine.text import one_line

NONE = "none"
HELP = f"Layers that answers go through before they are compared: {', '.join(Layer)}; or {NONE}."

Normalisation = Annotated[str | None, typer.Option("--normalisation", help=f"{HELP} [default: all or the recipe's].")]


def layers_from(text: str | None, option: str = "--normalisation") -> Layers | None:
    """The layers of a comma list; none of them for `none`, and None where nothing was given.

    Raises:
        UsageError: a layer does not exist, or the list is empty.
    """
    if text is None:
        return None
    step = f"Choose any of {', '.join(Layer)}, with commas; or {NONE}."
    if not text.strip(" ,"):
        raise UsageError(f"{option} names no layer", next_step=step)
    if text.strip() == NONE:
        return frozenset()
    try:
        return layers_named(text)
    except KeyError as error:
        raise UsageError(f"There is no layer of normalisation {one_line(error.args[0])}", next_step=step) from None
