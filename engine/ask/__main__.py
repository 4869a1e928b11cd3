"""`python -m engine.ask --workspace DIR`: the asking process; it speaks `engine.ask.wire` on its standard streams."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from collections.abc import Sequence
from typing import BinaryIO

from engine.ask.process import Send, serve
from engine.ask.wire import Event, encode
from engine.private_files import keep_files_private
from engine.training.start import prepare_environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer questions until the standard input ends; 1 where the model cannot be loaded."""
    parser = argparse.ArgumentParser("python -m engine.ask", description="Answer questions about images.")
    parser.add_argument("--workspace", required=True, help="folder with runs.db and outputs/")
    parser.parse_args(arguments)
    prepare_environment()
    return serve(sys.stdin.buffer, sender(own_output()))


def own_output() -> BinaryIO:
    """The standard output for this protocol alone: whatever a library prints goes to the standard error instead."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return stream


def sender(stream: BinaryIO) -> Send:
    """Writes events, one after the other, from any thread; ends the process where nobody reads them any more."""
    lock = threading.Lock()

    def send(event: Event) -> None:
        with lock:
            try:
                stream.write(encode(event))
            except BrokenPipeError:
                os._exit(0)

    return send


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main())
