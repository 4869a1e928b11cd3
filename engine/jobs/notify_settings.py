"""What a user wants to be told of, and by which command: the section `[notify]` of the user's settings file.

    [notify]
    command = "notify-send 'sonotune'"
    on = ["failed", "interrupted", "stalled", "low disk"]

The file is the user's own and trusted as such: one that others may write to, or that lies in a workspace, is refused.
"""

from __future__ import annotations

import os
import shlex
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.user_files import settings_file
from engine.workspace import Workspace

OCCASIONS = (
    "succeeded",
    "failed",
    "interrupted",
    "cancelled",
    "stalled",
    "low disk",
    "queue finished",
)
"""Words that `on` may hold."""
DEFAULT_ON = ("failed", "interrupted", "succeeded", "stalled", "low disk", "queue finished")
LARGEST_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """The section, as far as it can be used."""

    command: tuple[str, ...] = ()
    """Program and arguments; empty where nobody is to be told."""
    on: frozenset[str] = frozenset(DEFAULT_ON)
    problems: tuple[str, ...] = ()
    """What could not be used, in words."""


def notify_settings(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> NotifySettings:
    """The section `[notify]`; other sections of the file are none of this module's business.

    Args:
        workspace: that the settings are used for: a file inside of it is refused.
        environment: names the file.
    """
    file = settings_file(environment)
    try:
        text = _trusted_text(file, workspace)
        section = tomllib.loads(text).get("notify", {}) if text else {}
    except (OSError, ValueError) as error:  # no UTF-8 and no TOML are both ValueErrors
        return NotifySettings(problems=(f"{file}: {error}",))
    if not isinstance(section, dict):
        return NotifySettings(problems=(f"{file}: [notify] is a section",))
    command, problems = _command(section.get("command", ""))
    on, wrong = _on(section.get("on", DEFAULT_ON))
    unknown = [f"[notify] knows no key {key}" for key in section if key not in ("command", "on")]
    return NotifySettings(command, on, tuple(f"{file}: {problem}" for problem in (*problems, *wrong, *unknown)))


def _trusted_text(file: Path, workspace: Workspace) -> str:
    """The file's text; "" where there is none.

    Raises:
        ValueError: it cannot be trusted to be the user's own.
    """
    real = file.resolve()
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, encoding="utf-8") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE:
            raise ValueError("it is no file of settings")
        text = stream.read()
    if "notify" not in text:
        return ""  # then nothing is run, whoever wrote it
    if real.is_relative_to(workspace.root.resolve()):
        raise ValueError("[notify] is not read from inside a workspace: keep the file elsewhere")
    if found.st_uid not in (os.getuid(), 0):
        raise ValueError("[notify] is not read: the file belongs to another user")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(f"[notify] is not read, because others may write to the file: chmod go-w {file}")
    return text


def _command(given: object) -> tuple[tuple[str, ...], list[str]]:
    if isinstance(given, list) and all(isinstance(word, str) for word in given):
        words = [str(word) for word in given]
    elif isinstance(given, str):
        try:
            words = shlex.split(given)
        except ValueError as error:
            return (), [f"[notify] command: {error}"]
    else:
        return (), ["[notify] command is a text, or a list of texts"]
    if any("\0" in word for word in words):
        return (), ["[notify] command holds a NUL character"]
    return tuple(words), []


def _on(given: object) -> tuple[frozenset[str], list[str]]:
    words = given if isinstance(given, (list, tuple)) else [given]
    known = frozenset(word for word in words if isinstance(word, str) and word in OCCASIONS)
    wrong = [word for word in words if word not in OCCASIONS]
    return known, [f"[notify] on: {word!r} is none of {', '.join(OCCASIONS)}" for word in wrong]
