"""Deaths of the real evaluation process; every function is one try of its kind."""

from __future__ import annotations

import time

from harness import Case
from kinds_training import RECORD
from light_world import RIGHT_WITHIN_SECONDS
from real_template import answers, queue_evaluation
from real_world import Fault, RealWorld

from engine.jobs.process import is_alive
from engine.types import ACTIVE, ENDED, JobKind, State

PROCESS = "engine.evaluation"
QUEUE_SECONDS = 240.0
"""For all evaluations that are queued: each loads the model anew, half a minute on a machine that others use."""
LIMIT_SECONDS = 600.0
"""Of a try, which waits for the queue twice."""
ASKING = (
    RECORD,
    "engine.evaluation.measure:Examination._predictions",
    "engine.evaluation.measure:Examination._answers",
)
SCORING = (
    "engine.store.writer_results:ResultWrites.add_scores",
    "engine.store.writer_results:ResultWrites.set_marks",
    "engine.store.writer_jobs:JobWrites.transition",
    "engine.evaluation.finishing:score",
)


def killed_while_asking(case: Case) -> RealWorld:
    """Between two answers, or while they are written."""
    at = case.chance.randint(2, 10)
    return _broken_by(case, {"target": case.chance.choice(ASKING), "at": at})


def killed_while_scoring(case: Case) -> RealWorld:
    """While scores, marks and the state are written."""
    target = case.chance.choice(SCORING)
    inside = "engine.evaluation.process:finish" if "transition" not in target else ""
    at = case.chance.randint(2, 3) if "transition" in target else 1
    return _broken_by(case, {"target": target, "inside": inside, "at": at})


def _broken_by(case: Case, fault: Fault) -> RealWorld:
    with RealWorld(case, trained=True) as world:
        world.inject({**fault, "when": case.chance.choice(["before", "after"]), "do": "kill", "process": PROCESS})
        queued = queue_evaluation(world.workspace)
        world.start_worker()
        world.until(world.struck, "the fault strikes")
        died = time.monotonic()
        world.until(lambda: not _dead(world, queued), "the death is known", RIGHT_WITHIN_SECONDS)
        world.seen.seconds = time.monotonic() - died
        world.until(lambda: not _running(world, queued), "nothing runs any more", QUEUE_SECONDS)
        broken = _interrupted(world, queued)
        world.check_answers(queued)
        for each in broken:
            row = world.row(each, JobKind.EVALUATION)
            if "sonotune resume" not in (row.error_next_step or ""):
                world.seen.wrong(f"evaluation {each} does not say what to do: {row.error_next_step}")
            world.resume(each, JobKind.EVALUATION)
        world.until(lambda: not _running(world, queued), "nothing runs any more", QUEUE_SECONDS)
        world.check_answers(queued)
        world.check(1)
        wanted = world.template.answers
        found = {str(each): answers(world.workspace, each) for each in queued}
        # One that was killed as it had just succeeded is not broken off.
        world.seen.resumed = found == wanted if broken else None
        if found != wanted:
            world.seen.wrong("evaluations end otherwise than unbroken")
            different = [each for each in wanted if found.get(each) != wanted[each]]
            states = {each: world.row(int(each), JobKind.EVALUATION).state for each in different}
            world.seen.notes.append(f"otherwise are {states}; interrupted were {broken}")
    return world


def _interrupted(world: RealWorld, queued: list[int]) -> list[int]:
    return [each for each in queued if world.row(each, JobKind.EVALUATION).state == State.INTERRUPTED]


def _dead(world: RealWorld, queued: list[int]) -> bool:
    """Whether a row still says that a process is at work which is not there."""
    rows = [world.row(each, JobKind.EVALUATION) for each in queued]
    return any(row.state in ACTIVE and not is_alive(row.pid, row.process_start) for row in rows)


def _running(world: RealWorld, queued: list[int]) -> bool:
    return any(world.row(each, JobKind.EVALUATION).state not in ENDED for each in queued)
