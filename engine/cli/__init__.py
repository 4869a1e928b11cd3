"""The command line: the same engine.api as the terminal screens, for scripts and for people without a terminal."""

from engine.cli.entry import main

__all__ = ["main"]
