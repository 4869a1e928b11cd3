"""What recording costs beside a training step: `.venv/bin/python tests/benchmarks/recording.py`.

Both sides in one run: the median step of a real training of the demo recipe (40 steps), and the time of one
`Writer.add_metrics` with as many keys as a step writes, into the same database.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from engine import api
from engine.cli.following import wait_for
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind

STEPS = 40
WRITES = 2000


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        workspace = api.Workspace.find(folder)
        api.import_phantom_dataset(workspace, "phantoms", count=240, size=160)
        changes = [f"training.max_steps={STEPS}", "evaluation.splits=[]"]
        recipe = api.load_recipe(api.find_recipe("demo", Path(folder)), changes)
        run_id = api.launch(workspace, recipe, references=False, test_purpose="tests").run_id
        if not wait_for(workspace, [(JobKind.TRAINING, run_id)]):
            return 1
        with Reader(workspace) as reader:
            steps = [point.value for point in reader.metrics(run_id, ["step_seconds"])]
            keys = reader.metric_keys(run_id)
        with Writer.open(workspace) as writer:
            started = time.perf_counter()
            for step in range(WRITES):
                writer.add_metrics(run_id, STEPS + step, dict.fromkeys(keys, 0.5), time.time())
            write = (time.perf_counter() - started) / WRITES
        api.stop_worker(workspace)
    step_seconds = statistics.median(steps)
    print(f"RESULT step {1e3 * step_seconds:.1f} ms, recording {1e3 * write:.3f} ms ({len(keys)} keys)")
    print(f"RESULT recording / step = {write / step_seconds:.5f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
