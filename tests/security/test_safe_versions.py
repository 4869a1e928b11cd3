"""What reads untrusted data is of a version without the holes that are listed, as installed and as pinned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import safe_versions
from engine.safe_versions import SAFE_VERSIONS, SafeVersion, numbers, unsafe_packages

REPOSITORY = Path(__file__).resolve().parents[2]


def pins(lock: str) -> dict[str, str]:
    text = (REPOSITORY / lock).read_text(encoding="utf-8")
    return {
        name.lower().replace("_", "-"): version
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    }


def test_nothing_installed_is_older_than_it_may_be() -> None:
    assert unsafe_packages() == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock"])
def test_nothing_pinned_is_older_than_it_may_be(lock: str) -> None:
    pinned = pins(lock)
    assert len(pinned) > 40
    for each in SAFE_VERSIONS:
        if each.package in pinned:
            assert numbers(pinned[each.package]) >= numbers(each.oldest), each
    assert {"pillow", "pyarrow", "torch", "transformers", "openpyxl"} <= pinned.keys()


def test_an_older_one_is_named_with_its_advisory(monkeypatch: pytest.MonkeyPatch) -> None:
    future = SafeVersion("pillow", "999.0", "CVE-0000-1", "anything")
    absent = SafeVersion("no-such-package-at-all", "1.0", "CVE-0000-2", "anything")
    monkeypatch.setattr(safe_versions, "SAFE_VERSIONS", (future, absent))
    monkeypatch.setattr(safe_versions, "OLDEST_EXPAT", (999, 0, 0))
    found = unsafe_packages()
    assert len(found) == 2
    assert "older than 999.0 (CVE-0000-1: anything)" in found[0]
    assert "expat" in found[1]


@pytest.mark.parametrize(
    ("text", "found"),
    [("2.11.0+cu130", (2, 11, 0)), ("3.1.6", (3, 1, 6)), ("2026.10.7", (2026, 10, 7)), ("1.0rc1", (1,)), ("", ())],
)
def test_versions_are_compared_as_numbers(text: str, found: tuple[int, ...]) -> None:
    assert numbers(text) == found
