"""When two names mean one file: keys under which names that people write by hand meet those on disk. Pure.

A sheet says `crl view/CRL View_ 001.PNG` where the disk has `CRL-View/CRL-View_001.png`. Every difference that a key
forgives has a name, so that each use of it can be reported.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg")

_SEPARATOR = re.compile(r"[\s_\-\u2010-\u2015\u2212]")
_REPEATED = re.compile(r"([\s_\-\u2010-\u2015\u2212])[\s_\-\u2010-\u2015\u2212]+")
_EDGES = re.compile(r"^[\s_]+|[\s_]+$")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")

_FORGIVEN: dict[str, Callable[[str], str]] = {
    "Unicode form": lambda text: unicodedata.normalize("NFKC", text),
    "letter case": str.casefold,
    "spaces around the name": lambda text: _EDGES.sub("", text),
    "repeated spaces": lambda text: _REPEATED.sub(r"\1", text),
    "spaces, underscores or hyphens": lambda text: _SEPARATOR.sub("_", text),
    "leading zeros": lambda text: _ZEROS.sub("", text),
}
"""What a key forgives, in the order of application."""


def split_extension(name: str) -> tuple[str, str]:
    """Stem and extension of a file name; the extension is empty unless it is one of an image."""
    stem, dot, end = name.rpartition(".")
    extension = f".{end.strip()}"
    return (stem, extension) if dot and extension.casefold() in IMAGE_EXTENSIONS else (name, "")


def name_key(text: str) -> str:
    """Key of a folder or of a stem: case, separators, repeats and the Unicode form don't matter."""
    text = _EDGES.sub("", unicodedata.normalize("NFKC", text).casefold())
    return _SEPARATOR.sub("_", _REPEATED.sub(r"\1", text))


def loose_key(text: str) -> str:
    """`name_key` without the leading zeros of its numbers: `femur_7` for `Femur_007`."""
    return _ZEROS.sub("", name_key(text))


def file_key(name: str) -> str:
    """Key of a file name with its extension."""
    stem, extension = split_extension(name)
    return name_key(stem) + extension.casefold()


def differences(said: str, found: str, *, is_file: bool) -> list[str]:
    """Names of what has to be forgiven for `said` to mean `found`; empty when they are equal."""
    if said == found:
        return []
    kinds = []
    if is_file:
        (said, ours), (found, theirs) = split_extension(said), split_extension(found)
        if ours != theirs:
            kinds.append(_extension_kind(ours, theirs))
    if said != found:
        # Nearly always one is enough, and trying it costs a tenth of finding out which ones are needed.
        for kind, change in _FORGIVEN.items():
            if change(said) == change(found):
                return list(dict.fromkeys([*kinds, kind]))
        kinds += [kind for kind in _FORGIVEN if _forgive(said, kind) != _forgive(found, kind)]
    # Two ways of forgiving can cover the same difference; then none of them alone is needed.
    return list(dict.fromkeys(kinds)) or ["spaces, underscores or hyphens"]


def _extension_kind(ours: str, theirs: str) -> str:
    if not ours:
        return "missing extension"
    return "letter case" if ours.casefold() == theirs.casefold() else "other extension"


def _forgive(text: str, without: str) -> str:
    """`text` with everything forgiven but one."""
    for kind, change in _FORGIVEN.items():
        if kind != without:
            text = change(text)
    return text
