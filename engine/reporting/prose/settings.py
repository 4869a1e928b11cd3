"""How the runs were trained: what they have in common in sentences, what differs between them as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.formatting import UNKNOWN
from engine.reporting.model import Report
from engine.reporting.names import listed
from engine.reporting.subject import Subject
from engine.text import one_line

PLACES = {
    "lora.vision": "the vision tower",
    "lora.language": "the language layers",
    "lora.attention": "attention projections",
    "lora.mlp": "feed-forward projections",
}
NOT_SETTINGS = ("name", "description")


def trained(report: Report) -> list[Subject]:
    """The runs of which a recipe is known."""
    return [run for run in report.runs if run.setup is not None and run.setup.recipe]


def common_settings(runs: Sequence[Subject]) -> dict[str, Any]:
    """Values by dotted key that all of these runs share."""
    recipes = [run.setup.recipe for run in runs if run.setup is not None]
    if not recipes:
        return {}
    return {
        key: value
        for key, value in recipes[0].items()
        if key not in NOT_SETTINGS and all(key in other and other[key] == value for other in recipes[1:])
    }


def differing_settings(runs: Sequence[Subject]) -> list[tuple[str, list[str]]]:
    """(dotted key, value of each run) of everything in which the recipes differ."""
    recipes = [run.setup.recipe for run in runs if run.setup is not None]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe if key not in NOT_SETTINGS)
    rows = [(key, [setting(recipe.get(key)) for recipe in recipes]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def setting(value: Any) -> str:
    """A value of a recipe as people read it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(setting(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else one_line(value)


def training_sentences(common: Mapping[str, Any]) -> list[str]:
    """What all runs share, as sentences; a sentence whose values differ or are not known is left out."""
    sentences = [
        _adapters(common),
        _places(common),
        _said(
            common,
            "Optimiser: AdamW, learning rate {training.learning_rate} with a {training.schedule} schedule after a "
            "warmup of {training.warmup} of the steps, weight decay {training.weight_decay}, gradients clipped to "
            "norm {training.max_grad_norm}.",
        ),
        _length(common),
        _said(
            common, "Each step took {training.batch} x {training.accumulation} samples (micro-batch x accumulation)."
        ),
        _said(common, "The images were shown with a longest side of {data.image_size} px."),
        _said(common, "Questions trained: {data.questions}, in the wording “{data.prompt}”."),
        _said(common, "Class balance: {data.balance}. Augmentation: {data.augment}."),
        _limit(common),
        "The loss was taken over the tokens of the answer alone.",
    ]
    return [sentence for sentence in sentences if sentence]


def _adapters(common: Mapping[str, Any]) -> str:
    parts = [
        _said(common, f"{word} {{lora.{key}}}")
        for key, word in (("r", "rank"), ("alpha", "alpha"), ("dropout", "dropout"))
    ]
    said = listed(part for part in parts if part)
    return f"Low-rank adapters (LoRA){f' with {said}' if said else ''} were trained; the base stayed frozen."


def _said(common: Mapping[str, Any], template: str) -> str:
    """The template with the values of its keys; nothing where one of them is not shared by all."""
    keys = [part.split("}")[0] for part in template.split("{")[1:]]
    if not all(key in common for key in keys):
        return ""
    for key in keys:
        template = template.replace(f"{{{key}}}", setting(common[key]), 1)
    return template


def _places(common: Mapping[str, Any]) -> str:
    if not all(key in common for key in PLACES):
        return ""
    used = [words for key, words in PLACES.items() if common[key] is True]
    left = [words for key, words in PLACES.items() if common[key] is not True]
    return f"Adapted: {listed(used) or 'nothing'}{f'; not adapted: {listed(left)}' if left else ''}."


def _length(common: Mapping[str, Any]) -> str:
    if common.get("training.max_steps"):
        return _said(common, "Training took at most {training.max_steps} optimiser steps.")
    return _said(common, "Training took {training.epochs} epochs.")


def _limit(common: Mapping[str, Any]) -> str:
    if common.get("data.limit"):
        return _said(
            common, "Training used {data.limit} images of the training split, drawn by view and verdict in proportion."
        )
    return "Training used all images of the training split." if "data.limit" in common else ""
