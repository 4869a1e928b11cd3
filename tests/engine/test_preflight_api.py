from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from preflight_helpers import GIB, H100, LAYOUT, ONE, measured

import engine.preflight.fitted as fitted
import engine.store.memory as memory
from engine.api import measured_peaks, preflight, record_peak
from engine.data.manifest import write_dataset
from engine.errors import DataError, ModelError, StoreError, UsageError
from engine.jobs.devices import Device, free_bytes
from engine.jobs.dispatch import child_environment
from engine.preflight.coefficients import TRANSFORMERS_DEFAULTS
from engine.preflight.margins import CONTEXT_BYTES
from engine.recipe import Recipe, parse_recipe
from engine.store.writer import Writer
from engine.types import QUESTION_IDS, Case, DatasetRecord, JobKind, Split, State
from engine.workspace import Workspace

EIGHT_B = {"id": "Qwen/Qwen3-VL-8B-Instruct"}
ALL = {"questions": list(QUESTION_IDS)}
RTX = "NVIDIA GeForce RTX 4090"


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes with sonotune changes with every release; these tests say what was measured."""
    monkeypatch.setattr(fitted, "shipped_rows", tuple)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """400 images of 800 x 600 for training, with answers to all eight questions."""
    workspace = Workspace(tmp_path)
    answers = dict.fromkeys(QUESTION_IDS, "Normal for gestational age")
    cases = [
        Case(n, f"{n}.png", tmp_path / f"{n}.png", "Thorax", Split.TRAIN, answers, "", 800, 600) for n in range(400)
    ]
    record = DatasetRecord("scans", "sheet", "d", "s", 1, str(tmp_path), 400, 0, 0.0)
    write_dataset(workspace.dataset("scans"), record, cases, [], [])
    return workspace


def recipe(**sections: dict[str, Any]) -> Recipe:
    content: dict[str, Any] = {"name": "asked", "model": EIGHT_B, "training": {"batch": 8, "accumulation": 8}}
    for name, values in {"data": {}, **sections}.items():
        content[name] = {**content.get(name, {}), **values}
    content["data"] = {"dataset": "scans", **content["data"]}
    return parse_recipe(content, "test")


def test_a_big_card_trains_packed_and_compiled_in_16_bits(workspace: Workspace) -> None:
    found = preflight(workspace, recipe(data=ALL), memory=80 * GIB, card=H100)
    layout = found.layout
    assert (layout.backend, layout.quantization, layout.packed, layout.compiled) == ("transformers", "none", True, True)
    assert layout.micro_batch * layout.accumulation == 64
    assert layout.micro_batch % 8 == 0
    assert found.fits
    assert found.headroom is not None
    assert found.headroom >= 0
    assert found.steps == 3 * 400 * 8 // 64
    assert found.estimate.step_seconds
    assert found.seconds == pytest.approx(found.steps * found.estimate.step_seconds)
    assert (found.shape_source, found.warnings) == ("published dimensions of Qwen3-VL-8B", [])
    assert found.proposal is None
    assert found.calibration == "not calibrated for this card: may be off by 20 %"


def test_a_small_card_takes_unsloth_and_4_bits_where_the_recipe_says_auto(workspace: Workspace) -> None:
    asked = recipe(data=ALL, model={"quantization": "auto"})
    found = preflight(workspace, asked, memory=16 * GIB, card=RTX)
    assert (found.layout.backend, found.layout.quantization, found.fits) == ("unsloth", "4bit", True)
    big = preflight(workspace, asked, memory=80 * GIB, card=H100)
    assert (big.layout.backend, big.layout.quantization) == ("transformers", "none")


def test_a_recipe_that_does_not_fit_gets_a_proposal_that_does(workspace: Workspace) -> None:
    asked = recipe(data=ALL, training={"gradient_checkpointing": "off", "micro_batch": "written", "batch": 32})
    found = preflight(workspace, asked, memory=24 * GIB, card=RTX)
    assert found.fits is False
    assert found.headroom is not None
    assert found.headroom < 0
    assert found.proposal is not None
    assert found.proposal.fits
    changed: dict[str, dict[str, Any]] = {"data": dict(ALL), "training": {"micro_batch": "written"}, "model": {}}
    for key, value in found.proposal.changes.items():
        section, name = key.split(".")
        changed[section][name] = value
    again = preflight(workspace, recipe(**changed), memory=24 * GIB, card=RTX)
    assert again.fits
    assert again.layout == found.proposal.layout
    assert again.layout.micro_batch * again.layout.accumulation == 32 * 8


def test_few_images_in_a_step_are_warned_of(workspace: Workspace) -> None:
    found = preflight(workspace, recipe(data=ALL, training={"accumulation": 1}), memory=80 * GIB, card=H100)
    assert found.warnings == [
        "A step of 8 samples holds 1 image; the answers to an image pull together. "
        "Use training.batch x training.accumulation of at least 64."
    ]


def test_a_size_that_was_never_measured_says_so(workspace: Workspace) -> None:
    found = preflight(workspace, recipe(model={"id": "Qwen/Qwen3-VL-32B-Instruct"}), memory=80 * GIB, card=H100)
    assert any("never measured" in warning for warning in found.warnings)


def test_this_machine_without_a_gpu_is_not_judged(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import engine.api.preflighting as asking

    monkeypatch.setattr(asking, "known_devices", lambda: (Device("cpu", "CPU, 2 cores", 8 * GIB, ""),))
    found = preflight(workspace, recipe(data=ALL, training={"batch": 4}))
    assert (found.fits, found.headroom, found.seconds, found.proposal) == (None, None, None, None)
    assert (found.card.memory, found.layout.backend, found.layout.compiled) == (None, "transformers", False)
    assert found.layout.micro_batch == 8
    assert "no GPU" in found.calibration


def test_a_gpu_of_this_machine_is_asked_about_by_its_own_memory(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.api.preflighting as asking

    monkeypatch.setattr(asking, "known_devices", lambda: (Device("cuda:0", H100, 80 * GIB, "GPU-1"),))
    assert preflight(workspace, recipe()).card.memory == 80 * GIB
    assert preflight(workspace, recipe(), card=H100).card.memory == 80 * GIB
    assert preflight(workspace, recipe(), memory=24 * GIB).card.name == ""


def test_a_disk_that_is_too_small_for_the_checkpoints_is_warned_of_first(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.training.room.free_bytes", lambda _folder: 10**8)
    found = preflight(workspace, recipe())
    assert "95 MiB free" in found.disk_warning
    assert found.warnings[0] == found.disk_warning
    assert preflight(workspace, recipe(), card=RTX).disk_warning == ""  # of another machine nobody knows
    monkeypatch.setattr("engine.training.room.free_bytes", lambda _folder: 10**12)
    assert preflight(workspace, recipe()).disk_warning == ""


def test_measured_peaks_come_back_and_the_next_estimate_is_fitted_to_them(workspace: Workspace) -> None:
    assert measured_peaks(workspace) == []
    asked = recipe(training={"gradient_checkpointing": "off"})
    before = preflight(workspace, asked, memory=80 * GIB, card=H100)
    truth = replace(TRANSFORMERS_DEFAULTS, kept=1.5, vision=1.5)
    rows = [measured("8B", replace(LAYOUT, micro_batch=micro), truth) for micro in (8, 16)]
    assert [record_peak(workspace, row) for row in rows] == [1, 2]
    assert measured_peaks(workspace) == rows
    after = preflight(workspace, asked, memory=80 * GIB, card=H100)
    assert after.calibration == "fitted to 2 measurements of this card"
    assert after.estimate.peak > before.estimate.peak or after.layout != before.layout


@pytest.mark.parametrize(
    "layout", ['{"x": 1}', "[]", "\x1b[2J", "null", '{"backend": "transformers", "micro_batch": 0}', "[" * 100_000]
)
def test_a_row_that_cannot_be_read_is_left_out_with_a_warning_and_stops_nothing(
    workspace: Workspace, layout: str, caplog: pytest.LogCaptureFixture
) -> None:
    memory._warn.cache_clear()
    kept = measured("8B", replace(LAYOUT, micro_batch=4), TRANSFORMERS_DEFAULTS)
    for row in (measured("8B", LAYOUT, TRANSFORMERS_DEFAULTS), kept):
        record_peak(workspace, row)
    with sqlite3.connect(workspace.database) as connection:
        connection.execute("UPDATE memory_peaks SET layout = ? WHERE id = 1", (layout,))
    assert measured_peaks(workspace) == measured_peaks(workspace) == [kept]
    assert preflight(workspace, recipe(), memory=80 * GIB, card=H100).calibration == (
        "fitted to 1 measurement of this card"
    )
    (warning,) = caplog.messages  # once, however often a form asks
    assert warning.startswith("Measured peak 1 of GPU memory cannot be read and is left out")
    assert "\x1b" not in warning


def test_a_measured_demo_changes_little_of_the_estimate_of_a_large_run(workspace: Workspace) -> None:
    asked = recipe(data=ALL, training={"gradient_checkpointing": "off"})
    large = [measured("8B", replace(LAYOUT, micro_batch=micro), TRANSFORMERS_DEFAULTS) for micro in (8, 16)]
    for row in large:
        record_peak(workspace, replace(row, card="NVIDIA H200"))
    before = preflight(workspace, asked, memory=80 * GIB, card=H100)
    small = measured("2B", replace(LAYOUT, micro_batch=1, checkpointing=True), TRANSFORMERS_DEFAULTS)
    record_peak(workspace, replace(small, reserved_peak=round(0.8 * small.reserved_peak)))
    after = preflight(workspace, asked, memory=80 * GIB, card=H100)
    assert (after.layout, after.fits) == (before.layout, before.fits)
    assert after.estimate.peak == pytest.approx(before.estimate.peak, rel=0.03)
    room = 80 * GIB - round(0.12 * 80 * GIB)
    assert (
        after.headroom == room - after.estimate.peak
    )  # still the margin of a card that was never measured at this size
    assert after.calibration.startswith(
        "fitted to 2 measurements of other cards and 1 of this card; none of this card near"
    )


def test_what_other_programs_hold_of_the_card_is_left_to_them(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.api.preflighting as asking

    card = Device("cuda:0", H100, 80 * GIB, "GPU-1")
    monkeypatch.setattr(asking, "known_devices", lambda: (card,))
    monkeypatch.setattr(asking, "free_bytes", lambda device: {card: 30 * GIB}[device])
    wanted = recipe(model={"backend": "transformers", "quantization": "none"})
    found = preflight(workspace, wanted)
    assert found.card.free == 30 * GIB - CONTEXT_BYTES
    assert found.headroom is not None
    assert found.estimate.peak + max(0, found.headroom) < 30 * GIB
    assert any("Other programs hold 50.0 GiB of the card" in warning for warning in found.warnings)
    monkeypatch.setattr(asking, "free_bytes", lambda _: None)
    assert preflight(workspace, wanted).layout != found.layout
    # A job of the queue ends before the next one starts: what it holds will be free then.
    monkeypatch.setattr(asking, "free_bytes", lambda _: GIB)
    with Writer.open(workspace) as writer:
        run = writer.create_run("busy", "{}", "scans", "d", "s", "m", 7)
        for before, now in ((State.QUEUED, State.STARTING), (State.STARTING, State.RUNNING)):
            assert writer.transition(JobKind.TRAINING, run, before, now, "test", device="cuda:0")
    assert preflight(workspace, wanted).card.free is None


def test_free_memory_is_asked_of_the_very_card_and_unknown_where_the_driver_does_not_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = SimpleNamespace(
        NVMLError=KeyError,
        nvmlDeviceGetHandleByUUID=lambda uuid: {"GPU-1": 70 * GIB, "GPU-2": 40 * GIB}[uuid],
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(free=handle),
    )
    monkeypatch.setattr("engine.jobs.devices.load_nvml", lambda: driver)
    cards = [Device(f"cuda:{number}", H100, 80 * GIB, f"GPU-{number + 1}") for number in range(3)]
    assert [free_bytes(card) for card in cards] == [70 * GIB, 40 * GIB, None]
    assert free_bytes(Device("cpu", "CPU", 8 * GIB, "")) is None
    monkeypatch.setattr("engine.jobs.devices.load_nvml", lambda: None)
    assert free_bytes(cards[0]) is None


def test_the_memory_of_a_named_card_is_looked_up_or_asked_for(workspace: Workspace) -> None:
    assert preflight(workspace, recipe(), card=RTX).card.memory == 24564 * 2**20
    assert preflight(workspace, recipe(), card="NVIDIA A100-SXM4-80GB").card.memory == 80 * GIB
    assert preflight(workspace, recipe(), card="NVIDIA A100-PCIE-40GB").card.memory == 40 * GIB
    with pytest.raises(UsageError, match="is not known") as caught:
        preflight(workspace, recipe(), card="Some Accelerator")
    assert "--memory" in caught.value.next_step


def test_the_census_is_taken_anew_only_where_the_samples_change(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.preflight.census_cache as cache

    taken: list[Recipe] = []
    take = cache.take_census
    monkeypatch.setattr(cache, "take_census", lambda samples, of: (taken.append(of), take(samples, of))[1])
    monkeypatch.setattr(cache, "_KEPT", type(cache._KEPT)())
    for sections in (
        {},
        {"training": {"batch": 2}},
        {"data": {"image_size": 256}},
        {"model": {"quantization": "4bit"}},
        {"training": {"seed": 1}},
    ):
        preflight(workspace, recipe(**sections), memory=80 * GIB, card=H100)
    assert len(taken) == 1
    for data in ({"questions": ["Q1"]}, {"prompt": "simple"}, {"limit": 100}):
        preflight(workspace, recipe(data=data), memory=80 * GIB, card=H100)
    assert len(taken) == 4
    preflight(workspace, recipe(data={"limit": 100}, training={"seed": 1}), memory=80 * GIB, card=H100)
    assert len(taken) == 5


@pytest.mark.parametrize(
    ("sections", "error"),
    [
        ({"data": {"dataset": "nowhere"}}, DataError),
        ({"model": {"id": "Qwen/Qwen2.5-VL-7B"}}, ModelError),
        ({"training": {"devices": 3}}, ModelError),
    ],
)
def test_what_cannot_be_estimated_is_an_error_with_a_next_step(
    workspace: Workspace, sections: dict[str, dict[str, Any]], error: type[DataError | ModelError]
) -> None:
    with pytest.raises(error) as caught:
        preflight(workspace, recipe(**sections), memory=80 * GIB, card=H100)
    assert caught.value.next_step


def test_an_estimate_loads_neither_torch_nor_scipy(workspace: Workspace) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from engine.api import preflight, Workspace\nfrom engine.recipe import parse_recipe\n"
        "recipe = parse_recipe({'name': 'x', 'data': {'dataset': 'scans'}, "
        "'model': {'id': 'Qwen/Qwen3-VL-4B-Instruct'}}, 'test')\n"
        "import engine.preflight.fitted as fitted\n"
        f"found = preflight(Workspace(Path({str(workspace.root)!r})), recipe, memory=2**35, card='NVIDIA L4')\n"
        "print(found.fits, len(fitted.shipped_rows()) > 20, "
        "sorted({'torch', 'transformers', 'scipy', 'pandas', 'peft'} & set(sys.modules)))"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], env=child_environment(), capture_output=True, text=True, check=True
    )
    assert child.stdout == "True True []\n"


def test_the_row_of_a_run_that_does_not_exist_is_refused(workspace: Workspace) -> None:
    row = replace(measured("8B", LAYOUT, TRANSFORMERS_DEFAULTS, workload=ONE), run_id=99)
    with pytest.raises(StoreError):
        record_peak(workspace, row)
