"""What the tests of the screens may ask for."""

from __future__ import annotations

import pytest
import textual._wait


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's pilot sleeps 20 ms at a time, twice for each key, to see whether the app is idle; here 4 ms.

    For tests that wait for what must come true (`until`), and never rely on a pause.
    """
    monkeypatch.setattr(textual._wait, "SLEEP_GRANULARITY", 1 / 250)
    monkeypatch.setattr(textual._wait, "SLEEP_IDLE", 1 / 2000)
