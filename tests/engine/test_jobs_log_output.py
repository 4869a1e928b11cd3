from __future__ import annotations

import errno
import io
import logging
import subprocess
import sys

import pytest

from engine.jobs.log_output import PatientOutput

PROGRAM = """
import sys
from engine.jobs.log_output import outlast_full_log
outlast_full_log()
for step in range(3):
    print({"loss": 1.0 / (step + 1)})
    sys.stderr.write("a word\\n")
sys.exit(7)
"""


class Full(io.StringIO):
    """A file on a disk that is full while `full` is set."""

    full = False

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


def test_what_cannot_be_written_is_dropped_and_told_afterwards() -> None:
    file = Full()
    output = PatientOutput(file)
    output.write("one\n")
    file.full = True
    for _ in range(3):
        assert output.write("two\n") == 4
    file.full = False
    output.write("three\n")
    output.write("four\n")
    assert file.getvalue() == "one\n[3 writes to this log were lost: the disk was full]\nthree\nfour\n"


def test_a_logger_and_a_print_may_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    file = Full()
    file.full = True
    output = PatientOutput(file)
    print("step", file=output)
    logging.StreamHandler(output).emit(logging.LogRecord("x", logging.INFO, "x", 1, "y", (), None))
    assert output.dropped
    assert capsys.readouterr().err == ""


def test_a_process_whose_log_is_full_ends_as_it_wants_to() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=full, stderr=full)
    assert done.returncode == 7
