"""A rank listens for the user's wishes while its data loader forks: the two must not lock each other out."""

from __future__ import annotations

import subprocess
import sys

LISTENER = """
import torch
from torch.utils.data import DataLoader
from engine.training.distributed.session import Wishes

wishes = Wishes()
wishes.listen(lambda: None)
print(sum(len(batch) for batch in DataLoader(torch.arange(6), batch_size=2, num_workers=1, timeout=40)), flush=True)
"""


def test_data_loader_processes_start_while_a_rank_waits_for_wishes() -> None:
    # The pipe stays open and silent, as that of the job process does.
    with subprocess.Popen([sys.executable, "-c", LISTENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"6\n"
        finally:
            process.kill()
