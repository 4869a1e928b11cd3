"""Errors that a user reads: what happened, why, and what to do next."""

from __future__ import annotations


class SonotuneError(Exception):
    """Base of every error that is meant for the user.

    A command line prints the three parts and exits with `exit_code`; a job process stores them in its row.
    """

    exit_code = 1

    def __init__(self, title: str, reason: str = "", next_step: str = "") -> None:
        super().__init__(title)
        self.title = title
        """What happened, in one short sentence."""
        self.reason = reason
        """Why it happened; may have several lines."""
        self.next_step = next_step
        """What the user can do now."""

    def __str__(self) -> str:
        return "\n".join(part for part in (self.title, self.reason, self.next_step) if part)


class UsageError(SonotuneError):
    """The words of a command do not fit: exit code 2."""

    exit_code = 2


class FileProblemsError(UsageError):
    """A file that a user has written and that cannot be used; `problems` names every one of its faults at once."""

    kind, places = "file", "places"
    """What the file is, and what is to be mended in it, in words."""

    def __init__(self, source: str, problems: list[str]) -> None:
        count = len(problems)
        super().__init__(
            f"{source}: {count} problem{'s' if count != 1 else ''} in the {self.kind}",
            "\n".join(f"- {problem}" for problem in problems),
            f"Mend the {self.places} named above and run the command again; nothing was started.",
        )
        self.source = source
        self.problems = problems


class RecipeError(FileProblemsError):
    """A recipe that cannot be used."""

    kind, places = "recipe", "keys"


class StudyError(FileProblemsError):
    """A study file that cannot be used."""

    kind = "study"


class DataError(SonotuneError):
    """A dataset that is missing, damaged or cannot serve the request."""


class StoreError(SonotuneError):
    """runs.db cannot be read or written."""


class OutdatedError(StoreError):
    """runs.db is of an older version: it can be read once a writer has brought it up to date."""


class UnmadeError(OutdatedError):
    """runs.db is still empty: somebody is making it at this moment, or was kept from doing so."""


class JobError(SonotuneError):
    """A request for a run or an evaluation that does not fit its present state."""


class ModelError(SonotuneError):
    """A base model or an adapter that cannot be loaded, or that this machine cannot run."""
