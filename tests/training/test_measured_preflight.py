"""The measured preflight: real steps of a tiny model on the largest samples, in this process and in one of its own."""

from __future__ import annotations

import queue
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from cli_helpers import popen

from engine import api
from engine.api.measured_outcome import keep_measured
from engine.ask import places
from engine.data.importers.phantoms import import_phantoms
from engine.errors import SonotuneError
from engine.jobs.devices import Device
from engine.preflight.models import Card, Layout
from engine.recipe import recipe_values
from engine.store.writer import Writer
from engine.training.measure_memory.largest import largest_cases
from engine.training.measure_memory.wire import WireError, decode, encode
from engine.training.model_files import repository_root
from engine.types import Case, JobKind, Split, State
from engine.workspace import Workspace

EMBEDDED = str(repository_root() / "assets" / "base-model")
SIZE = 96
GIB = 2**30
LAYOUT = Layout("transformers", "none", True, 8, 2, False, False)
ON_A_CARD = api.MemoryMeasured("NVIDIA X", 3 * GIB, 4 * GIB, GIB, 0.5, 2.0, 4, 8, 300, LAYOUT, 1000)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test but those for a GPU sees the one that this machine may have."""
    if request.node.get_closest_marker("gpu") is None:
        for module in ("engine.ask.places", "engine.api.preflighting"):
            monkeypatch.setattr(f"{module}.known_devices", lambda: (Device("cpu", "CPU", 8 * GIB, ""),))


# ----- what is measured


def case(number: int, width: int, height: int, **answers: str) -> Case:
    return Case(number, f"{number}.png", Path(f"{number}.png"), "Femur", Split.TRAIN, answers, "", width, height)


def test_the_images_with_the_most_tokens_come_first(recipe: Callable[..., Any]) -> None:
    cases = [
        case(0, 800, 200, Q7="Normal"),
        case(1, 800, 600, Q7="Normal"),
        case(2, 800, 600, Q7="Normal for gestational age"),
        case(3, 800, 800, Q1="no answer to the question of this run"),
        case(4, 0, 0, Q7="Normal"),
    ]
    wanted = recipe(data={"image_size": 512})
    assert [each.index for each in largest_cases(cases, wanted, 4)] == [4, 2, 1, 0]
    many = [case(number, 800, 600, Q7="Normal") for number in range(100)]
    assert len(largest_cases(many, wanted, 4)) == 20


@pytest.fixture(scope="module")
def probe(base_folder: Path, phantom_cases: Any) -> Callable[..., Any]:
    """A measurement of the tiny model in this process."""
    import torch

    from engine.training.layout import Computation
    from engine.training.measure_memory.probe import Probe

    def build(wanted: Any, **layout: Any) -> Any:
        train = [each for each in phantom_cases if each.split == Split.TRAIN]
        computation = Computation(replace(LAYOUT, **layout), "tests")
        return Probe(wanted, str(base_folder), computation, torch.device("cpu"), train)

    return build


def batches_of(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every batch that the trainer takes from now on."""
    from engine.training.trainer import AnswerTrainer

    seen: list[dict[str, Any]] = []
    real = AnswerTrainer.training_step

    def step(self: Any, model: Any, inputs: dict[str, Any], tokens: Any = None) -> Any:
        seen.append(inputs)
        return real(self, model, inputs, tokens)

    monkeypatch.setattr(AnswerTrainer, "training_step", step)
    return seen


@pytest.mark.parametrize("packed", [True, False])
def test_real_steps_are_taken_on_the_longest_samples(
    packed: bool, probe: Any, recipe: Callable[..., Any], phantom_cases: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.training.encoding import Encoder
    from engine.training.measure_memory.probe import measure
    from engine.training.model import load_processor

    wanted = recipe(data={"questions": ["Q1", "Q7"]}, training={"batch": 4, "accumulation": 2})
    job = probe(wanted, packed=packed, micro_batch=4, accumulation=2)
    seen, said = batches_of(monkeypatch), []
    found = measure(job, said.append, steps=3)

    assert [each.step for each in said if isinstance(each, api.MeasureStep)] == [1, 2, 3]
    assert found.fitted and found.steps == 3
    assert (found.card, found.allocated_peak, found.reserved_peak) == ("", None, None)
    assert found.host_peak > 10**8
    assert found.step_seconds is not None and 0 < found.step_seconds <= sum(
        each.seconds for each in said if isinstance(each, api.MeasureStep)
    )
    assert found.layout.packed is packed
    assert found.lora_parameters > 0
    assert len(seen) == 3 * 2
    assert (found.rows, found.length) == tuple(seen[0]["labels"].shape)
    assert found.rows == (2 if packed else 4)

    # Every step is the same one: of the longest samples that the training split has.
    encoder = Encoder(load_processor(job.source))
    per_case = [
        sum(len(encoder.answer(each.answers[question])) for question in (("Q1", "Q7") if packed else ("Q1",)))
        for each in job.cases
    ]
    in_step = seen[:2]
    trained = sum(int((batch["labels"] != -100).sum()) for batch in in_step)
    assert trained == sum(sorted(per_case, reverse=True)[: 4 if packed else 8])
    assert all((seen[0]["labels"] == later["labels"]).all() for later in seen[2::2])
    assert int((seen[0]["labels"] != -100).sum()) >= int((seen[1]["labels"] != -100).sum())


def test_a_step_is_no_larger_than_the_training(probe: Any, recipe: Callable[..., Any]) -> None:
    from engine.training.measure_memory.probe import measure

    job = probe(recipe(), packed=False, micro_batch=64, accumulation=4)
    found = measure(replace(job, cases=job.cases[:10]), lambda _: None, steps=2)
    assert (found.layout.micro_batch, found.layout.accumulation, found.rows, found.steps) == (10, 1, 10, 2)


def test_too_little_memory_is_a_result_and_nothing_is_tried_smaller(
    probe: Any, recipe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from engine.training import trainer
    from engine.training.measure_memory.probe import measure

    calls, real = [], trainer.answer_loss

    def loss(*words: Any) -> Any:
        calls.append(words)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("none left")
        return real(*words)

    monkeypatch.setattr(trainer, "answer_loss", loss)
    found = measure(probe(recipe(), packed=False, micro_batch=4, accumulation=2), lambda _: None)
    assert not found.fitted
    assert (found.out_of_memory, found.steps, found.step_seconds) == ("step 2", 1, None)
    assert len(calls) == 3


# ----- the wire


def test_messages_survive_the_wire_in_ascii() -> None:
    for message in (api.MeasureStage("größer\n\x1b[2J"), api.MeasureStep(1, 4, 0.25), ON_A_CARD):
        line = encode(message)
        assert line.isascii() and line.count(b"\n") == 1
        assert decode(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"step"}',
        b'{"type":"stage","words":"a","more":1}',
        b'{"type":"measured","layout":3}',
    ],
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


# ----- the process


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    found = Workspace(tmp_path_factory.mktemp("measured"))
    with Writer.open(found) as writer:
        import_phantoms(
            found,
            "phantoms",
            count=40,
            seed=1,
            abnormal_share=0.5,
            size=SIZE,
            processes=1,
            recorder=writer.record_dataset,
        )
    return found


def begun(workspace: Workspace, recipe: Any, **options: Any) -> tuple[api.MemoryMeasurement, queue.SimpleQueue[Any]]:
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    measurement = api.MemoryMeasurement(workspace, recipe, deliver=events.put, **options)
    measurement.start()
    return measurement, events


def test_a_process_measures_and_leaves_the_workspace_as_it_was(
    workspace: Workspace, recipe: Callable[..., Any]
) -> None:
    wanted = recipe(model={"id": EMBEDDED}, data={"questions": ["Q1", "Q7"]}, training={"batch": 4, "accumulation": 2})
    measurement, events = begun(workspace, wanted)
    found: list[Any] = []
    try:
        while not found or not isinstance(found[-1], (api.MemoryMeasured, SonotuneError)):
            found.append(events.get(timeout=120))
    finally:
        measurement.close()
    result = found[-1]
    assert isinstance(result, api.MemoryMeasured), result
    assert result.steps == 4
    assert result.layout == measurement.estimated.layout
    assert result.layout.packed
    assert [each.step for each in found if isinstance(each, api.MeasureStep)] == [1, 2, 3, 4]
    assert api.runs(workspace) == []
    assert not workspace.outputs.exists()
    assert api.measured_peaks(workspace) == []  # a CPU has no GPU memory to learn from
    assert measurement._watched.process is not None and measurement._watched.process.returncode == 0


def test_a_measurement_that_is_closed_leaves_no_process(workspace: Workspace, recipe: Callable[..., Any]) -> None:
    measurement, events = begun(workspace, recipe(model={"id": EMBEDDED}))
    assert isinstance(events.get(timeout=60), api.MeasureStage)
    started = time.monotonic()
    measurement.close()
    assert time.monotonic() - started < 10
    process = measurement._watched.process
    assert process is not None and process.returncode is not None
    assert not Path(measurement._folder.name).exists()
    assert events.empty() or isinstance(events.get(), api.MeasureStage)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 1), (signal.SIGKILL, -signal.SIGKILL)])
def test_the_command_leaves_no_process_behind_however_it_ends(
    sent: signal.Signals, code: int, workspace: Workspace
) -> None:
    command = popen(workspace.root, "preflight", "demo", "--measure")
    assert command.stderr is not None
    assert any("starting" in line for line in iter(command.stderr.readline, ""))
    [child] = psutil.Process(command.pid).children()
    assert "engine.training.measuring" in child.cmdline()
    command.send_signal(sent)
    command.communicate(timeout=30)
    assert command.returncode == code
    _, alive = psutil.wait_procs([child], timeout=20)
    assert alive == []


def test_what_the_process_cannot_use_is_told_with_the_next_step(
    workspace: Workspace, recipe: Callable[..., Any]
) -> None:
    gone = recipe(model={"id": EMBEDDED}, data={"dataset": "gone"})
    with pytest.raises(SonotuneError, match="no dataset named gone"):
        api.MemoryMeasurement(workspace, gone, deliver=lambda _: None)
    measurement, events = begun(workspace, recipe(model={"id": EMBEDDED}), command=["false"])
    died = events.get(timeout=20)
    measurement.close()
    assert isinstance(died, SonotuneError)
    assert "exit code 1" in died.reason


def test_a_gpu_with_a_job_is_left_alone_unless_forced(
    workspace: Workspace, recipe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe(model={"id": EMBEDDED})
    monkeypatch.setattr(places, "known_devices", lambda: (Device("cuda:0", "NVIDIA X", 24 * GIB, "GPU-x"),))
    free = api.MemoryMeasurement(workspace, wanted, deliver=lambda _: None)
    assert (free.place.device, free.note) == ("cuda:0", "")
    free.close()
    record = api.dataset_summary(workspace, "phantoms").record
    with Writer.open(workspace) as writer:
        run = writer.create_run("busy", "{}", "phantoms", record.fingerprint, record.split_fingerprint, EMBEDDED, 7)
        for before, after in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
            assert writer.transition(JobKind.TRAINING, run, before, after, "test", device="cuda:0")
    try:
        with pytest.raises(api.BusyDeviceError, match="A job is at work on the only GPU") as refused:
            api.MemoryMeasurement(workspace, wanted, deliver=lambda _: None)
        assert "--force" in refused.value.next_step
        forced = api.MemoryMeasurement(workspace, wanted, deliver=lambda _: None, forced=True)
        assert "at work on cuda:0 too" in forced.note
        forced.close()
    finally:
        with Writer.open(workspace) as writer:
            assert writer.transition(JobKind.TRAINING, run, State.RUNNING, State.CANCELLED, "test")


# ----- what becomes of it


def test_a_measured_peak_is_kept_and_the_next_estimate_knows_it(
    workspace: Workspace, recipe: Callable[..., Any]
) -> None:
    wanted = recipe(model={"id": EMBEDDED, "backend": "transformers"})
    before = api.preflight(workspace, wanted, memory=24 * GIB, card="NVIDIA X")
    assert not keep_measured(workspace, wanted, before, replace(ON_A_CARD, out_of_memory="step 1"))
    assert not keep_measured(workspace, wanted, before, replace(ON_A_CARD, allocated_peak=None, reserved_peak=None))
    assert api.measured_peaks(workspace) == []
    assert keep_measured(workspace, wanted, before, ON_A_CARD)
    [kept] = api.measured_peaks(workspace)
    assert (kept.source, kept.run_id, kept.card, kept.reserved_peak) == ("preflight", None, "NVIDIA X", 4 * GIB)
    assert (kept.layout, kept.step_seconds, kept.estimated_peak) == (LAYOUT, 0.5, before.estimate.peak)
    after = api.preflight(workspace, wanted, memory=24 * GIB, card="NVIDIA X")
    assert after.calibration != before.calibration
    assert after.estimate.peak > before.estimate.peak


def test_memory_that_ran_out_refutes_the_estimate_and_brings_a_proposal(
    workspace: Workspace, recipe: Callable[..., Any]
) -> None:
    wanted = recipe(model={"id": "Qwen/Qwen3-VL-8B-Instruct"}, training={"batch": 8})
    found = api.preflight(workspace, wanted, memory=80 * GIB, card="NVIDIA Y")
    assert found.fits
    assert api.after_measuring(workspace, wanted, found, ON_A_CARD) is found
    failed = replace(ON_A_CARD, card="NVIDIA Y", reserved_peak=79 * GIB, out_of_memory="step 1")
    refuted = api.after_measuring(workspace, wanted, found, failed)
    assert refuted.fits is False
    assert refuted.estimate.peak >= 79 * GIB
    assert "too low" in refuted.warnings[-1]
    assert refuted.proposal is not None and refuted.proposal.fits
    assert refuted.proposal.estimate.peak < found.estimate.peak
    changed = {**recipe_values(wanted), **refuted.proposal.changes}
    assert changed["training.batch"] * changed["training.accumulation"] == 8 * 2
    taken = recipe(
        model={"id": "Qwen/Qwen3-VL-8B-Instruct"},
        training={
            "batch": 8,
            **{
                key.removeprefix("training."): value
                for key, value in refuted.proposal.changes.items()
                if key.startswith("training.")
            },
        },
    )
    assert api.preflight(workspace, taken, memory=80 * GIB, card="NVIDIA Y").layout == refuted.proposal.layout
    assert refuted.card == Card("NVIDIA Y", 80 * GIB)


def test_what_is_proposed_after_a_refuted_estimate_is_for_the_real_card(
    workspace: Workspace, recipe: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.api.preflighting.installed", lambda package: package == "bitsandbytes")
    wanted = recipe(
        model={"id": "Qwen/Qwen3-VL-8B-Instruct", "quantization": "none"},
        training={"batch": 1, "accumulation": 1, "gradient_checkpointing": "on"},
    )
    card = "NVIDIA GeForce RTX 3090"
    found = api.preflight(workspace, wanted, memory=25 * GIB, card=card)
    found = replace(found, fits=True)
    failed = replace(ON_A_CARD, card=card, reserved_peak=24 * GIB, out_of_memory="step 1")
    refuted = api.after_measuring(workspace, wanted, found, failed)
    assert refuted.proposal is not None and refuted.proposal.fits
    # Unsloth, which the planner takes on cards of this size, is not installed here.
    assert refuted.proposal.layout.backend == "transformers"
    assert dict(refuted.proposal.changes)["model.quantization"] == "4bit"
    monkeypatch.setattr("engine.api.preflighting.installed", lambda _: False)
    without = api.after_measuring(workspace, wanted, found, failed)
    assert without.proposal is not None
    assert "model.quantization" not in without.proposal.changes
    assert without.proposal.layout.quantization == "none"
    tiny = api.after_measuring(
        workspace, wanted, replace(found, estimate=replace(found.estimate, logits=-15 * 10**9)), failed
    )
    assert tiny.proposal is not None and not tiny.proposal.fits
    assert "Nothing that was tried fits 25.0 GiB" in tiny.proposal.words
    assert "by the same estimate, which was too low" in tiny.proposal.words


def test_only_rough_parts_are_scaled_and_an_estimate_within_5_percent_was_right(
    workspace: Workspace, recipe: Callable[..., Any]
) -> None:
    wanted = recipe(model={"id": "Qwen/Qwen3-VL-8B-Instruct", "quantization": "none"})
    found = api.preflight(workspace, wanted, memory=18 * GIB, card="NVIDIA Y")
    found = replace(found, fits=False, estimate=replace(found.estimate, text_activations=4 * GIB))
    peak = found.estimate.peak
    near = api.after_measuring(workspace, wanted, found, replace(ON_A_CARD, reserved_peak=round(peak / 1.04)))
    assert "less than the usual margin" in near.warnings[-1] and "too high" not in near.warnings[-1]
    far = api.after_measuring(workspace, wanted, found, replace(ON_A_CARD, reserved_peak=round(peak / 1.06)))
    assert "too high" in far.warnings[-1]
    for after, times in ((near, 1.04), (far, 1.06)):
        assert after.estimate.peak == pytest.approx(peak / times, abs=10)
        for name in ("weights", "adapters", "optimizer", "logits"):
            assert getattr(after.estimate, name) == getattr(found.estimate, name)


def test_what_fits_by_measurement_fits_whatever_was_estimated(workspace: Workspace, recipe: Callable[..., Any]) -> None:
    wanted = recipe(model={"id": "Qwen/Qwen3-VL-8B-Instruct", "quantization": "none"})
    found = api.preflight(workspace, wanted, memory=16 * GIB, card="NVIDIA Y")
    assert found.fits is False and found.proposal is not None
    after = api.after_measuring(workspace, wanted, found, replace(ON_A_CARD, reserved_peak=15 * GIB))
    assert (after.fits, after.headroom, after.proposal) == (True, GIB, None)
    assert after.estimate.peak == pytest.approx(15 * GIB, abs=10)
    assert "too high" in after.warnings[-1]
    failed = replace(ON_A_CARD, out_of_memory="loading")
    assert api.after_measuring(workspace, wanted, found, failed) is found
    on_a_cpu = replace(ON_A_CARD, allocated_peak=None, reserved_peak=None)
    assert api.after_measuring(workspace, wanted, found, on_a_cpu) is found


@pytest.mark.gpu
def test_on_a_gpu_the_peak_is_measured_and_kept(workspace: Workspace, recipe: Callable[..., Any]) -> None:
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU: torch sees no CUDA device")
    wanted = recipe(
        model={"id": EMBEDDED, "backend": "transformers"},
        data={"questions": ["Q1", "Q7"]},
        training={"compile": "off"},
    )
    before = api.measured_peaks(workspace)
    measurement, events = begun(workspace, wanted)
    try:
        while not isinstance(event := events.get(timeout=300), (api.MemoryMeasured, SonotuneError)):
            pass
    finally:
        measurement.close()
    assert isinstance(event, api.MemoryMeasured), event
    assert event.fitted and event.reserved_peak >= event.allocated_peak > 0  # type: ignore[operator]
    [kept] = api.measured_peaks(workspace)[len(before) :]
    assert (kept.card, kept.reserved_peak, kept.layout) == (event.card, event.reserved_peak, event.layout)
