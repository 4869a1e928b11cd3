"""Textual's pilot sleeps 20 ms at a time, twice for each key, to see whether the app is idle: 4 ms tell the same."""

from __future__ import annotations

import textual._wait

textual._wait.SLEEP_GRANULARITY = 1 / 250
textual._wait.SLEEP_IDLE = 1 / 2000
