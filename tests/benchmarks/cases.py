"""How long it takes to open the cases of one evaluation among a million predictions.

    .venv/bin/python tests/benchmarks/cases.py [--evaluations 67] [--cases 15000]

Our side counts and joins in SQLite. The other side does what a script would: every prediction as an object, counted and
joined in Python. Both in one process, on the same file, best of five.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from engine import api
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Outcome, Prediction, Split
from engine.workspace import Workspace

VIEWS = ("Abdomen", "Aorta", "CRL-View", "Femur", "NT-View", "Standard_NT", "Thorax")
REPEATS = 5


def fill(workspace: Workspace, evaluations: int, cases: int) -> None:
    """Random predictions, two per cent of them abnormal."""
    chance = random.Random(0)
    paths = [(view, f"{view}/{view}_{number:05d}.png") for number in range(cases) for view in VIEWS][:cases]
    with Writer.open(workspace) as writer:
        for number in range(evaluations):
            run = writer.create_run(f"run-{number}", "{}", "fetal", "data", "split", "model", 42)
            evaluation = writer.create_evaluation(
                run, None, "model", "fetal", Split.TEST, "Q7", "{}", "protocol", "cases", False, threshold=0.5
            )
            writer.add_predictions(evaluation, (_random(path, view, chance) for view, path in paths))


def _random(path: str, view: str, chance: random.Random) -> Prediction:
    meant, said = (chance.choices(("normal", "abnormal"), (49, 1))[0] for _ in range(2))
    p = chance.random()
    return Prediction(
        path=path,
        view=view,
        question="Q7",
        target=f"{meant} for gestational age",
        raw_output=f"The image shows a {said} examination of the {view}.",
        parsed=said,
        target_parsed=meant,
        correct=meant == said,
        p_abnormal=p,
        probabilities={"Normal for gestational age": 1 - p, "Abnormal NT thickening": p},
        cut_off=False,
        latency_seconds=0.5,
        generated_tokens=8,
        outcome=Outcome.RIGHT if meant == said else Outcome.WRONG,
    )


def best(work: Callable[[], object]) -> float:
    """Seconds of the fastest of some repetitions."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def in_python(workspace: Workspace, first: int, second: int) -> tuple[Counter[tuple[str, str]], list[object]]:
    """The table, and the cases that two evaluations disagree on, from objects."""
    with Reader(workspace) as reader:
        mine, theirs = reader.predictions(first), {row.path: row for row in reader.predictions(second)}
    table = Counter((row.target_parsed, row.parsed) for row in mine)
    return table, [row for row in mine if row.correct != theirs[row.path].correct]


def main() -> None:
    """Fill, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--evaluations", type=int, default=67)
    arguments.add_argument("--cases", type=int, default=15_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fill(workspace, given.evaluations, given.cases)
        middle = given.evaluations // 2
        beside = api.CaseQuery(middle, others=(middle + 1,), differ="any")
        with Reader(workspace) as reader:
            table = best(lambda: api.confusion(reader, middle))
            wrong = best(lambda: api.cases(reader, api.CaseQuery(middle, outcomes=("wrong",))))
            everything = best(lambda: api.cases(reader, api.CaseQuery(middle)))
            differ = best(lambda: api.cases(reader, beside))
            one = best(lambda: api.case_details(reader, (middle, middle + 1), "Femur/Femur_00100.png"))
        python = best(lambda: in_python(workspace, middle, middle + 1))
    total = given.evaluations * given.cases
    print(f"{total:,} predictions, {given.cases:,} of one evaluation")
    for name, seconds in (
        ("confusion", table),
        ("wrong cases", wrong),
        ("all cases", everything),
        ("two runs, where they differ", differ),
        ("one case of two runs", one),
        ("the same from objects (table, where they differ)", python),
    ):
        print(f"RESULT {name}: {1000 * seconds:.1f} ms")
    print(f"RESULT ratio: {python / (table + differ):.1f}")


if __name__ == "__main__":
    main()
