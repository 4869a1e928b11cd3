"""Study files from disk: whole and valid, or one error that names every fault."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from engine.errors import StudyError
from engine.recipe.text import clean, shown
from engine.study.models import Study
from engine.study.rules import study_problems
from engine.text import one_line

LARGEST_FILE = 64_000
"""Bytes; a larger file is no study."""


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A study with the text that it was read from."""

    study: Study
    text: str
    """TOML, as the user wrote it."""
    path: Path


def load_study(path: Path) -> StudyFile:
    """The study in a TOML file.

    Raises:
        StudyError: the file cannot be read, or with all of its problems together.
    """
    source = str(path)
    try:
        if path.is_file() and path.stat().st_size > LARGEST_FILE:
            raise StudyError(source, [f"larger than {LARGEST_FILE} bytes: this is no study"])
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise StudyError(source, [f"cannot be read: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise StudyError(source, ["not UTF-8 text"]) from error
    return StudyFile(parse_study(text, source), text, path)


def parse_study(text: str, source: str) -> Study:
    """The study in TOML text.

    Raises:
        StudyError: with all problems together.
    """
    try:
        mapping = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StudyError(source, [f"TOML syntax: {error}"]) from error
    try:
        study = Study.model_validate(_flattened(mapping))
    except ValidationError as error:
        raise StudyError(source, [_line(detail) for detail in error.errors()]) from error
    problems = study_problems(study)
    if problems:
        raise StudyError(source, [one_line(problem) for problem in problems])  # they quote the file's own words
    return study


def _flattened(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """The file with recipe keys dotted, however they were nested, and arms without `set` read as their keys.

    `[arms.x]` with `"data.balance" = "synthetic"` is the short form of `[arms.x.set]`.
    """
    changed = dict(mapping)
    changed["arms"] = _arms(mapping.get("arms", {}))
    scales = mapping.get("scales", {})
    if isinstance(scales, dict):
        changed["scales"] = {name: _scale(scale) for name, scale in scales.items()}
    return changed


def _scale(scale: Any) -> Any:
    if not isinstance(scale, dict):
        return scale
    changed = dict(scale)
    if "set" in scale:
        changed["set"] = _dotted(scale["set"])
    if "arms" in scale:
        changed["arms"] = _arms(scale["arms"])
    return changed


def _arms(arms: Any) -> Any:
    if not isinstance(arms, dict):
        return arms
    found = {}
    for name, arm in arms.items():
        if not isinstance(arm, dict):
            found[name] = arm
            continue
        short = {key: value for key, value in arm.items() if "." in key}
        rest = {key: value for key, value in arm.items() if "." not in key}
        if short or "set" in rest:
            given = rest.get("set", {})
            rest["set"] = {**_dotted(given), **short} if isinstance(given, dict) else given
        found[name] = rest
    return found


def _dotted(values: Any, prefix: str = "") -> Any:
    if not isinstance(values, dict):
        return values
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and not prefix:
            found.update(_dotted(value, f"{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def _line(detail: ErrorDetails) -> str:
    place = ".".join(clean(str(part)) for part in detail["loc"]) or "file"
    if detail["type"] == "missing":
        return f"{place}: missing"
    if detail["type"] == "extra_forbidden":
        return f"{place}: unknown key"
    return f"{place}: found {shown(detail['input'])}; {detail['msg']}"
