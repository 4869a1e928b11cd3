"""The file in which a user sets things for all workspaces. Never inside one: who opens somebody else's workspace must
not run what that somebody has written there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the settings file lies, or would: `$SONOTUNE_CONFIG`, else `$XDG_CONFIG_HOME/sonotune/config.toml`."""
    if chosen := environment.get("SONOTUNE_CONFIG"):
        return Path(chosen).expanduser()
    return user_folder("XDG_CONFIG_HOME", ".config", environment) / "sonotune" / "config.toml"


def user_folder(variable: str, default: str, environment: Mapping[str, str] = os.environ) -> Path:
    """A folder of the XDG base directory specification; `default` is relative to the home folder."""
    home = Path(environment.get("HOME") or "~").expanduser()
    return Path(environment.get(variable) or home / default)
