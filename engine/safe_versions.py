"""The oldest versions that may read untrusted data: what parses images, sheets, tables, weights and chat templates.

A short list of known holes in those few, looked after by hand and tested against what is installed and pinned. It says
that nothing below it is used, not that nothing above it has holes: `make advisories` asks a database of advisories,
which needs a network.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class SafeVersion(NamedTuple):
    """One hole that a version has closed."""

    package: str
    oldest: str
    """The first version without it."""
    advisory: str
    what: str


SAFE_VERSIONS = (
    SafeVersion("pillow", "10.2.0", "CVE-2023-50447", "code in an expression (ImageMath)"),
    SafeVersion("pillow", "10.3.0", "CVE-2024-28219", "buffer overflow in colour management"),
    SafeVersion("pyarrow", "14.0.1", "CVE-2023-47248", "code in the metadata of a file"),
    SafeVersion("openpyxl", "2.4.2", "CVE-2017-5992", "external entities in a workbook"),
    SafeVersion("lxml", "4.9.1", "CVE-2022-2309", "crash on crafted XML"),
    SafeVersion("torch", "2.6.0", "CVE-2025-32434", "code in a checkpoint in spite of weights_only"),
    SafeVersion("transformers", "4.48.0", "CVE-2024-11392", "code in the configuration of some models"),
    SafeVersion("jinja2", "3.1.6", "CVE-2025-27516", "a chat template leaves its sandbox"),
)
OLDEST_EXPAT = (2, 4, 1)
"""Python's own XML parser. CVE-2013-0340: before, a small file could unfold to gigabytes (billion laughs)."""


def unsafe_packages() -> list[str]:
    """Installed packages that are older than they may be, in words; one that is not installed is no danger."""
    return [*_unsafe(), *_unsafe_expat()]


def _unsafe() -> Iterator[str]:
    for each in SAFE_VERSIONS:
        try:
            found = version(each.package)
        except PackageNotFoundError:
            continue
        if numbers(found) < numbers(each.oldest):
            yield f"{each.package} {found} is older than {each.oldest} ({each.advisory}: {each.what})"


def _unsafe_expat() -> Iterator[str]:
    import pyexpat

    if pyexpat.version_info < OLDEST_EXPAT:
        yield f"{pyexpat.EXPAT_VERSION} of this Python is older than 2.4.1 (CVE-2013-0340: billion laughs)"


def numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: `2.11.0+cu130` is (2, 11, 0)."""
    found = []
    for part in text.partition("+")[0].split("."):
        if not part.isdigit():
            break
        found.append(int(part))
    return tuple(found)
