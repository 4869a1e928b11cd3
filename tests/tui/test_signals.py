"""Every way in which the workbench can end, on real terminals: the terminal is as it was, and the runs go on."""

from __future__ import annotations

import os
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_helpers import ENTER, LEAVE, Terminal, cpu_seconds, sonotune
from store_helpers import add_run, end_process

from engine.jobs.process import is_alive
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import State
from engine.workspace import Workspace
from tui.screens.registry import TABS

END_SECONDS = 2.0
"""What the guard promises; the rest of a wait is for a busy machine, which ends no process late by itself."""
BUSY_SECONDS = 8.0

PROGRAM = """
import hashlib, os, sys, time
from pathlib import Path
from tui import app
from engine.api import Workspace

workspace = Workspace(Path(sys.argv[1]))
{prepare}
sys.exit(app.run(workspace, debug={debug}))
"""
HELP_DOES = "app.Workbench.action_help = lambda self: {what}"
START_JOB = """
from engine.jobs.process import process_start, spawn_detached
from engine.store.writer import Writer
from engine.types import JobKind, State

job = spawn_detached([sys.executable, "-c", "import time; time.sleep(600)"], workspace.root / "log.txt")
with Writer.open(workspace) as writer:
    start = process_start(job.pid)
    for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
        writer.transition(JobKind.TRAINING, 1, before, after, "test", pid=job.pid, process_start=start)
"""
SHELL = """
import os, signal, sys, termios

for number in (signal.SIGTTOU, signal.SIGTSTP):
    signal.signal(number, signal.SIG_IGN)
ours = termios.tcgetattr(0)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    for number in (signal.SIGTTOU, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
print(f"job {child}", flush=True)
while True:
    status = os.waitpid(child, os.WUNTRACED)[1]
    os.tcsetpgrp(0, os.getpgrp())
    modes = termios.tcgetattr(0)
    termios.tcsetattr(0, termios.TCSADRAIN, ours)
    if not os.WIFSTOPPED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
    print("its own modes" if modes == ours else "raw modes", "stopped$ ", end="", flush=True)
    word = input()
    if word == "fg":
        os.tcsetpgrp(0, child)
    if word == "kill":
        os.killpg(child, signal.SIGTERM)
    os.killpg(child, signal.SIGCONT)
"""
"""A shell with job control, as far as ctrl+z and `fg` need one; it takes a stopped job's terminal as bash does."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    with Writer.open(made) as writer:
        add_run(writer, "first try")
    return made


@pytest.fixture
def job(workspace: Workspace) -> Iterator[list[str]]:
    """The command of a workbench that has started a run of its own, which is then ended."""
    yield program(workspace, START_JOB)
    with Reader(workspace) as reader:
        row = reader.run(1)
    end_process(row.pid, row.process_start)


def program(workspace: Workspace, prepare: str, debug: bool = False) -> list[str]:
    return [sys.executable, "-c", PROGRAM.format(prepare=prepare, debug=debug), str(workspace.root)]


def is_painted(terminal: Terminal) -> bool:
    text = terminal.screen.text()
    return "Runs" in text and "first try" in text and "? help" in text.splitlines()[-1]


def wait_painted(terminal: Terminal) -> None:
    terminal.wait_until(lambda: is_painted(terminal), "the screen is painted")


def wait_counted(terminal: Terminal) -> None:
    """Until the workbench knows of the run: the count in the header is what its last words are made of."""
    terminal.wait_until(lambda: "1 running" in terminal.screen.text().splitlines()[0], "the header counts the run")


def assert_restored(terminal: Terminal) -> None:
    """Every mode was taken back, and after the last time that it was set."""
    assert terminal.is_restored()
    missing = [each for each in LEAVE if each not in terminal.output]
    assert missing == []
    assert all(terminal.output.rindex(off) > terminal.output.rindex(on) for on in ENTER for off in LEAVE)


def job_goes_on(workspace: Workspace) -> bool:
    with Reader(workspace) as reader:
        row = reader.run(1)
    return row.state == State.RUNNING and is_alive(row.pid, row.process_start)


# ----- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_it_the_terminal_is_restored_and_the_run_goes_on(
    workspace: Workspace, job: list[str], number: signal.Signals
) -> None:
    with Terminal(job) as terminal:
        wait_painted(terminal)
        wait_counted(terminal)
        terminal.process.send_signal(number)
        assert terminal.end(BUSY_SECONDS) == 128 + number
        assert_restored(terminal)
        assert terminal.output[-300:].endswith("1 run keeps going; `sonotune` brings you back.\r\n")
        assert "Traceback" not in terminal.output
    assert job_goes_on(workspace)


def test_one_that_takes_long_to_leave_says_its_last_words_all_the_same(workspace: Workspace, job: list[str]) -> None:
    leave_late = "leave = app.Workbench.run\napp.Workbench.run = lambda self: (leave(self), time.sleep(600))"
    job[2] = job[2].replace("sys.exit(app.run", f"{leave_late}\nsys.exit(app.run")
    with Terminal(job) as terminal:
        wait_painted(terminal)
        wait_counted(terminal)
        terminal.process.send_signal(signal.SIGHUP)
        assert terminal.end(BUSY_SECONDS) == 128 + signal.SIGHUP
        assert_restored(terminal)
        assert terminal.output[-300:].endswith("1 run keeps going; `sonotune` brings you back.\r\n")


def test_q_ends_it_and_the_run_goes_on(workspace: Workspace, job: list[str]) -> None:
    with Terminal(job) as terminal:
        wait_painted(terminal)
        wait_counted(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)
        assert "1 run keeps going" in terminal.screen.text()
    assert job_goes_on(workspace)


def test_who_leaves_before_the_first_answer_is_told_of_the_run_all_the_same(
    workspace: Workspace, job: list[str]
) -> None:
    job[2] = job[2].replace("sys.exit(app.run", "app.Workbench._show_overview = lambda *_: None\nsys.exit(app.run")
    with Terminal(job) as terminal:
        wait_painted(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)
        assert "1 run keeps going" in terminal.screen.text()


def test_without_runs_it_leaves_without_a_word(workspace: Workspace) -> None:
    with Terminal(sonotune(workspace.root)) as terminal:
        wait_painted(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)
        assert terminal.screen.text().strip() == ""


@pytest.mark.parametrize("hang", ["time.sleep(600)", "[None for _ in iter(int, 1)]"], ids=["sleeping", "busy"])
def test_a_loop_that_hangs_is_no_excuse(workspace: Workspace, hang: str) -> None:
    command = program(workspace, HELP_DOES.format(what=f"(os.mkdir(workspace.root / 'hung'), {hang})"))
    with Terminal(command) as terminal:
        wait_painted(terminal)
        terminal.type("?")
        terminal.wait_until((workspace.root / "hung").exists, "the loop hangs")
        began = time.monotonic()
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end(BUSY_SECONDS) == 128 + signal.SIGTERM
        assert time.monotonic() - began < BUSY_SECONDS
        assert_restored(terminal)


def test_a_terminal_that_takes_nothing_more_does_not_keep_it(workspace: Workspace) -> None:
    flood = "[self._driver.write('x' * 4096) for _ in iter(int, 1)]"
    with Terminal(program(workspace, HELP_DOES.format(what=flood))) as terminal:
        wait_painted(terminal)
        with terminal.not_reading():
            terminal.type("?")
            terminal.wait_until(terminal.is_full, "nothing more fits into the terminal")
            terminal.process.send_signal(signal.SIGTERM)
            terminal.process.wait(BUSY_SECONDS)
        assert terminal.end() == 128 + signal.SIGTERM
        assert_restored(terminal)


# ----- a terminal that vanishes


@pytest.mark.parametrize("controlling", [True, False], ids=["with SIGHUP", "without SIGHUP"])
def test_a_vanished_terminal_ends_it_quietly_and_the_run_goes_on(
    workspace: Workspace, job: list[str], controlling: bool
) -> None:
    with Terminal(job, controlling=controlling) as terminal:
        wait_painted(terminal)
        wait_counted(terminal)
        before = cpu_seconds(terminal.process.pid)
        terminal.vanish()
        used = before
        while terminal.process.poll() is None:
            used = _cpu_or(terminal.process.pid, used)
            os.sched_yield()
        assert terminal.end(BUSY_SECONDS) == 128 + signal.SIGHUP
        assert used - before < END_SECONDS / 2
    assert job_goes_on(workspace)
    assert not list(workspace.outputs.glob("workbench-error*"))


def _cpu_or(pid: int, last: float) -> float:
    try:
        return cpu_seconds(pid)
    except (OSError, IndexError):  # it has ended meanwhile
        return last


# ----- ctrl+z


def shell(workspace: Workspace) -> list[str]:
    return [sys.executable, "-c", SHELL, *sonotune(workspace.root)]


def job_of_shell(terminal: Terminal) -> int:
    return int(terminal.output.partition("job ")[2].split()[0])


def wait_stopped(terminal: Terminal, after: int, modes: str = "its own modes") -> None:
    terminal.wait_until(lambda: f"{modes} stopped$" in terminal.output[after:], f"stopped, {modes}")


def bring_back(terminal: Terminal) -> None:
    mark = len(terminal.output)
    terminal.screen.clear()
    terminal.type("fg\n")
    terminal.wait_sent(*ENTER, after=mark)
    wait_painted(terminal)


def test_ctrl_z_gives_the_shell_its_terminal_and_fg_paints_again(workspace: Workspace) -> None:
    with Terminal(shell(workspace)) as terminal:
        wait_painted(terminal)
        for _ in range(2):
            mark = len(terminal.output)
            terminal.type("\x1a")
            wait_stopped(terminal, mark)
            assert all(each in terminal.output[mark:] for each in LEAVE)
            bring_back(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)


def test_in_the_background_it_waits_for_fg(workspace: Workspace) -> None:
    with Terminal(shell(workspace)) as terminal:
        wait_painted(terminal)
        terminal.type("\x1a")
        wait_stopped(terminal, 0)
        mark = len(terminal.output)
        terminal.type("bg\n")
        wait_stopped(terminal, mark)
        assert "\x1b" not in terminal.output[mark:]
        bring_back(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)


def test_a_stopped_one_can_be_ended(workspace: Workspace) -> None:
    with Terminal(shell(workspace)) as terminal:
        wait_painted(terminal)
        terminal.type("\x1a")
        wait_stopped(terminal, 0)
        mark = len(terminal.output)
        terminal.type("kill\n")
        assert terminal.end(BUSY_SECONDS) == 128 + signal.SIGTERM
        assert "\x1b[?1049h" not in terminal.output[mark:]
        assert terminal.is_restored()


def test_stopped_from_outside_it_comes_back_too(workspace: Workspace) -> None:
    with Terminal(shell(workspace)) as terminal:
        wait_painted(terminal)
        mark = len(terminal.output)
        os.kill(job_of_shell(terminal), signal.SIGSTOP)
        wait_stopped(terminal, mark, "raw modes")
        bring_back(terminal)
        assert not termios.tcgetattr(terminal.slave)[3] & termios.ECHO
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)


def test_where_no_shell_waits_ctrl_z_does_not_strand_the_user(workspace: Workspace) -> None:
    with Terminal(sonotune(workspace.root)) as terminal:  # leads its session, as in a tmux window of its own
        wait_painted(terminal)
        mark = len(terminal.output)
        terminal.screen.clear()
        terminal.type("\x1a")
        terminal.wait_sent("\x1b[?1049l", *ENTER, after=mark)
        wait_painted(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)


def test_a_sigcont_out_of_the_blue_harms_nothing(workspace: Workspace) -> None:
    with Terminal(sonotune(workspace.root)) as terminal:
        wait_painted(terminal)
        mark = len(terminal.output)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.wait_sent(*ENTER, after=mark)
        wait_painted(terminal)
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)


# ----- the size


def test_every_screen_survives_a_tiny_window(workspace: Workspace) -> None:
    with Terminal(sonotune(workspace.root)) as terminal:
        wait_painted(terminal)
        for tab in TABS:
            terminal.type(tab.key)
            terminal.wait_until(
                lambda tab=tab: terminal.screen.text().splitlines()[1].startswith(f" {tab.title}"), tab.title
            )
            terminal.resize(40, 10)
            terminal.wait_until(
                lambda tab=tab: tab.title in terminal.screen.text() and "? help" in terminal.screen.text(),
                f"{tab.title} at 40x10",
            )
            terminal.resize(100, 30)
            terminal.wait_until(
                lambda tab=tab: tab.title in terminal.screen.text() and "? help" in terminal.screen.text(),
                f"{tab.title} at 100x30 again",
            )
        terminal.type("q")
        assert terminal.end() == 0
        assert_restored(terminal)


# ----- errors


def test_an_error_in_a_screen_is_told_and_its_traceback_kept(workspace: Workspace) -> None:
    with Terminal(program(workspace, HELP_DOES.format(what="int('\\x1b[31m' + 'no number')"))) as terminal:
        wait_painted(terminal)
        terminal.type("?")
        assert terminal.end() == 1
        assert_restored(terminal)
        (file,) = workspace.outputs.glob("workbench-error-*.txt")
        for part in ("error of its own", "ValueError: invalid literal", "opens the workbench again", str(file)):
            assert part in terminal.output
        assert "Traceback" not in terminal.output
    text = file.read_text()
    assert "Traceback" in text
    assert "ValueError" in text
    assert "\x1b" not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_with_debug_the_traceback_is_shown_instead(workspace: Workspace) -> None:
    with Terminal(program(workspace, HELP_DOES.format(what="1 / 0"), debug=True)) as terminal:
        wait_painted(terminal)
        terminal.type("?")
        assert terminal.end() == 1
        assert_restored(terminal)
        assert "Traceback" in terminal.output
        assert "ZeroDivisionError" in terminal.output
    assert not workspace.outputs.exists()


def test_a_byte_that_is_not_utf_8_harms_nothing(workspace: Workspace) -> None:
    with Terminal(sonotune(workspace.root)) as terminal:
        wait_painted(terminal)
        terminal.send(b"\xff\xfe")

        def queue_comes() -> bool:
            terminal.type("4")  # one that arrives together with the wrong bytes is lost with them
            return " Queue" in terminal.screen.text().splitlines()[1]

        terminal.wait_until(queue_comes, "keys still act")
        terminal.type("q")
        assert terminal.end() == 0


def test_the_terminal_is_clean_within_two_seconds_and_a_slow_one_has_one_more_for_the_last_words() -> None:
    from tui.guard import GRACE_SECONDS, WORDS_SECONDS, WRITE_SECONDS

    assert GRACE_SECONDS + 2 * WRITE_SECONDS < END_SECONDS
    assert GRACE_SECONDS + 2 * WRITE_SECONDS + WORDS_SECONDS < END_SECONDS + 1
