"""The text layer: the same words in one form. Nothing that carries meaning goes, save case."""

from __future__ import annotations

import re
import unicodedata

_DASHES = {ord(dash): "-" for dash in "‐‑‒–—―−﹘﹣－"}
_QUOTES = {ord(quote): "'" for quote in "’‘‛´`′"} | {ord(quote): '"' for quote in "“”„‟″"}
_FORMS = (
    _DASHES | _QUOTES | {ord("×"): "x", ord("≥"): ">=", ord("≤"): "<=", ord("＞"): ">", ord("＜"): "<", ord("…"): "..."}
)
_LINE_ENDS = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
_SPACES = re.compile(r"[^\S\n]+")
_MARKDOWN = re.compile(r"[*`]+|_{2,}")
_LEADING = re.compile(r"(?:[\s'\"]|[-+•·▪◦‣●○■]+[ \t]+|#+[ \t]+|\(?\d{1,2}[.)][ \t]+(?=[a-z\"'(])(?!w(?:ee)?ks?\b))+")
_DASH_BETWEEN_NUMBERS = re.compile(r"(?<=\d)[ \t]*-[ \t]*(?=\d)")
_TRAILING = " \t.,;:!-'\""
_ROUNDS = 4
"""Rounds until nothing changes any more; one suffices for nearly every text."""


def clean(text: str) -> str:
    """`text` in one form: NFKC, folded case, plain dashes and quotes, single spaces, no bullets, markdown, marks at
    the end.

    Line ends stay, because lists and reports are read by lines; empty lines go. Cleaning twice changes nothing.
    """
    for _ in range(_ROUNDS):
        cleaned = _once(text)
        if cleaned == text:
            break
        text = cleaned
    return text


def _once(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.translate(_FORMS)).casefold())
        text = _LINE_ENDS.sub("\n", text.translate(_FORMS))
        text = "".join(
            each for each in text if each == "\n" or not unicodedata.category(each).startswith("C") or each == "\t"
        )
    text = _LINE_ENDS.sub("\n", text.lower()) if not text.isprintable() else text.lower()
    text = "".join(each for each in text if each >= " " or each in "\n\t")
    text = _DASH_BETWEEN_NUMBERS.sub("-", _MARKDOWN.sub("", text))
    lines = (_without_lead(_SPACES.sub(" ", line)).rstrip(_TRAILING) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _without_lead(line: str) -> str:
    match = _LEADING.match(line)
    return line[match.end() :] if match else line
