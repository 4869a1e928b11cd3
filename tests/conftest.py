"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background with ctrl+c ignored; programs that tests start and interrupt would
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Imports of tests start no process that outlives them.
os.environ["SONOTUNE_BACKGROUND_CHECK"] = "0"

# The same examples every time, and fewer: what fails in CI fails at home. HYPOTHESIS_PROFILE=explore looks further.
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
