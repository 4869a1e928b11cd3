"""Where `sonotune` begins: the workbench for words that are only global options, the other commands for all others.

The workbench must paint within half a second, so nothing here imports typer, rich or a sub-command before it is known
that they are needed.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UsageError
from engine.private_files import keep_files_private
from engine.workspace import Workspace

_WORKSPACE = "--workspace"
_CANNOT_MOVE_THE_CURSOR = ("", "dumb", "unknown")
"""Values of TERM that promise nothing but lines."""


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What may stand before a sub-command."""

    workspace: Path | None = None
    debug: bool = False


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit: 0 done, 1 failed, 2 bad usage, 128 + n ended by signal n."""
    keep_files_private()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    options = global_options(arguments)
    why_not = "" if options is None else why_no_screens()
    if options is not None and not why_not:
        try:
            return _open_workbench(options)
        except Exception as error:  # noqa: BLE001 - told below, as those of all commands are
            from engine.cli.app import tell_error

            return tell_error(error, debug=options.debug)
    from engine.cli import app

    code = app.run(arguments)
    if why_not and code == 0:
        from engine.cli.console import say

        say(why_not)
    return code


def global_options(arguments: Sequence[str]) -> GlobalOptions | None:
    """The options, where there is nothing else; None where typer has to judge: a sub-command, --help, a mistake."""
    workspace, debug = None, False
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--debug":
            debug = True
        elif word in (_WORKSPACE, "-w") and rest:
            workspace = Path(rest.pop(0))
        elif word.startswith(f"{_WORKSPACE}="):
            workspace = Path(word.partition("=")[2])
        else:
            return None
    return GlobalOptions(workspace, debug)


def why_no_screens(environment: Mapping[str, str] = os.environ) -> str:
    """Why this terminal cannot show the workbench, and what to do; "" where it can."""
    if not (_is_terminal(sys.stdin) and _is_terminal(sys.stdout)):
        return (
            "This is the plain overview, because input or output is no terminal; `sonotune` on one opens the workbench."
        )
    kind = environment.get("TERM", "")
    if kind in _CANNOT_MOVE_THE_CURSOR:
        named = f"TERM={kind}" if kind else "TERM is not set, so it"
        return (
            f"{named} promises no screen: set TERM to what your terminal is, such as xterm-256color, for the workbench."
        )
    encoding = _encoding(environment)
    if encoding.lower().replace("-", "").replace("_", "") != "utf8":
        return f"The locale's encoding is {encoding}: the workbench needs UTF-8, such as LC_ALL=C.UTF-8."
    return ""


def _is_terminal(stream: object) -> bool:
    """Whether a standard stream is a terminal; a closed one is None or raises, and is none."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def _encoding(environment: Mapping[str, str]) -> str:
    """The encoding that the user's locale names, else the one that Python writes in.

    Python writes UTF-8 where the locale names no encoding (C, POSIX), and terminals of today mean it too.
    """
    value = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    return value.partition(".")[2].partition("@")[0] or sys.__stdout__.encoding  # type: ignore[union-attr]


def existing_workspace(given: Path | None) -> Workspace:
    """The workspace that the user means.

    Raises:
        UsageError: its folder does not exist.
    """
    found = Workspace.find(given)
    if not found.root.is_dir():
        raise UsageError(f"There is no folder {found.root}", next_step="Check --workspace, or launch something there.")
    return found


def _open_workbench(options: GlobalOptions) -> int:
    """The only place of the command line that knows the screens."""
    workspace = existing_workspace(options.workspace)
    gc.disable()  # until the first paint: of so many imports nothing is garbage, and looking for it takes a while
    from tui.app import run as open_screens

    return open_screens(workspace, debug=options.debug)
