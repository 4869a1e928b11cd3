"""The preflight in words, and as a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, no_worker, small_dataset
from preflight_values import CARD, ESTIMATE, GIB, SMALL, preflight, proposal, too_large

from engine import api
from engine.cli.preflight_text import proposed_command
from engine.cli.sizes import memory_bytes
from engine.errors import SonotuneError, UsageError
from engine.jobs.devices import Device
from engine.preflight.models import Card
from engine.workspace import Workspace

DEMO = ("demo", "--set", "data.dataset=fetal")
LARGE = (
    "baseline-q7-8b",
    *("--set", "data.dataset=fetal", "--set", "model.quantization=none", "--set", "training.accumulation=8"),
)


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this machine has."""
    monkeypatch.setattr("engine.api.preflighting.known_devices", lambda: (Device("cpu", "CPU", 8 * GIB, ""),))


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """A small dataset, and no worker: what is queued stays queued."""
    made = small_dataset(tmp_path)
    with no_worker(made):
        yield made


@pytest.fixture
def command(workspace: Workspace, capfd: Any) -> CommandLine:
    return CommandLine(workspace.root, capfd)


# ----- words


def test_the_verdict_is_one_sentence_with_need_card_and_room() -> None:
    assert api.preflight_verdict(preflight()) == (
        "Fits: about 37.5 GiB of 79.6 GiB on NVIDIA H100 80GB HBM3, 38.0 GiB to spare."
    )
    assert api.preflight_verdict(too_large()) == (
        "Does not fit: about 37.5 GiB needed, 24.0 GiB there on NVIDIA RTX 4090."
    )
    unnamed = preflight(card=Card("", 38 * GIB), fits=False, headroom=-GIB)
    assert api.preflight_verdict(unnamed) == (
        "Does not fit: about 37.5 GiB needed, 38.0 GiB there, of which a margin must stay free."
    )
    assert api.preflight_verdict(preflight(card=Card("cpu", None), fits=None, headroom=None)) == (
        "No GPU to compare with: it would take about 37.5 GiB of GPU memory."
    )


def test_the_short_verdict_says_nothing_without_a_card() -> None:
    assert api.short_verdict(preflight()) == "fits: 37.5/79.6 GiB"
    assert api.short_verdict(too_large()) == "too large: 37.5/24.0 GiB"
    assert api.short_verdict(preflight(card=Card("cpu", None), fits=None)) == ""


def test_the_parts_are_the_whole() -> None:
    assert sum(part.bytes for part in api.memory_parts(ESTIMATE)) == ESTIMATE.peak
    assert len({part.name for part in api.memory_parts(ESTIMATE)}) == 7


def test_a_time_is_called_an_estimate_and_an_unknown_one_is_not_invented() -> None:
    assert dict(api.time_facts(preflight())) == {
        "step": "1.23 s (51.9 samples a second), estimated, ±20 %",
        "training": "6 min 10 s for 300 steps, estimated, ±20 %",
    }
    assert dict(api.time_facts(preflight(timed=0)))["training"] == (
        "6 min 10 s for 300 steps, rough: this card was never timed"
    )
    unknown = preflight(estimate=replace(ESTIMATE, step_seconds=None, samples_per_second=None), seconds=None)
    assert api.time_facts(unknown) == [("time", "not known before a run or a measured preflight on this device")]
    on_a_cpu = replace(unknown, card=Card("CPU", None))
    assert api.time_facts(on_a_cpu) == [("time", "not estimated without a GPU")]


def test_the_command_of_a_proposal_can_be_copied_into_a_shell() -> None:
    given = ["data.dataset=my data", "training.batch=64", "name=it's"]
    changes = {"training.batch": 8, "training.accumulation": 16, "training.gradient_checkpointing": "on"}
    words = shlex.split(api.launch_command("my recipe.toml", given, changes))
    assert words[:3] == ["sonotune", "launch", "my recipe.toml"]
    assert words[3::2] == ["--set"] * 5
    assert words[4::2] == [
        *("data.dataset=my data", "name=it's", "training.batch=8", "training.accumulation=16"),
        "training.gradient_checkpointing=on",
    ]


def test_a_proposal_that_does_not_fit_is_no_command() -> None:
    assert proposed_command(preflight(), "demo", []) is None
    assert proposed_command(too_large(proposal=replace(proposal(), fits=False)), "demo", []) is None
    assert proposed_command(too_large(), "demo", []) == (
        "sonotune launch demo --set training.gradient_checkpointing=on"
    )


def test_a_measurement_stands_beside_its_estimate() -> None:
    layout = preflight().layout
    measured = api.MemoryMeasured("H100", 36 * GIB, 38 * GIB, 3 * GIB, 1.5, 9.2, 4, 16, 320, layout, 1000)
    rows = {name: (estimated, real) for name, estimated, real in api.beside_estimate(preflight(), measured)}
    assert rows["GPU memory"] == ("37.5 GiB", "38.0 GiB reserved")
    assert rows["allocated"] == ("–", "36.0 GiB")
    assert rows["step"] == ("1.23 s", "1.5 s")
    assert rows["training"] == ("6 min 10 s", "at most 7 min 30 s")
    assert "it fits, with 38.0 GiB of 79.6 GiB" in api.measured_verdict(measured, CARD.memory)
    failed = replace(measured, out_of_memory="step 1", steps=0, step_seconds=None)
    assert dict(row[::2] for row in api.beside_estimate(preflight(), failed))["GPU memory"] == "over 38.0 GiB reserved"
    assert "memory ran out in step 1, at 38.0 GiB of 24.0 GiB" in api.measured_verdict(failed, SMALL.memory)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("24GB", 24 * 10**9),
        ("24 GiB", 24 * GIB),
        (" 79.5gb ", 79_500_000_000),
        ("24576MB", 24_576_000_000),
        ("512mib", GIB // 2),
        (" ", None),
    ],
)
def test_sizes_are_read_in_both_units(text: str, size: int | None) -> None:
    assert memory_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["GB", "24", "24G", "24TB", "-1GB", "0GB", "nan", "1e9GB", "24 GB 3", "9" * 40 + "GB", "٣GB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no amount of memory") as caught:
        memory_bytes(text)
    assert "24GiB" in caught.value.next_step


# ----- the command


def test_without_a_gpu_it_says_so_and_is_no_failure(command: CommandLine) -> None:
    done = command("preflight", *DEMO)
    assert done.code == 0
    assert done.out.startswith("No GPU to compare with: it would take about")
    assert "--memory 24GB" in done.out
    for word in ("weights", "logits", "total", "transformers", "samples of", "by its config.json"):
        assert word in done.out


def test_a_card_that_is_not_here_can_be_asked_about(command: CommandLine) -> None:
    done = command("preflight", *DEMO, "--memory", "24GiB", "--card", "NVIDIA L4")
    assert done.code == 0
    assert re.match(r"Fits: about \d+ MiB of 24\.0 GiB on NVIDIA L4, .* to spare\.", done.out)


def test_the_memory_of_a_known_card_need_not_be_given(command: CommandLine) -> None:
    done = command("preflight", *DEMO, "--card", "NVIDIA L4")
    assert done.code == 0
    assert re.match(r"Fits: about \d+ MiB of 22\.5 GiB on NVIDIA L4, .* to spare\.", done.out)
    unknown = command("preflight", *DEMO, "--card", "Some Accelerator")
    assert unknown.code == 2
    assert "The memory of 'Some Accelerator' is not known" in unknown.err
    assert "--memory" in unknown.err


def test_what_does_not_fit_comes_with_a_command_that_does(command: CommandLine, workspace: Workspace) -> None:
    card = ("--memory", "12GiB")
    done = command("preflight", *LARGE, *card)
    assert done.code == 1
    assert done.out.startswith("Does not fit: about")
    program, *place = shlex.split(done.out.strip().splitlines()[-1])[:3]
    assert (program, place) == ("sonotune", ["-w", str(workspace.root)])  # the same workspace wherever it is pasted
    proposed = [program, *shlex.split(done.out.strip().splitlines()[-1])[3:]]
    assert proposed[:3] == ["sonotune", "launch", "baseline-q7-8b"]
    again = command("preflight", *proposed[2:], *card)
    assert again.code == 0, again.out
    assert again.out.startswith("Fits:")

    def step(*overrides: str) -> int:
        recipe = api.load_recipe(api.find_recipe("baseline-q7-8b", workspace.root), overrides)
        return recipe.training.batch * recipe.training.accumulation

    assert step(*proposed[4::2]) == step(*LARGE[2::2])


def test_the_json_has_everything(command: CommandLine) -> None:
    done = command("preflight", *LARGE, "--memory", "12GiB", "--json")
    found = done.json
    assert (done.code, found["fits"], found["verdict"]) == (1, False, "does_not_fit")
    assert found["words"].startswith("Does not fit")
    parts = [value for key, value in found["estimate"].items() if key not in ("peak", *TIMES)]
    assert sum(parts) == found["estimate"]["peak"] > found["card"]["memory"] == 12 * GIB
    assert "launch baseline-q7-8b --set " in found["proposal"]["command"]
    assert found["proposal"]["estimate"]["peak"] < found["card"]["memory"]
    assert found["measured"] is None
    assert command("preflight", *DEMO, "--card", "NVIDIA L4", "--json").json["verdict"] == "fits"
    assert command("preflight", *DEMO, "--json").json["verdict"] == "unknown"


TIMES = ("step_seconds", "samples_per_second")


def test_an_imagined_card_cannot_be_measured(command: CommandLine) -> None:
    done = command("preflight", *DEMO, "--memory", "24GB", "--measure")
    assert done.code == 2
    assert "Only this machine's card" in done.err


def test_what_is_missing_is_named(command: CommandLine) -> None:
    done = command("preflight", "demo")
    assert done.code == 1
    assert "no dataset named phantoms" in done.err
    assert command("preflight", *DEMO, "--memory", "much").code == 2


def test_hostile_names_are_shown_as_text(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = too_large(
        card=Card(HOSTILE, 24 * GIB),
        model=HOSTILE,
        layout_reason=HOSTILE,
        warnings=[HOSTILE],
        proposal=replace(proposal(**{"model.id": HOSTILE}), words=HOSTILE),
    )
    monkeypatch.setattr(api, "preflight", lambda *_words, **_options: hostile)
    done = command("preflight", *DEMO)
    assert done.code == 1
    assert control_characters(done.out) == set()
    assert "[red]x[/red]" in done.out


# ----- launching


def test_a_dry_run_says_whether_it_fits_and_how_it_runs(command: CommandLine) -> None:
    out = command("launch", *DEMO, "--dry-run").out
    assert "No GPU to compare with" in out
    plan = command("launch", *DEMO, "--dry-run", "--json").json
    assert plan["layout"] == (
        "transformers, not quantized, one sample a row, 16 samples in a forward pass, 1 of these to a step, "
        "activations kept, not compiled"
    )


@pytest.mark.parametrize("verb", ["launch", "clone"])
def test_what_does_not_fit_is_queued_with_a_warning(
    verb: str, command: CommandLine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("launch", *DEMO).code == 0
    monkeypatch.setattr(api, "preflight", lambda *_words, **_options: too_large())
    words = DEMO if verb == "launch" else ("1", "--set", "training.seed=7")
    done = command(verb, *words)
    assert done.code == 0
    assert "Does not fit: about 37.5 GiB needed" in done.err
    assert f"sonotune -w {workspace.root} {verb} {words[0]} --set" in done.err
    assert "training.gradient_checkpointing=on" in done.err
    assert len(api.runs(workspace)) == 2


def test_what_fits_is_said_in_one_line(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "preflight", lambda *_words, **_options: preflight())
    done = command("launch", *DEMO, "--json")
    assert done.json["run_id"] == 1
    assert done.err.splitlines()[0].startswith("Fits: about 37.5 GiB of 79.6 GiB")
    assert "queued all the same" not in done.err


def test_a_preflight_that_cannot_be_made_stops_no_launch(
    command: CommandLine, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: Any, **_options: Any) -> Any:
        raise SonotuneError("Dimensions are not known", "no config.json")

    monkeypatch.setattr(api, "preflight", refuse)
    monkeypatch.setattr("engine.api.launching.preflight", refuse)
    done = command("launch", *DEMO)
    assert done.code == 0
    assert "No preflight: Dimensions are not known." in done.err
    assert len(api.runs(workspace)) == 1
    assert "no preflight: Dimensions are not known no config.json" in command("launch", *DEMO, "--dry-run").out
