"""One try against the real training and evaluation process: what must hold of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from harness import Case
from light_world import TOLERANCE
from real_template import STEPS, curves
from real_try import BUSY_SECONDS, Fault, RealTry

from engine.store.reader import Reader
from engine.types import ENDED, JobKind, State

STEP = "engine.training.trainer:AnswerTrainer.training_step"


def slower(seconds: float) -> Fault:
    """Each step takes so much longer, in every attempt: a tiny run would be over before anything can befall it."""
    return {"target": STEP, "when": "after", "do": "sleep", "seconds": seconds, "times": -1, "always": True}


class RealWorld(RealTry):
    """A try with its checks."""

    _saved = (0, 0)
    """Lines of the witness at the last resume, and the step of the newest complete checkpoint at that time."""

    def resume(self, job_id: int, kind: JobKind = JobKind.TRAINING) -> None:
        """As the user would; what a complete checkpoint holds must not be trained again."""
        if kind is JobKind.TRAINING:
            self._saved = (len(self.witnessed(job_id)), self._newest_checkpoint(job_id))
        super().resume(job_id, kind)

    def _newest_checkpoint(self, run_id: int) -> int:
        from engine.training.checkpoints import checkpoint_step, complete_checkpoints

        found = complete_checkpoints(self._folder(run_id) / "checkpoints")
        return (checkpoint_step(found[-1]) or 0) if found else 0

    def _folder(self, run_id: int) -> Path:
        with Reader(self.workspace) as reader:
            return self.workspace.root / reader.run(run_id).directory

    def check(self, run_id: int) -> None:
        """Nothing that was committed is lost, the database is whole, and nothing half-written counts."""
        with closing(sqlite3.connect(self.workspace.database)) as connection:
            integrity = connection.execute("PRAGMA integrity_check").fetchall()
            foreign = connection.execute("PRAGMA foreign_key_check").fetchall()
        if integrity != [("ok",)] or foreign:
            self.seen.wrong(f"the database is not whole: {integrity[:3]} {foreign[:3]}")
            return
        self._rows(run_id)
        self._files(run_id)
        lines, saved = self._saved
        if again := [line["step"] for line in self.witnessed(run_id)[lines:] if line.get("step", saved + 1) <= saved]:
            self.seen.wrong(
                f"run {run_id} trained steps {again} again, although a checkpoint of step {saved} was whole"
            )

    def _rows(self, run_id: int) -> None:
        with Reader(self.workspace) as reader:
            points = {(point.key, point.step): point.value for point in reader.metrics(run_id)}
            events = {(event.kind, event.detail) for event in reader.events(run_id=run_id)}
        missing: list[str] = []
        for line in self.witnessed(run_id):
            for key, value in line.get("values", {}).items():
                if (key, line["step"]) not in points:
                    missing.append(f"{key} of step {line['step']}")
                elif key == "loss" and not _close(points[key, line["step"]], value):
                    missing.append(f"loss of step {line['step']}: {value} became {points[key, line['step']]}")
            if "event" in line and (line["event"], line["detail"]) not in events:
                missing.append(f"event {line['event']}")
        if missing:
            self.seen.lost_rows += len(missing)
            self.seen.notes.append(f"run {run_id} lost: {missing[:8]}")

    def check_answers(self, evaluation_ids: Sequence[int]) -> None:
        """No prediction that was committed is lost."""
        for each in evaluation_ids:
            with Reader(self.workspace) as reader:
                there = {prediction.path for prediction in reader.predictions(each)}
            told = {path for line in self.witnessed(each, JobKind.EVALUATION) for path in line.get("paths", ())}
            if told - there:
                self.seen.lost_rows += len(told - there)
                self.seen.notes.append(f"evaluation {each} lost {len(told - there)} of {len(told)} predictions")

    def _files(self, run_id: int) -> None:
        from safetensors import safe_open

        from engine.files import sha256_of
        from engine.training.checkpoints import complete_checkpoints

        with Reader(self.workspace) as reader:
            run = reader.run(run_id)
        saved = complete_checkpoints(self._folder(run_id) / "checkpoints")
        found = [each / "adapter_model.safetensors" for each in saved]
        if run.adapter_path is not None:
            weights = self.workspace.root / run.adapter_path / "adapter_model.safetensors"
            found.append(weights)
            if sha256_of(weights) != run.adapter_sha256:
                self.seen.wrong("the adapter is not the one that the row names")
        for file in found:
            with safe_open(file, "pt") as weights:
                if not list(weights.keys()):
                    self.seen.wrong(f"{file} holds nothing")

    def check_told(self, run_id: int) -> None:
        """`sonotune show` says what happened and names the next command."""
        done = self.sonotune("show", str(run_id))
        row, text = self.row(run_id), " ".join(done.stdout.split())
        if done.returncode or " ".join(row.reason.split())[:60] not in text or "sonotune resume" not in text:
            self.seen.wrong(f"`sonotune show {run_id}` does not tell what happened and what to do: {text[-600:]}")

    def finish(self, run_id: int, *, resumed: bool | None = None) -> None:
        """Wait for the end, and compare with the unbroken run: every step once, loss and learning rate the same.

        Args:
            run_id: of the run.
            resumed: whether it was resumed; None: it has not been broken off, and must not have been.
        """
        row = self.until_state(run_id, *ENDED)
        wanted, found = self.template.unbroken(self.variant), curves(self.workspace, run_id)
        same = row.state == State.SUCCEEDED and all(_same(found[key], wanted[key]) for key in wanted)
        if resumed is not None:
            self.seen.resumed = same
        elif not same:
            self.seen.wrong(f"run {run_id} was not broken off, and does not end as an unbroken run")
        if not same:
            error = f"{row.error_title or ''} {self._detail(run_id)}"
            self.seen.notes.append(
                f"run {run_id}: {row.state} ({row.reason}) {error}; {found['loss']} != {wanted['loss']}"
            )
        self.check(run_id)

    def _detail(self, run_id: int) -> str:
        with Reader(self.workspace) as reader:
            return str(reader.run(run_id).error_detail or "")[-800:]

    def goes_on(self, evaluation_id: int) -> None:
        """The queue goes on: the job behind ends well."""
        row = self.until_state(evaluation_id, *ENDED, kind=JobKind.EVALUATION)
        if row.state != State.SUCCEEDED:
            self.seen.wrong(f"the job behind ended as {row.state}: {row.reason} {row.error_title or ''}")


def _same(found: dict[str, float], wanted: dict[str, float]) -> bool:
    return found.keys() == wanted.keys() and all(_close(found[step], wanted[step]) for step in wanted)


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE


__all__ = ["BUSY_SECONDS", "STEP", "STEPS", "Fault", "RealWorld", "slower", "started"]


@contextmanager
def started(case: Case, *faults: Fault, variant: str = "") -> Iterator[tuple[RealWorld, int]]:
    """A run that the real worker is starting, with faults in its process; all of it is ended with the block."""
    with RealWorld(case, variant) as world:
        world.inject(*faults)
        run = world.launch()
        world.start_worker()
        yield world, run
