"""A systemd user unit that keeps the worker of a workspace: its text, its file, and asking systemd for it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import engine
from engine.errors import JobError
from engine.files import write_whole
from engine.store.writer_jobs import slug
from engine.user_files import user_folder
from engine.workspace import Workspace

KEPT_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "LD_LIBRARY_PATH",
    "SONOTUNE_CONFIG",
    "XDG_CONFIG_HOME",
)
"""Of the environment at installation, kept in the unit where set: what jobs would miss otherwise. Nothing secret."""
ANSWER_SECONDS = 15.0
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@")


@dataclass(frozen=True, slots=True)
class UnitStatus:
    """Whether a workspace has a unit."""

    name: str
    file: Path
    installed: bool
    manager: bool
    """Whether the user's service manager answers here."""
    active: str = ""
    """As systemd says it: active, inactive, failed ...; "" where nobody answers."""
    enabled: bool = False
    """It starts with the user's manager: at login, and at boot where the user lingers."""


def unit_name(workspace: Workspace) -> str:
    """Name of the unit: for people a part of the folder's name, for machines a hash of its whole path."""
    digest = hashlib.sha256(os.fsencode(workspace.root)).hexdigest()[:8]
    return f"sonotune-{slug(workspace.root.name)}-{digest}.service"


def unit_file(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the unit lies, or would."""
    return user_folder("XDG_CONFIG_HOME", ".config", environment) / "systemd" / "user" / unit_name(workspace)


def unit_text(workspace: Workspace, *, resume: bool, environment: Mapping[str, str] = os.environ) -> str:
    """The unit: a worker that stays, is started again when it ends, and leaves its jobs alone when it goes.

    Raises:
        JobError: the workspace's path cannot stand in a unit.
    """
    root = str(workspace.root)
    if any(ord(character) < 32 or ord(character) == 127 for character in root) or root.endswith(("\\", " ")):
        raise JobError(
            "The workspace's path cannot stand in a unit",
            "It has control characters, or ends with a backslash or a blank.",
            "Rename the folder.",
        )
    command = [sys.executable, "-P", "-m", "engine.jobs", "--workspace", root, "--stay"]
    command += ["--resume"] if resume else []
    lines = [
        "# Written by `sonotune worker --install`, removed by `sonotune worker --uninstall`.",
        "[Unit]",
        f"Description=sonotune worker of {_percent(root)}",
        "Documentation=man:systemd.service(5)",
        "StartLimitIntervalSec=0",
        "",
        "[Service]",
        "Type=exec",
        f"ExecStart={' '.join(_word(word) for word in command)}",
        f"WorkingDirectory={_percent(root)}",
        *(f"Environment={_assignment(name, value)}" for name, value in _variables(environment).items()),
        "# Jobs have a session of their own and outlive the worker: only the worker itself is ended.",
        "KillMode=process",
        "# A job that the kernel ends for want of memory is one job, and no reason to stop the worker.",
        "OOMPolicy=continue",
        "Restart=always",
        "RestartSec=5",
        "UMask=0077",
        "",
        "[Install]",
        "WantedBy=default.target",
    ]
    return "\n".join(lines) + "\n"


def _variables(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: environment[name] for name in KEPT_VARIABLES if environment.get(name)}
    root = Path(engine.__file__).resolve().parent.parent
    if root.name not in ("site-packages", "dist-packages"):
        kept["PYTHONPATH"] = str(root)
    return {"PYTHONUNBUFFERED": "1", "PATH": environment.get("PATH", os.defpath), **kept}


def _percent(text: str) -> str:
    """`%` begins a specifier in every value of a unit."""
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """A word in double quotes, as systemd.syntax(7) and systemd.service(5) want it."""
    return '"' + _percent(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _word(text: str) -> str:
    """A word of a command line: there `$` begins a variable, too."""
    return text if set(text) <= _PLAIN else _quoted(text.replace("$", "$$"))


def _assignment(name: str, value: str) -> str:
    return _quoted(f"{name}={value.replace(chr(10), ' ')}")


def write_unit(workspace: Workspace, *, resume: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """Write the unit, whole or not at all, and return its file.

    Raises:
        JobError: it cannot be written.
    """
    file = unit_file(workspace, environment)
    text = unit_text(workspace, resume=resume, environment=environment)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text, errors="surrogateescape")
    except OSError as error:
        raise JobError(
            "The unit cannot be written", f"{file}: {error.strerror or error}.", "Check the folder's permissions."
        ) from error
    return file


def remove_unit(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> bool:
    """Remove the unit's file; False where there is none.

    Raises:
        JobError: it cannot be removed.
    """
    file = unit_file(workspace, environment)
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise JobError("The unit cannot be removed", f"{file}: {error.strerror or error}.") from error
    return True


def unit_status(workspace: Workspace, environment: Mapping[str, str] = os.environ) -> UnitStatus:
    """Whether the workspace's worker is kept by a unit; asks systemd only where one is installed."""
    file, name = unit_file(workspace, environment), unit_name(workspace)
    if not file.exists():
        return UnitStatus(name, file, installed=False, manager=False)
    if not manager_answers():
        return UnitStatus(name, file, installed=True, manager=False)
    active = _systemctl("is-active", name)[1].strip()
    enabled = _systemctl("is-enabled", name)[1].strip() == "enabled"
    return UnitStatus(name, file, installed=True, manager=True, active=active, enabled=enabled)


def manager_answers() -> bool:
    """Whether the user's service manager can be asked from here: not in most containers, nor after plain `su`."""
    return _systemctl("show-environment")[0] == 0


def systemctl(*words: str) -> str:
    """Run `systemctl --user ...`; "" where it worked, else what it said (untrusted text)."""
    code, said = _systemctl(*words)
    return "" if code == 0 else said.strip() or f"exit code {code}"


def _systemctl(*words: str) -> tuple[int, str]:
    return run_program(["systemctl", "--user", *words])


def run_program(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and output of a small program; 127 where it is not there, 124 where it does not answer."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 124, f"{command[0]} did not answer within {ANSWER_SECONDS:.0f} s"
    except OSError as error:
        return 127, f"{command[0]}: {error.strerror or error}"
    return done.returncode, done.stdout + done.stderr
