"""`sonotune` without a sub-command: the workbench where a terminal can show it, the plain overview elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pty_helpers import BARE, REPOSITORY, Terminal, sonotune
from store_helpers import add_run

from engine.cli.entry import GlobalOptions, global_options, why_no_screens
from engine.store.writer import Writer
from engine.workspace import Workspace

HOSTILE = "\x1b[2J[red]x[/red]\u202egnp"
PLAIN = "worker: none"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Writer.open(Workspace(tmp_path)) as writer:
        add_run(writer, "first try")
    return tmp_path


def shown(folder: Path, **environment: str | None) -> str:
    """Everything that the workbench sends until it is painted and left with `q`."""
    with Terminal(sonotune(folder), **environment) as terminal:
        terminal.wait_for("Runs")
        terminal.wait_for("first try")
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.is_restored()
        assert "\x1b[?1049l" in terminal.output
        return terminal.output


# ----- which words open it


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("", GlobalOptions()),
        ("--debug", GlobalOptions(None, True)),
        ("-w a --debug", GlobalOptions(Path("a"), True)),
        ("--workspace a", GlobalOptions(Path("a"))),
        ("--workspace=a/b=c", GlobalOptions(Path("a/b=c"))),
        ("--workspace a -w b", GlobalOptions(Path("b"))),
        ("--workspace runs", GlobalOptions(Path("runs"))),
    ],
)
def test_global_options_alone_open_the_workbench(words: str, options: GlobalOptions) -> None:
    assert global_options(words.split()) == options


@pytest.mark.parametrize(
    "words", ["runs", "--help", "--version", "-w", "--workspace", "--debug runs", "-w a --nope", "--"]
)
def test_all_other_words_are_for_typer(words: str) -> None:
    assert global_options(words.split()) is None


def test_a_folder_that_is_not_there_is_bad_usage_and_paints_nothing(tmp_path: Path) -> None:
    with Terminal(sonotune(tmp_path / "nothing-here")) as terminal:
        assert terminal.end() == 2
        assert "There is no folder" in terminal.output
        assert "Check --workspace" in terminal.output
        assert "\x1b[?1049h" not in terminal.output
    assert not (tmp_path / "nothing-here").exists()


def test_a_mistake_is_told_by_typer(folder: Path) -> None:
    with Terminal(sonotune(folder, "--nope")) as terminal:
        assert terminal.end() == 2
        assert "No such option: --nope" in terminal.output


def test_the_workspace_may_come_from_the_environment_or_be_here(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    command = [sys.executable, "-m", "engine.cli"]
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for directory, variable in ((folder, None), (elsewhere, str(folder))):
        with Terminal(command, directory=directory, SONOTUNE_WORKSPACE=variable) as terminal:
            terminal.wait_for("first try")
            terminal.type("q")
            assert terminal.end() == 0


def test_a_command_beside_it_opens_no_screens(folder: Path) -> None:
    with Terminal(sonotune(folder, "runs")) as terminal:
        assert terminal.end() == 0
        assert "first try" in terminal.output
        assert "\x1b[?1049h" not in terminal.output


# ----- which terminals can show it


def test_every_colour_where_the_terminal_says_so(folder: Path) -> None:
    assert "8;2;" in shown(folder, COLORTERM="truecolor")


def test_screen_and_tmux_get_256_colours(folder: Path) -> None:
    output = shown(folder, TERM="screen-256color")
    assert "8;5;" in output
    assert "8;2;" not in output


def test_the_linux_console_gets_16_colours_and_is_wiped(folder: Path) -> None:
    output = shown(folder, TERM="linux")
    assert not re.search(r"[34]8;[25];", output)
    assert re.search(r"\x1b\[[\d;]*[349]\d[m;]", output)
    assert output.rindex("\x1b[2J") < output.rindex("\x1b[?1049l")
    assert not re.search("[\u2800-\u28ff]", output)


def test_no_color_sends_no_colour_at_all(folder: Path) -> None:
    output = shown(folder, NO_COLOR="1", COLORTERM="truecolor")
    assert re.search(r"\x1b\[[\d;]*7m", output)  # what stands out does so by being reversed
    assert not re.search(r"\x1b\[(?:[\d;]*;)?(?:[349][0-7]|10[0-7]|[34]8)(?:;[\d;]*)?m", output)


def test_the_size_is_the_terminals_own_whatever_the_environment_says(folder: Path) -> None:
    output = shown(folder, COLUMNS="40", LINES="10")
    assert max(int(row) for row in re.findall(r"\x1b\[(\d+);\d+H", output)) > 10


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"TERM": "dumb"}, "TERM=dumb"),
        ({"TERM": ""}, "TERM is not set"),
        ({"TERM": None}, "TERM is not set"),
        ({"LC_ALL": "en_US.ISO-8859-1"}, "ISO-8859-1"),
    ],
    ids=str,
)
def test_elsewhere_the_plain_overview_says_why_and_what_to_do(
    folder: Path, changes: dict[str, str | None], word: str
) -> None:
    with Terminal(sonotune(folder), **changes) as terminal:
        assert terminal.end() == 0
        assert PLAIN in terminal.output
        assert "first try" in terminal.output
        assert word in terminal.output
        assert "\x1b[?1049h" not in terminal.output


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_without_a_terminal_the_plain_overview_is_printed(folder: Path, stream: str) -> None:
    master, slave = os.openpty()
    streams = {"stdin": slave, "stdout": slave, stream: subprocess.PIPE}
    environment = {name: value for name, value in {**os.environ, **BARE}.items() if value is not None}
    process = subprocess.Popen(
        sonotune(folder), **streams, stderr=subprocess.PIPE, env=environment, cwd=REPOSITORY, text=True
    )
    out, err = process.communicate(timeout=60)
    os.set_blocking(master, False)
    out = out or os.read(master, 1 << 16).decode()
    os.close(slave)
    os.close(master)
    assert process.returncode == 0
    assert PLAIN in out
    assert "first try" in out
    assert "no terminal" in err
    assert "\x1b[?1049h" not in out + err


def test_errors_may_go_to_a_file_and_the_screens_to_the_terminal(folder: Path) -> None:
    command = ["sh", "-c", 'exec "$0" "$@" 2>errors', *sonotune(folder)]
    with Terminal(command, directory=folder, PYTHONPATH=str(REPOSITORY)) as terminal:
        terminal.wait_for("first try")
        terminal.type("q")
        assert terminal.end() == 0
    assert (folder / "errors").read_bytes() == b""


def test_an_encoding_without_a_name_is_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen:
        encoding = "utf-8"

        @staticmethod
        def isatty() -> bool:
            return True

    for name in ("stdin", "stdout", "__stdout__"):
        monkeypatch.setattr(sys, name, Screen())
    for locale in (
        {},
        {"LANG": "C"},
        {"LANG": "de_DE"},
        {"LC_ALL": "", "LANG": "C.UTF-8"},
        {"LC_CTYPE": "de_DE.utf8@euro"},
    ):
        assert why_no_screens({"TERM": "xterm", **locale}) == ""
    assert "KOI8-R" in why_no_screens({"TERM": "xterm", "LC_ALL": "ru_RU.KOI8-R", "LANG": "C.UTF-8"})
    monkeypatch.setattr(sys, "stdin", None)
    assert "no terminal" in why_no_screens({"TERM": "xterm"})
