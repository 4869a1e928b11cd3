"""Writing measured peaks of GPU memory."""

from __future__ import annotations

import json
from dataclasses import asdict

from engine.preflight.models import Measured
from engine.store.memory import PARTS
from engine.store.writer_base import WriterBase


class MemoryWrites(WriterBase):
    """The part of the writer that the preflight uses."""

    def add_memory_peak(self, measured: Measured) -> int:
        """Record a measured peak and return its id; rows are never changed."""
        values = asdict(measured)
        values |= {name: json.dumps(values[name], sort_keys=True) for name in PARTS}
        values["vision_adapted"] = int(measured.vision_adapted)
        with self._transaction():
            return self._insert("memory_peaks", values)
