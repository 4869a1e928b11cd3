"""The members of one large JSON array, one at a time: hundreds of megabytes need the memory of one member."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from engine.data.paths import storable
from engine.errors import DataError

CHUNK = 1 << 20
"""Bytes read at a time."""
MAX_MEMBER = 8 * 1024**2
"""Characters of one member: a longer one is no conversation."""

_BLANK = re.compile(r"[ \t\r\n]*")


def iterate_array(file: Path) -> Iterator[tuple[int, Any]]:
    """Numbered members (from 1 on) of the JSON array that `file` holds.

    Raises:
        DataError: the file cannot be read, or is no JSON array from its first to its last character. What came before
            the fault has been yielded by then, so the caller must not use it: half a file is not the data.
    """
    try:
        with file.open("rb") as stream:
            yield from _Reader(file, stream).members()
    except OSError as error:
        raise DataError(
            f"The file {storable(str(file))} cannot be read.",
            error.strerror or str(error),
            "Check the path and its permissions.",
        ) from error


class _Reader:
    """A window of text that moves over the file."""

    def __init__(self, file: Path, stream: BinaryIO) -> None:
        self._file = file
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""
        self._at = 0
        self._ended = False
        self._number = 0

    def members(self) -> Iterator[tuple[int, Any]]:
        """Yield all members, then make sure that nothing follows the array."""
        decoder = json.JSONDecoder()
        if self._next() != "[":
            raise self._fault("it does not begin with a JSON array ([)")
        self._at += 1
        if self._next() == "]":
            self._at += 1
        else:
            while True:
                self._number += 1
                yield self._number, self._member(decoder)
                self._at += 1
                if self._text[self._at - 1] == "]":
                    break
        if self._next():
            raise self._fault("something follows the end of the array")

    def _member(self, decoder: json.JSONDecoder) -> Any:
        """The value at the window, which then stands at the comma or bracket behind it."""
        self._next()
        while True:
            fault = "the file ends in the middle of it"
            try:
                value, end = decoder.raw_decode(self._text, self._at)
                end = _BLANK.match(self._text, end).end()  # type: ignore[union-attr]
                if end < len(self._text):
                    # A number could go on in the next chunk: a value is whole only when something follows it.
                    if self._text[end] not in ",]":
                        raise self._fault(f"a comma is missing after entry {self._number}")
                    self._at = end
                    return value
            except RecursionError:
                raise self._fault(f"entry {self._number} is nested too deeply") from None
            except ValueError as error:
                fault = str(error)
            if len(self._text) - self._at > MAX_MEMBER:
                raise self._fault(f"entry {self._number}: {fault} (within {MAX_MEMBER // 1024**2} MiB)")
            if not self._more():
                raise self._fault(f"entry {self._number}: {fault}")

    def _next(self) -> str:
        """Move to the next character that is not blank, and return it; an empty string at the end."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on; False at the end of the file."""
        if self._ended:
            return False
        raw = self._stream.read(CHUNK)
        self._ended = not raw
        try:
            added = self._decode(raw, self._ended)
        except UnicodeDecodeError as error:
            raise self._fault(f"it is not UTF-8 near entry {self._number}: {error.reason}") from None
        self._text, self._at = self._text[self._at :] + added, 0
        return True

    def _fault(self, reason: str) -> DataError:
        return DataError(
            f"The file {storable(self._file.name)} is no JSON array.",
            storable(reason),
            "Mend the file at that entry; nothing was imported, because half a file is not the data.",
        )
