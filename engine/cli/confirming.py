"""Asking for the word that a look at the test split needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from engine import api
from engine.cli.console import say

Answer = TypeVar("Answer")


def with_purpose(act: Callable[[str], Answer], purpose: str) -> Answer:
    """Do something that may look at a test split; where a purpose is needed and somebody is there, ask for it.

    Args:
        act: takes the purpose.
        purpose: as given on the command line; empty where nothing was given.

    Raises:
        UnconfirmedTestError: one is needed, and nobody can be asked, or the answer was empty.
    """
    try:
        return act(purpose)
    except api.UnconfirmedTestError as refused:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        say(f"{refused.title}. {refused.reason}")
        sys.stderr.write("Why do you look? (empty: don't) ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if not answer:
            raise
        return act(answer)
