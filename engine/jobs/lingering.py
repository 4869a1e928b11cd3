"""What becomes of a user's processes when they log out: systemd-logind's rules, read and put into words."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass
from pathlib import Path

from engine.jobs.systemd import run_program

CONFIGURATION = (
    "/usr/lib/systemd/logind.conf",
    "/usr/local/lib/systemd/logind.conf",
    "/run/systemd/logind.conf",
    "/etc/systemd/logind.conf",
)
"""Main files, the least important first; each may have a folder NAME.d beside it."""
_ASSIGNMENT = re.compile(r"^\s*KillUserProcesses\s*=\s*(\S+)\s*$", re.MULTILINE | re.IGNORECASE)
_TRUE = ("1", "yes", "y", "true", "t", "on")


@dataclass(frozen=True, slots=True)
class Logind:
    """The rules for one user."""

    lingers: bool | None
    """The user's service manager runs from boot on, whether or not they are logged in; None: logind does not answer."""
    kills: bool
    """`KillUserProcesses=yes`: what a login session has started is killed when it ends."""


def logind(root: Path = Path("/")) -> Logind:
    """Ask logind; `root` is where its configuration lies (a test gives another)."""
    code, said = run_program(["loginctl", "show-user", getpass.getuser(), "--property=Linger"])
    lingers = said.strip() == "Linger=yes" if code == 0 else _linger_file(root)
    return Logind(lingers, kills_user_processes(root))


def _linger_file(root: Path) -> bool | None:
    """For a user who is not logged in loginctl fails; that one lingers stands in a file."""
    folder = root / "var/lib/systemd/linger"
    try:
        return (folder / getpass.getuser()).exists() or (False if folder.is_dir() else None)
    except OSError:
        return None


def kills_user_processes(root: Path = Path("/")) -> bool:
    """Whether logind ends what a session has left behind; what it does by itself (no) where nothing is set."""
    files = [root / name.lstrip("/") for name in CONFIGURATION]
    drop_ins = {path.name: path for file in files for path in sorted(file.with_name(file.name + ".d").glob("*.conf"))}
    # One main file counts, the most important one that is there; then all drop-ins by name.
    main = next((file for file in reversed(files) if file.is_file()), None)
    found = "no"
    for path in ([main] if main else []) + [drop_ins[name] for name in sorted(drop_ins)]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found = next(reversed(_ASSIGNMENT.findall(text)), found)
    return found.lower() in _TRUE


def what_logout_does(rules: Logind, *, installed: bool) -> tuple[bool, str, str]:
    """Whether jobs outlive a logout, that in words, and the step that mends it.

    Args:
        rules: of logind.
        installed: whether the worker is kept by a systemd user unit.
    """
    enable = "loginctl enable-linger"
    if installed:
        if rules.lingers is None:
            return True, "a unit keeps the worker; whether you linger cannot be told: logind does not answer", ""
        if rules.lingers:
            return True, "a unit keeps the worker, and you linger: jobs outlive a logout, the worker starts at boot", ""
        return (
            False,
            "a unit keeps the worker, but you do not linger: at your last logout the worker and its jobs are ended",
            f"{enable} (asks an administrator where the machine's rules want one: sudo {enable} {getpass.getuser()})",
        )
    if rules.kills:
        return (
            False,
            "logind has KillUserProcesses=yes: what you start in a session is killed at logout, jobs too",
            f"sonotune worker --install, then {enable}: its jobs belong to no session",
        )
    return True, "jobs outlive a logout (KillUserProcesses=no)", ""
