"""Leaving a workspace alone: the systemd unit that keeps its worker, and what a logout would do to its jobs."""

from __future__ import annotations

import getpass
import sys

from engine.errors import JobError, StoreError
from engine.jobs.lingering import logind, what_logout_does
from engine.jobs.notify_settings import notify_settings
from engine.jobs.pausing import pause_notice
from engine.jobs.systemd import (
    UnitStatus,
    manager_answers,
    remove_unit,
    systemctl,
    unit_name,
    unit_status,
    write_unit,
)
from engine.jobs.worker import stop_worker
from engine.text import one_line
from engine.workspace import Workspace


def install_unit(workspace: Workspace, *, resume: bool = False, start: bool = True) -> list[str]:
    """Write the workspace's unit, enable and start it where the user's service manager answers.

    A worker that was started for a launch makes room; its jobs go on and are taken over.

    Args:
        workspace: whose worker is to be kept.
        resume: queue again what died without a word.
        start: False only writes the unit.

    Returns:
        What was done, what is left to do, and whether jobs outlive a logout now: a sentence a line.

    Raises:
        JobError: not on Linux, the unit cannot be written, or systemd refuses it.
    """
    if not sys.platform.startswith("linux"):
        raise JobError("systemd is Linux's", next_step="Start `sonotune worker` by what this system has instead.")
    workspace.root.mkdir(parents=True, exist_ok=True)
    file, name = write_unit(workspace, resume=resume), unit_name(workspace)
    lines = [f"Written: {file}"]
    if start and manager_answers():
        stop_worker(workspace)
        for words in (("daemon-reload",), ("enable", name), ("restart", name)):
            said = systemctl(*words)
            if said:
                step = f"`systemctl --user status {name}` tells more."
                raise JobError(f"systemd refuses: systemctl --user {' '.join(words)}", one_line(said), step)
        lines.append(f"{name} is enabled and runs: `systemctl --user status {name}`, `sonotune worker --status`.")
    else:
        why = "Not started." if not start else "Your service manager does not answer here."
        commands = f"systemctl --user daemon-reload; systemctl --user enable --now {name}"
        lines.append(f"{why} In a login session: {commands}")
    return [*lines, *logout_words(installed=True)]


def logout_words(*, installed: bool) -> list[str]:
    """Whether jobs outlive a logout and how to mend that, a sentence a line."""
    good, words, mend = what_logout_does(logind(), installed=installed)
    lines = [f"At logout: {words}."]
    if installed:
        lines.append(
            f"Lingering (`loginctl enable-linger {getpass.getuser()}`) starts your service manager at boot and keeps "
            "it after you have logged out; without it the unit lives from login to logout."
        )
    return lines if good else [*lines, f"To mend it: {mend}."]


def uninstall_unit(workspace: Workspace) -> list[str]:
    """Stop and remove the workspace's unit; its jobs go on, and the next launch starts a worker as before.

    Raises:
        JobError: its file cannot be removed.
    """
    name = unit_name(workspace)
    unit = unit_status(workspace)
    if not unit.installed:
        return [f"No unit is installed for {workspace.root}."]
    said = systemctl("disable", "--now", name) if unit.manager else ""
    remove_unit(workspace)
    if unit.manager:
        systemctl("daemon-reload")
    left = f" systemd said: {one_line(said)}" if said else ""
    return [f"{name} is stopped and removed; running jobs go on.{left}"]


def stop_unattended(workspace: Workspace) -> str:
    """End the worker, and the unit that would start it again; running jobs go on. Says what was done.

    Raises:
        JobError: it did not end in time.
    """
    unit = unit_status(workspace)
    kept = unit.active in ("active", "activating", "reloading")
    if kept and (said := systemctl("stop", unit.name)):
        raise JobError(f"systemd does not stop {unit.name}", one_line(said))
    ended = stop_worker(workspace) or kept
    if not ended:
        return "No worker ran here."
    again = (
        f" Its unit starts it again at your next login: `systemctl --user start {unit.name}` at once." if kept else ""
    )
    return f"The worker has ended; running jobs go on.{again}"


def unit_words(unit: UnitStatus) -> str:
    """Whether a unit keeps the worker, in a sentence; "" where none is installed."""
    if not unit.installed:
        return ""
    if not unit.manager:
        return f"{unit.name} is installed; your service manager does not answer here."
    return f"{unit.name} is {unit.active or 'unknown'}, {'enabled' if unit.enabled else 'not enabled'}."


def pause_notice_or_none(workspace: Workspace) -> str:
    """The queue's pause in a sentence; what keeps it from being read, where a worker's trouble is asked about."""
    try:
        return pause_notice(workspace)
    except StoreError as error:
        return one_line(error)


def unattended_findings(workspace: Workspace) -> list[tuple[str, bool, str, str]]:
    """For the doctor: name, whether it is good, what was found, what mends it."""
    findings = []
    settings = notify_settings(workspace)
    told = f"told of {', '.join(sorted(settings.on))}" if settings.command else "no command is set ([notify])"
    detail = one_line("; ".join(settings.problems)) or told
    findings.append(("notifications", not settings.problems, detail, "mend the file" if settings.problems else ""))
    if sys.platform.startswith("linux"):
        unit = unit_status(workspace)
        findings.append(("logout", *what_logout_does(logind(), installed=unit.installed)))
        if unit.installed and unit.manager and unit.active != "active":
            mend = f"systemctl --user restart {unit.name}"
            findings.append(("worker unit", False, unit_words(unit), mend))
    return findings
