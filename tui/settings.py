"""What the user has set for the screens: keys, theme, how images are drawn; and what the screens remember.

Settings are a TOML file that only the user writes: `$SONOTUNE_CONFIG`, else `$XDG_CONFIG_HOME/sonotune/config.toml`.
What the program remembers (the theme chosen last) is a JSON file under `$XDG_STATE_HOME/sonotune`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.api import SonotuneError
from engine.api import settings_file as settings_file
from tui.themes import CONTRAST, DARK, LIGHT

THEMES = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST}
IMAGES = ("cells", "kitty", "sixel")
GLYPHS = ("auto", "braille", "block")


@dataclass(frozen=True, slots=True)
class Settings:
    """Values of the settings file; each has a default, so that the file may be absent."""

    theme: str = DARK
    images: str = "cells"
    """`kitty` and `sixel` draw real pixels; never tried unless asked for, because a terminal may not know them."""
    glyphs: str = "auto"
    """`block` draws charts without braille; auto does so where TERM is linux."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys by binding id, as in `"runs.open" = "enter,o"`."""
    problems: tuple[str, ...] = ()
    """What could not be used, in words."""


def state_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the screens remember what was chosen last."""
    return _folder(environment, "XDG_STATE_HOME", ".local/state") / "state.json"


def _folder(environment: Mapping[str, str], variable: str, default: str) -> Path:
    home = Path(environment.get("HOME") or "~").expanduser()
    return Path(environment.get(variable) or home / default) / "sonotune"


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file; whatever cannot be used is left at its default and named in `problems`."""
    file = settings_file(environment)
    remembered = _remembered(environment)
    try:
        content = _toml(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings(theme=remembered)
    except (OSError, ValueError) as error:  # no UTF-8 and no TOML are both ValueErrors
        return Settings(theme=remembered, problems=(f"{file}: {error}",))
    return _settings(content, remembered)


def _toml(text: str) -> dict[str, Any]:
    import tomllib  # most users have no such file, and the first paint is waiting

    return tomllib.loads(text)


def _settings(content: Mapping[str, Any], remembered: str) -> Settings:
    # [notify] is the worker's (`engine.jobs.notify_settings`).
    known = ("theme", "images", "glyphs", "keys", "notify")
    problems = [f"unknown setting {key}" for key in content if key not in known]

    def choice(key: str, allowed: tuple[str, ...], default: str) -> str:
        value = content.get(key, default)
        if value in allowed:
            return str(value)
        problems.append(f"{key} = {value!r}: choose {', '.join(allowed)}")
        return default

    theme = THEMES[choice("theme", tuple(THEMES), "dark")] if "theme" in content else remembered
    images, glyphs = choice("images", IMAGES, "cells"), choice("glyphs", GLYPHS, "auto")
    keys, wrong = _keys(content.get("keys", {}))
    return Settings(theme=theme, images=images, glyphs=glyphs, keys=keys, problems=(*problems, *wrong))


def _keys(table: object) -> tuple[dict[str, str], list[str]]:
    """Keys that can be used, and what is wrong with the others; see also `tui.keys`."""
    if not isinstance(table, dict):
        return {}, ['[keys] holds lines such as "runs.open" = "o"']
    keys, problems = {}, []
    # "runs.open" without quotes is a table in TOML, and means the same here.
    flat = {
        f"{group}.{name}": key
        for group, names in table.items()
        if isinstance(names, dict)
        for name, key in names.items()
    }
    for name, key in {**{name: key for name, key in table.items() if not isinstance(key, dict)}, **flat}.items():
        if isinstance(key, str) and key.strip():
            keys[name] = key
        else:
            problems.append(f'[keys] {name} = {key!r}: write a key, such as "o" or "ctrl+o,f5"')
    return keys, problems


def _remembered(environment: Mapping[str, str]) -> str:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        text = state_file(environment).read_text(encoding="utf-8")
        import json  # as above

        theme = json.loads(text).get("theme")
        if theme in THEMES.values():
            return str(theme)
    return DARK


def remember_theme(theme: str, environment: Mapping[str, str] = os.environ) -> None:
    """Keep the theme for the next start.

    Raises:
        SonotuneError: the folder cannot be written; the theme then holds for this session.
    """
    import json

    file = state_file(environment)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"theme": theme}) + "\n", encoding="utf-8")
    except OSError as error:
        reason, step = f"{file}: {error.strerror or error}.", f"Set `theme` in {settings_file(environment)}."
        raise SonotuneError("The theme is not kept for the next start", reason, step) from error
