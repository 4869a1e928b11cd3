"""Outputs that are no answer but the error text of the server that should have answered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.errors import UsageError

LOOKED_AT = 2_000
"""Characters of an output that the patterns see; a pattern of a user may be slow, and an error stands at the start."""
LONGEST_PATTERN = 500

DEFAULT_PATTERNS: tuple[str, ...] = (
    r"^\W{0,10}(?:api|http|server|internal|request|connection|network|inference|model|openai|vllm|cuda|gateway)[\s_-]{0,2}"
    r"(?:server |api )?(?:error|exception|failure|failed)\b",
    r"^\W{0,10}error\b\s*(?::|\(|\[|\]|-|\d|code|occurred|while|processing|generating|calling|in (?:api"
    r"|request|processing))",
    r"^\W{0,10}(?:\w+\.){0,6}\w*(?:Error|Exception|Timeout)\b\s*(?::|\(|$)",
    r"^\W{0,10}(?:HTTP(?:/\d(?:\.\d)?)?\s*)?(?:status(?: code)?[:\s]*)?(?:408|429|500|502|503|504)\b\W{0,4}"
    r"(?:$|internal|bad gateway|service|gateway|too many|request|server|error|rate|timeout)",
    r"^\W{0,10}(?:internal server error|bad gateway|service unavailable|gateway time-?out"
    r"|too many requests|request timed? ?out)",
    r"^\W{0,10}(?:the )?(?:request|connection|server|api|read|operation|inference|generation)(?: call)? (?:has )?"
    r"(?:timed out|timeout|was refused|refused|was reset|reset by peer|was aborted|aborted|failed)\b",
    r"^\W{0,10}(?:timeout|timed out)\b",
    r"^\W{0,10}traceback \(most recent call last\)",
    r"\bconnection (?:refused|reset by peer|aborted|error)\b|\bmax retries exceeded\b|\bremote end closed connection\b",
    r"\brate[ -]?limit(?:ed)?(?: was| is| has been)? (?:exceeded|reached|error)|^\W{0,10}rate[ -]?limit",
    r"\bquota (?:has been )?exceeded\b|\binsufficient_quota\b|\bout of memory\b.{0,80}\bcuda\b"
    r"|\bcuda\b.{0,80}\bout of memory\b",
    r"^\s*(?:```(?:json)?\s*)?\{\s*[\"'](?:error|errors|exception|error_message)[\"']\s*:(?!\s*(?:null|none|false|\"\"|''|\{\}|\[\]))",
    r"^\s*\{\s*[\"'](?:object|status|type)[\"']\s*:\s*[\"']error[\"']",
    r"^\s*(?:<!doctype html|<html)[^>]{0,100}>",
    r"^\W{0,10}(?:failed to (?:generate|get|fetch|process|connect|load|decode|call)\b|(?:could|can) ?not connect to\b)",
)
"""Regular expressions, searched without regard to case; a user may edit the list."""

Compiled = tuple[re.Pattern[str], ...]


def compile_patterns(patterns: Iterable[str]) -> Compiled:
    """The patterns, compiled. Empty lines and lines that begin with `#` are left out.

    Raises:
        UsageError: for a pattern that is no regular expression, is too long, or fits an empty output (and so every
            one); names its line."""
    compiled = []
    for number, pattern in enumerate(patterns, 1):
        line = pattern.strip()
        if not line or line.startswith("#"):
            continue
        compiled.append(_compiled(line, number))
    return tuple(compiled)


def is_serving_error(text: str, compiled: Compiled | None = None) -> bool:
    """Whether `text` is the error of a server; by `DEFAULT_PATTERNS` where no patterns are given."""
    start = text[:LOOKED_AT]
    return any(pattern.search(start) for pattern in (_DEFAULT if compiled is None else compiled))


def _compiled(line: str, number: int) -> re.Pattern[str]:
    next_step = "Mend this line of the list of serving errors; it holds one regular expression a line."
    if len(line) > LONGEST_PATTERN:
        reason = f"It has {len(line)} characters; {LONGEST_PATTERN} are allowed."
        raise UsageError(f"Line {number} of the serving errors is too long", reason, next_step)
    try:
        pattern = re.compile(line, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"Line {number} of the serving errors is no regular expression: {line}", str(error), next_step
        ) from error
    if pattern.search(""):
        reason = "It fits an empty text, and so every answer would count as an error."
        raise UsageError(f"Line {number} of the serving errors fits everything: {line}", reason, next_step)
    return pattern


_DEFAULT = compile_patterns(DEFAULT_PATTERNS)
