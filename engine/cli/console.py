"""How the command line speaks: tables and progress on a terminal, plain lines elsewhere, JSON on request.

Names, answers and error texts come from data and models. They are shown through `shown`, never as markup, and without
control characters: a run's name must not be able to move the cursor.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from engine.errors import SonotuneError
from engine.formatting import figure, finite
from engine.text import plain

output = Console(highlight=False, markup=False, emoji=False)
"""Results."""
messages = Console(stderr=True, highlight=False, markup=False, emoji=False)
"""Everything that a pipe should not get."""

RESEARCH_NOTE = "Research only, not for clinical use."


def shown(text: object, style: str = "") -> Text:
    """`text` as a cell or line that rich takes literally."""
    return Text(plain(text), style=style)


def print_json(value: object) -> None:
    """Machine-readable output: one JSON document on standard output, `null` for what is no finite number."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=True, default=str, allow_nan=False)
    sys.stdout.write(text + "\n")


def say(text: object, style: str = "") -> None:
    """A line for the person in front of the screen (standard error)."""
    messages.print(shown(text, style), soft_wrap=True)


def report_error(error: SonotuneError, debug: bool = False) -> None:
    """Title, reason and next step; with `debug` also the traceback of the exception that is being handled."""
    say(error.title, "bold red")
    if error.reason:
        say(error.reason)
    if error.next_step:
        say(f"→ {error.next_step}", "bold")
    if debug:
        say(traceback.format_exc())


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A callback (done, total): a bar on a terminal, a line every tenth otherwise."""
    if not messages.is_terminal:
        yield _lines(title)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True) as bars:
        task = bars.add_task(title, total=None)

        def update(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total)

        yield update


def _lines(title: str) -> Callable[[int, int], None]:
    tenth = -1

    def update(done: int, total: int) -> None:
        nonlocal tenth
        reached = 10 * done // max(total, 1)
        if reached != tenth:
            tenth = reached
            say(f"{title}: {done}/{total}")

    return update


def new_table(*headers: str, title: Text | str | None = None, right: Iterable[int] = ()) -> Table:
    """A table in the house style: no frame, one line under the heads; `right` names right-aligned columns."""
    table = Table(*headers, title=title, title_justify="left", title_style="", box=SIMPLE_HEAD, pad_edge=False)
    for column in right:
        table.columns[column].justify = "right"
    return table


def interval(row: dict[str, Any], name: str) -> Text:
    """A score with its 95 % interval below it."""
    value, low, high = row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high")
    if value is None:
        return Text("–", style="dim")
    text = Text(figure(value))
    if low is not None and high is not None:
        text.append(f"\n{figure(low)}–{figure(high)}", style="dim")
    return text
