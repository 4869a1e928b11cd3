"""What holds for all tests."""

from __future__ import annotations

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it runs in the background with ctrl+c ignored; programs that tests start and interrupt would
    # inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Imports of tests start no process that outlives them.
os.environ["SONOTUNE_BACKGROUND_CHECK"] = "0"
