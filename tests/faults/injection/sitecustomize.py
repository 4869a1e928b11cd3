"""Read by every Python process that finds this folder on its path: prepares the fault that SONOTUNE_FAULT names."""

from __future__ import annotations

import os

if os.environ.get("SONOTUNE_FAULT"):
    import injected

    injected.install(os.environ["SONOTUNE_FAULT"])
