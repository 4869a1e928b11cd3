"""What recording costs beside a training step: `.venv/bin/python tests/benchmarks/recording.py`.

All in one run: the median step of a real training of the demo recipe (40 steps), and the time of one entry with as many
figures as a step writes, into the same database: straight into it (`Writer.add_metrics`), into the journal alone, and
as a job records it (`Recording.metrics`: journal, then database). The last in turns with the first, because the machine
is not equally fast at all times.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from engine import api
from engine.cli.following import wait_for
from engine.jobs.journal import Journal
from engine.jobs.recording import Recording
from engine.store.reader import Reader
from engine.store.recorded import Measured
from engine.store.writer import Writer
from engine.types import JobKind

STEPS = 40
WRITES = 2000
ROUNDS = 5


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
            step_seconds = statistics.median(point.value for point in reader.metrics(run_id, ["step_seconds"]))
            keys = reader.metric_keys(run_id)
        costs = measure(workspace, run_id, keys)
        api.stop_worker(workspace)
    print(f"RESULT step {1e3 * step_seconds:.1f} ms, {len(keys)} figures a step")
    for name, seconds in costs.items():
        print(f"RESULT {name}: {1e6 * seconds:.0f} us, {seconds / step_seconds:.5f} of a step")
    return 0


def measure(workspace: api.Workspace, run_id: int, keys: list[str]) -> dict[str, float]:
    """Median seconds of an entry, by the way that it takes."""
    folder = Path(workspace.root) / "benchmark"
    journal, values = Journal(folder / "alone"), dict.fromkeys(keys, 0.123456789)
    with (
        Writer.open(workspace) as writer,
        Recording(workspace, JobKind.TRAINING, run_id, folder / "both", None) as recording,
    ):
        ways: dict[str, Callable[[int], object]] = {
            "database alone": lambda step: writer.add_metrics(run_id, step, values, time.time()),
            "journal alone": lambda step: journal.append(Measured(step, values, time.time())),
            "journal and database": lambda step: recording.metrics(step, values),
        }
        seen: dict[str, list[float]] = {name: [] for name in ways}
        step = STEPS
        for _ in range(ROUNDS):
            for name, write in ways.items():
                started = time.perf_counter()
                for _ in range(WRITES // ROUNDS):
                    step += 1
                    write(step)
                seen[name].append((time.perf_counter() - started) / (WRITES // ROUNDS))
        if recording.behind:
            raise SystemExit(f"{recording.behind} entries are not in the database: {recording.trouble}")
    journal.close()
    return {name: statistics.median(each) for name, each in seen.items()}


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
