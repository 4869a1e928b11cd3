"""Messages between a front end and the asking process: one JSON object a line, over the pipes of its standard streams.

Everything is ASCII on the wire, so that no text of a model can end a line or steer a terminal that shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from engine.errors import SonotuneError


@dataclass(frozen=True, slots=True)
class Load:
    """Load the subject; the first request, and sent once."""

    source: str
    """Folder or hub id of the base model."""
    quantization: str
    """`none` or `4bit`."""
    adapter: str | None = None
    """Folder of the adapter; None for the base alone."""
    adapter_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One question about one image."""

    ask: int
    """Number by which its events are known."""
    image: str
    """Absolute path."""
    image_size: int
    """Longest side in pixels that the model sees."""
    prompt: str
    """Text of the question as the model reads it."""
    max_new_tokens: int
    candidates: tuple[str, ...] = ()
    """Answers among which label scoring chooses; empty: no label scoring."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """End one answer between two tokens, or drop the question where it still waits."""

    ask: int


Request = Load | Ask | Cancel


@dataclass(frozen=True, slots=True)
class Loaded:
    """The subject is loaded."""

    seconds: float
    device: str
    """`cpu`, or the name of the GPU."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an answer, as soon as it is text: raw and untrusted, mostly one token long."""

    ask: int
    token: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer has ended."""

    ask: int
    text: str
    """All of it, as an evaluation would store it: raw and untrusted. Authoritative over the pieces."""
    tokens: int
    """Generated tokens, the end token counted."""
    cut_off: bool
    """It reached max_new_tokens."""
    cancelled: bool
    """Somebody stopped it; nothing was scored then."""
    seconds: float
    """From the question to the last token; scoring not included."""
    first_token_seconds: float | None
    """From the question to the first token; None where there was none."""
    p_abnormal: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Of each candidate; empty without label scoring."""

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of the tokens after the first one; None for fewer than two."""
        if self.first_token_seconds is None or self.tokens < 2:
            return None
        return (self.tokens - 1) / max(self.seconds - self.first_token_seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class Failed:
    """A question, or the process as a whole, has failed."""

    ask: int | None
    """None: the subject could not be loaded, or the process is gone; no more answers will come."""
    title: str
    reason: str = ""
    next_step: str = ""

    def error(self) -> SonotuneError:
        """As the error that it is."""
        return SonotuneError(self.title, self.reason, self.next_step)


Event = Loaded | Token | Answered | Failed

_KINDS: Mapping[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Load, Ask, Cancel, Loaded, Token, Answered, Failed)
}


class WireError(Exception):
    """A line that is no message; never shown to a user as it is."""


def encode(message: Request | Event) -> bytes:
    """One line, with its end."""
    content = {"type": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(content, ensure_ascii=True).encode("ascii") + b"\n"


def decode(line: bytes | str) -> Request | Event:
    """The message of a line.

    Raises:
        WireError: it is no JSON object, of an unknown type, or lacks or adds a field.
    """
    try:
        content = json.loads(line)
        kind = _KINDS[content.pop("type")]
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise WireError(f"no message: {type(error).__name__}: {error}") from error
    known = {each.name for each in fields(kind)}
    if not known.issuperset(content):
        raise WireError(f"{kind.__name__.lower()} has no {', '.join(sorted(set(content) - known))}")
    if isinstance(content.get("candidates"), list):
        content["candidates"] = tuple(content["candidates"])
    try:
        message: Request | Event = kind(**content)
    except TypeError as error:
        raise WireError(str(error)) from error
    return message
