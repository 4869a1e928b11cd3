"""All fuzz targets, by name. A module is loaded when its target is asked for: each takes a second."""

from __future__ import annotations

from importlib import import_module

from fuzzing import Target

NAMES = ("importers", "recipes", "filters", "answers", "predictions", "terminal")
"""Modules `fuzz_NAME.py`."""
TITLES = {
    "importers": "importers, split files",
    "recipes": "recipes, studies, --set",
    "filters": "filter language, its SQL",
    "answers": "parsers of answers",
    "predictions": "predictions of other tools",
    "terminal": "text on its way to a terminal",
}


def target(name: str) -> Target:
    """One target."""
    found: Target = import_module(f"fuzz_{name}").TARGET
    return found
