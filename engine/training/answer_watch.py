"""Looks at real answers while a run trains: a model that says one and the same thing has collapsed, whatever its loss.

A falling loss does not tell: on data that is mostly one answer, learning that answer alone makes it fall. So a few
validation images are answered at some steps of the training, and the answers are held against their targets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback

from engine.data.labels import target_text
from engine.data.split import rank
from engine.errors import DataError
from engine.jobs.phases import Phase
from engine.questions.answers import read_answer
from engine.questions.prompts import prompt_text
from engine.questions.reading import Status
from engine.scoring.collapse import collapse_check
from engine.training.callbacks import Recorder
from engine.training.encoding import Encoder
from engine.training.meter import StepMeter
from engine.training.phases import Phases
from engine.training.pixels import Geometry, PixelStore, root_of
from engine.types import Case

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.recipe import Recipe

CASES = 24
"""Images for each question: enough to see different targets, few enough to cost less than a second a check."""
BATCH = 8
LONGEST_ANSWER = 32
"""Tokens: whether answers differ shows early."""


def check_steps(planned: int, checks: int) -> frozenset[int]:
    """The steps after which answers are looked at: evenly spread, the last one among them."""
    if planned < 1:
        return frozenset()
    return frozenset(max(1, round(planned * number / checks)) for number in range(1, checks + 1))


def choose_cases(cases: Sequence[Case], question: str, count: int = CASES) -> list[Case]:
    """Cases with as many different targets as possible: one of each target in turn, rare ones included.

    A sample in proportion would hold nothing but "normal" where 98 % are, and could not tell a collapse from the truth.
    A target that cannot be read is no target: nothing can be held against it.
    """
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(cases, key=lambda case: rank("answer watch", question, case.path)):
        target = target_text(case.answers, question)
        reading = read_answer(question, target or "")
        if reading.status is not Status.UNPARSEABLE:
            groups[reading.value].append(case)
    turns = zip_longest(*(groups[target] for target in sorted(groups)))
    return [case for turn in turns for case in turn if case is not None][:count]


class AnswerWatch(TrainerCallback):  # type: ignore[misc]
    """Answers a few validation cases at some steps, and writes into the run's history what came of it."""

    def __init__(
        self,
        recipe: Recipe,
        cases: Sequence[Case],
        planned: int,
        processor: Any,
        record: Recorder,
        event: Callable[[str, str], None],
        meter: StepMeter,
        phases: Phases | None = None,
    ) -> None:
        """Prepare the questions.

        Args:
            recipe: of the run.
            cases: of the validation split.
            planned: steps of the training.
            processor: of the model.
            record: where figures go.
            event: writes a line (kind, detail) into the run's history.
            meter: of the training: a check is no part of a step's time.
            phases: of the run, where a check is told as one.
        """
        self.steps = check_steps(planned, recipe.training.answer_checks)
        self.encoder = Encoder(processor)
        self.tokens = min(recipe.evaluation.max_new_tokens, LONGEST_ANSWER)
        self.record, self.event, self.meter = record, event, meter
        self.phases = phases or Phases(record)
        geometry = Geometry.of(processor)
        self.asked = []
        for question in recipe.data.questions if self.steps else ():
            chosen = choose_cases(cases, question)
            if not chosen:
                continue  # nothing to hold answers against
            pixels = PixelStore([case.file for case in chosen], recipe.data.image_size, geometry, root=root_of(chosen))
            prompt = prompt_text(question, recipe.data.prompt, recipe.data.prompt_text)
            self.asked.append((question, prompt, chosen, pixels))

    def on_step_end(self, _args: Any, state: Any, _control: Any, model: Any = None, **_: Any) -> None:
        """Look at answers where this step is one of those chosen."""
        if state.global_step not in self.steps:
            return
        with self.phases.during(Phase.ANSWERS), self.meter.paused():
            try:
                with answering(model):
                    for question, prompt, cases, pixels in self.asked:
                        self._check(state.global_step, question, cases, self._answers(model, prompt, cases, pixels))
            except (torch.OutOfMemoryError, DataError) as error:
                # A look by the way must not end a training.
                first = str(error).partition("\n")[0]
                self.event("answers", f"step {state.global_step}: the answer check was left out: {first}")
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()

    def _answers(self, model: Any, prompt: str, cases: Sequence[Case], pixels: PixelStore) -> list[str]:
        from engine.evaluation.generate import generate, prompt_batch

        device = next(model.parameters()).device
        answers = []
        for start in range(0, len(cases), BATCH):
            chosen = list(range(start, min(start + BATCH, len(cases))))
            batch = prompt_batch(self.encoder, pixels, chosen, prompt, device)
            answers += [each.text for each in generate(model, self.encoder, batch, self.tokens)]
        return answers

    def _check(self, step: int, question: str, cases: Sequence[Case], answers: Sequence[str]) -> None:
        readings = [read_answer(question, answer) for answer in answers]
        said = [
            answer if reading.status is Status.UNPARSEABLE else reading.value
            for answer, reading in zip(answers, readings, strict=True)
        ]
        meant = [read_answer(question, target_text(case.answers, question) or "").value for case in cases]
        result = collapse_check(said, meant, [case.view for case in cases])
        name = "distinct_answers" if len(self.asked) == 1 else f"distinct_answers_{question}"
        self.record.metrics(step, {name: float(result.distinct_answers)})
        self.event("collapsed" if result.collapsed else "answers", f"step {step}, {question}: {result.sentence}")


@contextmanager
def answering(model: Any) -> Iterator[None]:
    """The model as it answers; afterwards it trains on as if nothing had been asked, random numbers included."""
    training = model.training
    device = next(model.parameters()).device
    gpus = [device.index or 0] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), torch.no_grad(), torch.autocast("cuda", torch.bfloat16, bool(gpus)):
        model.eval()
        try:
            yield
        finally:
            model.train(training)
