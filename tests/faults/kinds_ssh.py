"""A run that is started over SSH in the workbench, whose connection is then cut: it goes on, and is found again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from harness import Case, Kind
from light_world import RIGHT_WITHIN_SECONDS
from pty_helpers import BARE, Terminal, sonotune
from real_template import recipe_of
from real_world import BUSY_SECONDS, RealWorld, slower
from ssh_server import Link, SshServer, missing

from engine.recipe import recipe_to_toml
from engine.types import State

SLOW = slower(1.5)
"""The run still goes on when the user has come back."""
AT_ONCE_SECONDS = 20.0


class Connections:
    """What a user does over SSH in one try."""

    def __init__(self, world: RealWorld, server: SshServer) -> None:
        self.world, self.server = world, server
        self.link = Link(server.port)

    def words(self, *words: str) -> list[str]:
        """`sonotune` on the server, in the environment of the try."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("FAULTS", "SONOTUNE", "PYTHON", "OMP"))
        }
        settings = {**BARE, **kept}
        return [
            "env",
            *(f"{name}={value}" for name, value in settings.items() if value is not None),
            *sonotune(self.world.workspace.root, *words),
        ]

    def workbench(self) -> Terminal:
        """`ssh -t HOST sonotune` on a terminal of its own."""
        return Terminal(self.server.client(self.words(), terminal=True, port=self.link.port), size=(120, 40))

    def reconnect(self) -> None:
        """Another link, where the first one is frozen."""
        self.link.close()
        self.link = Link(self.server.port)

    def workbenches(self) -> list[int]:
        """Processes of the workbench."""
        return [pid for pid in self.world.pids() if _command(pid)[1:3] == ["-m", "engine.cli"]]


Cut = Callable[[Connections, Terminal], None]


def kill_client(_: Connections, terminal: Terminal) -> None:
    """The laptop's client is killed."""
    terminal.process.send_signal(signal.SIGKILL)


def kill_session(connections: Connections, _: Terminal) -> None:
    """The server's process of the session is killed."""
    for pid in connections.server.sessions():
        os.kill(pid, signal.SIGKILL)


def freeze(connections: Connections, _: Terminal) -> None:
    """Nothing comes through any more, in either direction; the server gives up after some seconds."""
    connections.link.frozen.set()


def cut_by(cut: Cut) -> Callable[[Case], RealWorld]:
    """A try with that way of cutting."""

    def attempt(case: Case) -> RealWorld:
        with RealWorld(case, "one question") as world, SshServer(case.folder / "ssh") as server:
            world.inject(SLOW)
            _preset(world)
            connections = Connections(world, server)
            with connections.workbench() as terminal:
                run = _launched(world, terminal)
                world.until_step(run, case.chance.randint(1, 3))
                cut(connections, terminal)
                at = time.monotonic()
                step = world.row(run).step
                world.until(lambda: not connections.workbenches(), "the workbench has gone", RIGHT_WITHIN_SECONDS)
                world.seen.seconds = time.monotonic() - at
                world.until_step(run, step + 2)
            connections.reconnect()
            _found_again(connections, run)
            world.finish(run)
        return world

    return attempt


def _preset(world: RealWorld) -> None:
    """The preset that the Launch screen begins with is the run of this suite."""
    folder = world.workspace.root / "assets" / "recipes"
    folder.mkdir(parents=True)
    (folder / "demo.toml").write_text(recipe_to_toml(recipe_of(world.variant, world.template.base)))


def _launched(world: RealWorld, terminal: Terminal) -> int:
    """Start a run with the keys of the workbench."""
    terminal.wait_for("Runs", BUSY_SECONDS)
    terminal.type("2")
    terminal.wait_for("no problems", BUSY_SECONDS)
    terminal.type("l")
    world.until(lambda: world.workspace.database.exists() and world.row(1), "the run is queued")
    world.until_state(1, State.RUNNING)
    return 1


def _found_again(connections: Connections, run: int) -> None:
    with connections.workbench() as terminal:
        terminal.wait_for("running", BUSY_SECONDS)
        if connections.world.row(run).state != State.RUNNING:
            connections.world.seen.wrong("the run had ended before the user was back: nothing was shown")
        terminal.type("q")
        terminal.end()


def commands_return(case: Case) -> RealWorld:
    """`ssh HOST sonotune launch ...` and `... worker --detach` return though what they start keeps running."""
    with RealWorld(case, "one question") as world, SshServer(case.folder / "ssh") as server:
        world.inject(SLOW)
        _preset(world)
        connections = Connections(world, server)
        for words in (("launch", "demo", "--no-references"), ("worker", "--detach"), ("runs",)):
            began = time.monotonic()
            command = server.client(connections.words(*words), terminal=False)
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=BUSY_SECONDS, stdin=subprocess.DEVNULL
            )
            if done.returncode or time.monotonic() - began > AT_ONCE_SECONDS:
                world.seen.wrong(
                    f"{words} took {time.monotonic() - began:.0f} s, {done.returncode}: {done.stderr[-500:]}"
                )
        world.finish(1)
    return world


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []


def real(attempt: Callable[[Case], RealWorld]) -> Callable[[Case], object]:
    """What the harness calls."""
    return lambda case: attempt(case).seen


KINDS = (
    Kind("SSH cut: client killed", real(cut_by(kill_client)), full=3, real=True, missing=missing),
    Kind("SSH cut: server's session killed", real(cut_by(kill_session)), full=3, real=True, missing=missing),
    Kind("SSH cut: link frozen", real(cut_by(freeze)), full=3, real=True, missing=missing),
    Kind("SSH commands return at once", real(commands_return), full=1, real=True, missing=missing),
)
