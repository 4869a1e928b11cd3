"""A run on several ranks as the tests start it: from a server that has loaded the libraries once, and forks."""

from __future__ import annotations

import multiprocessing
import queue
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Action, Case
from engine.workspace import Workspace

CONTEXT = multiprocessing.get_context("forkserver")
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Wanted:
    """What all ranks are told."""

    root: Path
    base: Path
    cases: Sequence[Case]
    recipe: Recipe
    micro_batch: int
    accumulation: int
    packed: bool
    run_id: int
    size: int
    stop_after: int | None = None
    """The user asks the first rank to stop after so many steps."""
    short_of_memory: tuple[int, int] | None = None
    """Rank and step at which a forward pass runs out of memory."""


def launch(root: Path, recipe: Recipe) -> int:
    with Writer.open(Workspace(root)) as writer:
        return writer.create_run(recipe.name, recipe_json(recipe), "d", "f", "s", recipe.model.id, 7)


def train_on_ranks(wanted: Wanted) -> list[Any]:
    """Train to the end, or to the stop; the result of each rank."""
    store = wanted.root / f"store-{wanted.run_id}-{wanted.stop_after}"
    CONTEXT.set_forkserver_preload(["engine.training.distributed.trainer", "engine.training.recipe_run"])
    answers = CONTEXT.Queue()
    ranks = [CONTEXT.Process(target=_rank, args=(number, str(store), wanted, answers)) for number in range(wanted.size)]
    for rank in ranks:
        rank.start()
    try:
        said = dict(_answer(answers, ranks) for _ in ranks)
    finally:
        for rank in ranks:
            rank.kill()
    failed = [each for each in said.values() if isinstance(each, str)]
    assert not failed, "\n".join(failed)
    return [said[number] for number in range(wanted.size)]


def _answer(answers: Any, ranks: Sequence[Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        died = [rank.name for rank in ranks if rank.exitcode not in (None, 0)]
        try:
            return answers.get(timeout=0.2)
        except queue.Empty:
            assert not died, died
    raise AssertionError("the ranks came to no end")


def _rank(number: int, store: str, wanted: Wanted, answers: Any) -> None:
    try:
        answers.put((number, _train(number, store, wanted)))
    except Exception:  # noqa: BLE001 - the test shows it
        answers.put((number, traceback.format_exc()))


def _train(number: int, store: str, wanted: Wanted) -> Any:
    import torch

    from engine.preflight.models import Layout
    from engine.training.distributed.ranks import ALONE, join, leave
    from engine.training.distributed.session import NoRecord, RankSession, Wishes
    from engine.training.layout import Computation
    from engine.training.recipe_run import TrainingJob, train
    from engine.training.record import RunRecord

    torch.set_num_threads(1)
    ranks = ALONE if wanted.size == 1 else join(store, number, wanted.size)
    layout = Layout(
        backend="transformers",
        quantization="none",
        packed=wanted.packed,
        micro_batch=wanted.micro_batch,
        accumulation=wanted.accumulation,
        checkpointing=False,
        compiled=False,
        devices=wanted.size,
    )
    workspace = Workspace(wanted.root)
    with Reader(workspace) as reader:
        directory = workspace.root / reader.run(wanted.run_id).directory

    class User(Wishes):
        """Wants the run to stop after some steps; only the first rank is ever told."""

        steps = 0

    user = User()
    with RankSession(workspace, wanted.run_id, ranks, user) as session:

        class Requests:
            def check(self) -> Action | None:
                user.steps += 1
                if ranks.first and user.steps == wanted.stop_after:
                    user.asked = Action.STOP
                return session.check()

        job = TrainingJob(
            recipe=wanted.recipe,
            source=str(wanted.base),
            directory=directory,
            cases=lambda split: [case for case in wanted.cases if case.split == split],
            computation=Computation(layout, "test"),
            device=torch.device("cpu"),
            record=NoRecord() if session.recording is None else RunRecord(session.recording),
            requests=Requests(),
            event=session.event,
            ranks=ranks,
        )
        if wanted.short_of_memory is not None and wanted.short_of_memory[0] == number:
            _run_short(wanted.short_of_memory[1])
        result = train(job)
    if wanted.size > 1:
        leave()
    return {"stopped": result.stopped, "step": result.step, "steps": user.steps, "relieved": result.relieved}


def _run_short(step: int) -> None:
    """Let the forward passes of one step fail, until they are cut in half."""
    import torch

    import engine.training.trainer as module

    original = module.AnswerTrainer.compute_loss

    def short(self: Any, *arguments: Any, **options: Any) -> Any:
        if self.state.global_step == step - 1 and self.guard.cuts == 0:
            raise torch.OutOfMemoryError("no memory left, says the test")
        return original(self, *arguments, **options)

    module.AnswerTrainer.compute_loss = short  # type: ignore[method-assign]
