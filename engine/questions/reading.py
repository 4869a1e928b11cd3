"""What an answer to one of the eight questions says, in a form in which two answers can be compared. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Whether an answer could be read."""

    READ = "read"
    UNCLEAR = "unclear"
    """The answer itself says that it cannot be told."""
    UNPARSEABLE = "unparseable"
    """No answer to the question was found in the text."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer as it is read."""

    status: Status
    value: str = ""
    """Canonical form, such as `abnormal`, `20-25` or `aorta, liver`; equal for answers that mean the same. For an
    answer that was not read it is the name of its status."""
    items: tuple[str, ...] = ()
    """Members of an answer that is a set (structures of Q1, parameters of Q4), sorted; else the value alone."""


def unread(status: Status) -> Reading:
    """A reading without a value: its value is the name of its status."""
    return Reading(status, status.value)


def read_as(value: str) -> Reading:
    """A reading of a single value."""
    return Reading(Status.READ, value, (value,))
