"""What crosses the borders of screens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.message import Message


@dataclass
class Call(Message):
    """A callback of another thread, to be run on the thread of the screens."""

    callback: Callable[[], None]
