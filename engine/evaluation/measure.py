"""Ask a model about cases: one prediction a case and question, all questions about the same pictures together."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from engine.data.labels import target_text
from engine.errors import SonotuneError
from engine.evaluation.answerers import answerer_for
from engine.evaluation.generate import Generated
from engine.evaluation.judging import judge
from engine.evaluation.label_scoring import p_abnormal, probabilities
from engine.evaluation.protocol import Protocol
from engine.evaluation.showing import Shown, show
from engine.evaluation.subject import Subject
from engine.evaluation.tree.answering import Answered
from engine.evaluation.tree.pictures import Prepared, prepared
from engine.evaluation.tree.rows import Ask
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.serving_errors import Compiled, compile_patterns
from engine.types import Case, Outcome, Prediction


@dataclass(frozen=True, slots=True)
class Asking:
    """One evaluation's question and cases."""

    protocol: Protocol
    cases: Sequence[Case]


@dataclass(frozen=True, slots=True)
class Batch:
    """What came of one batch of pictures, by the numbers of the evaluations."""

    predictions: Mapping[int, list[Prediction]]
    seconds: Mapping[int, float]
    """Share of each in the time of the batch: pass and decoding are common, so the time is split by answers."""
    failures: Mapping[int, SonotuneError]
    """Evaluations that cannot go on, because one of their pictures cannot be shown."""


class _NobodyWaits(Exception):  # noqa: N818 - no error: ends a pass that nobody wants any more
    pass


class Examination:
    """Some evaluations of one subject that show the same pictures in the same way."""

    def __init__(
        self,
        subject: Subject,
        askings: Mapping[int, Asking],
        batch_size: int,
        *,
        live: Callable[[], Collection[int]] | None = None,
        note: Callable[[str, str], None] = lambda _kind, _detail: None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Lay out who asks what.

        Args:
            subject: the loaded model.
            askings: evaluations by number; image size and degradation are the same for all. Cases may differ, because
                not every image has an answer to every question.
            batch_size: images in one pass.
            live: tells whose answers are still wanted; asked before each batch and between tokens. None: all.
            note: takes lines for the history: kind and detail.
            clock: seconds.

        Raises:
            JobError: this version does not know the degradation.
            ValueError: the askings show different pictures.
        """
        if len({(each.protocol.image_size, each.protocol.degradation) for each in askings.values()}) != 1:
            raise ValueError("evaluations that show different pictures cannot be measured together")
        self._subject, self._askings, self._batch_size, self._clock = subject, dict(askings), batch_size, clock
        self._numbers = list(askings)
        self._live = live or (lambda: self._numbers)
        self._shown, self._asked = _shown(subject, self._askings)
        self._errors = {each: compile_patterns(asking.protocol.error_patterns) for each, asking in askings.items()}
        asks = [
            Ask(each.protocol.wording, each.protocol.max_new_tokens, tuple(each.protocol.candidates))
            for each in askings.values()
        ]
        self._answerer = answerer_for(subject, asks, note)

    @property
    def refusal(self) -> str | None:
        """Why the questions are put one by one; None where one pass an image serves all of them."""
        return self._answerer.refusal

    def batches(self) -> Generator[Batch]:
        """Answers batch by batch, in the order of the pictures, until nobody waits for any."""
        pictures = range(len(self._asked))
        chunks = [pictures[start : start + self._batch_size] for start in pictures[:: self._batch_size]]
        failed: set[int] = set()
        with closing(prepared(self._shown.pixels, chunks, pinned=self._subject.device.type == "cuda")) as coming:
            while True:
                begun = self._clock()
                batch = next(coming, None)
                live = set(self._live()) - failed
                if batch is None or not live:
                    return
                failures = self._failures(batch, live)
                failed |= set(failures)
                try:
                    answers = self._answers(batch, live - failed)
                except _NobodyWaits:
                    return
                yield self._predictions(answers, failures, self._clock() - begun)

    def _failures(self, batch: Prepared, live: set[int]) -> dict[int, SonotuneError]:
        found: dict[int, SonotuneError] = {}
        for picture, error in batch.failures.items():
            for number in live & self._asked[picture].keys():
                found.setdefault(number, error)
        return found

    def _answers(self, batch: Prepared, live: set[int]) -> dict[int, list[Answered]]:
        """By picture; the asks in them are numbered by their place among the evaluations."""
        places = {number: place for place, number in enumerate(self._numbers)}
        asked = {
            picture: tuple(places[number] for number in self._asked[picture] if number in live)
            for picture in batch.numbers
        }
        kept = [place for place, picture in enumerate(batch.numbers) if asked[picture]]
        if not kept or batch.pictures is None:
            return {}

        def between() -> None:
            if not live & set(self._live()):
                raise _NobodyWaits

        chosen = [batch.numbers[place] for place in kept]
        found = self._answerer.answer(batch.pictures.chosen(kept), [asked[each] for each in chosen], between)
        return dict(zip(chosen, found, strict=True))

    def _predictions(
        self, answers: Mapping[int, list[Answered]], failures: Mapping[int, SonotuneError], seconds: float
    ) -> Batch:
        found: dict[int, list[Prediction]] = {}
        counts: Counter[int] = Counter()
        for picture, each in answers.items():
            for answer in each:
                number = self._numbers[answer.ask]
                counts[number] += 1
                found.setdefault(number, []).extend(self._of_picture(number, picture, answer))
        total = counts.total()
        return Batch(found, {number: seconds * count / total for number, count in counts.items()}, failures)

    def _of_picture(self, number: int, picture: int, answer: Answered) -> Iterator[Prediction]:
        protocol = self._askings[number].protocol
        shares: dict[str, float] = {}
        if answer.log_likelihoods is not None:
            [shares] = probabilities(answer.log_likelihoods[None], protocol.candidates)
        for case in self._asked[picture][number]:
            yield predict(case, protocol.question, answer.generated, shares, self._errors[number], protocol.layers)


def _shown(subject: Subject, askings: Mapping[int, Asking]) -> tuple[Shown, list[dict[int, list[Case]]]]:
    """The pictures, and for each of them the cases that it stands for, by the evaluation that asks about them."""
    own = {number: {case.path: case for case in asking.cases} for number, asking in askings.items()}
    union = {path: case for cases in own.values() for path, case in cases.items()}
    protocol = next(iter(askings.values())).protocol
    shown = show([union[path] for path in sorted(union)], protocol, subject.geometry)
    asked = []
    for members in shown.members:
        found = {number: [cases[each.path] for each in members if each.path in cases] for number, cases in own.items()}
        asked.append({number: cases for number, cases in found.items() if cases})
    return shown, asked


def predict(
    case: Case,
    question: str,
    answer: Generated,
    shares: dict[str, float],
    errors: Compiled | None = None,
    layers: Layers = ALL_LAYERS,
) -> Prediction:
    """One answer, read and held against its target."""
    target = target_text(case.answers, question) or ""
    judged = judge(question, answer.text, target, cut_off=answer.cut_off, errors=errors, layers=layers)
    return Prediction(
        path=case.path,
        view=case.view,
        question=question,
        target=target,
        raw_output=answer.text,
        parsed=judged.parsed,
        target_parsed=judged.target_parsed,
        correct=judged.correct,
        # An error is no answer, whatever its text is likely to be.
        p_abnormal=p_abnormal(shares) if shares and judged.outcome is not Outcome.ERROR else None,
        probabilities=shares,
        cut_off=answer.cut_off,
        latency_seconds=answer.latency_seconds,
        generated_tokens=answer.tokens,
        outcome=judged.outcome,
    )
