from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.app import run
from engine.store.writer import Writer
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

ESCAPE = "\x1b"
LEADERBOARD_KEYS = {"run", "name", "reference", "question", "split", "split_fingerprint", "n", "train_seconds"}
LEADERBOARD_KEYS |= {"samples_per_second", "peak_vram_bytes", "peak_rss_bytes"}
SCORES = ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "mcc", "auroc")


def sonotune(workspace: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", "--workspace", str(workspace), *words]
    settings = {**os.environ, "HF_HUB_OFFLINE": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, env=settings, timeout=280)


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with phantoms, drawn once."""
    folder = tmp_path_factory.mktemp("imported")
    assert run(["--workspace", str(folder), "data", "import", "phantoms", "--count", "120", "--size", "64"]) == 0
    return folder


@pytest.fixture
def workspace(tmp_path: Path, imported: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(imported, tmp_path, dirs_exist_ok=True)
    return tmp_path


def add_run(folder: Path, name: str) -> int:
    with Writer.open(Workspace(folder)) as writer:
        return writer.create_run(name, "{}", "phantoms", "d" * 64, "s" * 64, "assets/base-model", 1)


def test_reads_of_an_empty_workspace_say_what_to_do(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for words in (["runs"], ["leaderboard"], ["data", "show"], []):
        assert run(["--workspace", str(tmp_path), *words]) == 0
        out, err = capfd.readouterr()
        assert "sonotune" in out + err
    assert run(["--workspace", str(tmp_path), "runs", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
    assert not (tmp_path / "runs.db").exists()


def test_wrong_words_are_2_and_failures_are_1(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["bogus"]) == 2
    assert run(["--workspace", str(tmp_path / "typo"), "runs"]) == 2
    assert not (tmp_path / "typo").exists()
    assert run(["--workspace", str(tmp_path), "launch", "demo", "--set", "training.lerning_rate=1"]) == 2
    assert run(["--workspace", str(tmp_path), "show", "nope"]) == 1
    assert run(["--workspace", str(tmp_path), "data", "show", "nope"]) == 1
    assert run(["--workspace", str(tmp_path), "cancel"]) == 2
    assert "Traceback" not in capfd.readouterr().err


def test_all_problems_of_a_recipe_come_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    changes = ["--set", "training.lerning_rate=1", "--set", "data.questions=Q9", "--set", "lora.r=0"]
    assert run(["--workspace", str(tmp_path), "launch", "demo", *changes]) == 2
    err = capfd.readouterr().err
    assert "3 problems" in err
    assert "did you mean learning_rate" in err
    assert "data.questions" in err
    assert "lora.r" in err


def test_a_dry_run_writes_nothing(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert run(["--workspace", str(workspace), "launch", "demo", "--dry-run", "--json"]) == 0
    plan = json.loads(capfd.readouterr().out)
    assert plan["training samples"] == plan["images"]["train"] > 80
    assert plan["backend"] in ("transformers", "unsloth")
    assert plan["why"]
    assert run(["--workspace", str(workspace), "runs", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []


def test_names_cannot_steer_the_terminal(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    name = f"{ESCAPE}[2J[red]x[/red]\u202egnp\x9b31m"
    number = add_run(workspace, name)
    for words in (["runs"], ["show", str(number)], [], ["runs", "--json"]):
        capfd.readouterr()
        assert run(["--workspace", str(workspace), *words]) == 0
        out = capfd.readouterr().out
        assert "[red]x[/red]" in out
        assert not {ESCAPE, "\x9b", "\u202e"} & set(out)


def test_asking_for_what_a_run_cannot_do_says_why(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    number = str(add_run(workspace, "first"))
    folder = ["--workspace", str(workspace)]
    assert run([*folder, "resume", number]) == 1
    assert run([*folder, "log", number]) == 1
    assert run([*folder, "cancel", number]) == 0
    assert run([*folder, "stop", number]) == 1
    capfd.readouterr()
    assert run([*folder, "evaluate", number]) == 1
    err = capfd.readouterr().err
    assert "no adapter to measure" in err
    assert "cancelled" in err


def test_data_check_finds_a_changed_and_an_undecodable_image(
    workspace: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = ["--workspace", str(workspace)]
    assert run([*folder, "data", "check", "phantoms"]) == 0
    image = next((workspace / "datasets" / "phantoms" / "images").rglob("*.png"))
    image.write_bytes(image.read_bytes()[:-20])
    capfd.readouterr()
    assert run([*folder, "data", "check", "phantoms", "--json"]) == 1
    changed = json.loads(capfd.readouterr().out)["checks"]["changed"]
    assert [fault["path"] for fault in changed] == [f"{image.parent.name}/{image.name}"]


def test_a_dead_run_is_seen_as_interrupted_without_a_worker(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    number = add_run(workspace, "dies")
    with Writer.open(Workspace(workspace)) as writer:
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        columns = {"pid": child.pid, "process_start": 1.0, "host": __import__("socket").gethostname()}
        assert writer.transition(JobKind.TRAINING, number, State.QUEUED, State.STARTING, "test", **columns)
    capfd.readouterr()
    assert run(["--workspace", str(workspace), "runs", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)[0]["state"] == "interrupted"


def test_worker_and_doctor_answer(workspace: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = ["--workspace", str(workspace)]
    assert run([*folder, "worker", "--status", "--json"]) == 0
    assert run([*folder, "worker", "--stop"]) == 0
    assert run([*folder, "worker", "--stop", "--status"]) == 2
    capfd.readouterr()
    assert run([*folder, "doctor", "--json"]) == 0
    names = {finding["name"] for finding in json.loads(capfd.readouterr().out)}
    assert {"torch", "backend", "base model", "runs.db"} <= names


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "40"}])
def test_any_terminal_will_do(workspace: Path, environment: dict[str, str]) -> None:
    add_run(workspace, "x" * 500)
    done = sonotune(workspace, "runs", **environment)
    assert done.returncode == 0
    assert ESCAPE not in done.stdout
    assert done.stderr == ""


def test_a_reader_that_closes_the_pipe_gets_no_traceback(workspace: Path) -> None:
    command = f"{sys.executable} -m engine.cli --workspace {workspace} data show phantoms --json | head -c 5"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_launch_evaluate_leaderboard_from_end_to_end(workspace: Path) -> None:
    changes = ["training.max_steps=3", "training.batch=4", "data.image_size=64", "evaluation.limit=12"]
    settings = [word for change in [*changes, "evaluation.splits=['validation']"] for word in ("--set", change)]
    done = sonotune(workspace, "launch", "demo", *settings, "--wait", "--test-purpose", "tests")
    assert done.returncode == 0, done.stderr
    board = json.loads(sonotune(workspace, "leaderboard", "--json").stdout)
    tuned = [(row["split"], row["degradation"]) for row in board if row["reference"] is None]
    assert sorted(tuned, key=str) == [("validation", "blank"), ("validation", None)]
    assert {row["reference"] for row in board} == {None, *Reference}
    for row in board:
        assert set(row) >= LEADERBOARD_KEYS
        assert set(row) >= {f"{name}{end}" for name in SCORES for end in ("", "_low", "_high")}
    majority = next(row for row in board if row["reference"] == "majority")
    assert majority["balanced_accuracy"] == 0.5
    assert majority["peak_vram_bytes"] is None
    tuned = next(row for row in board if row["reference"] is None and row["degradation"] is None)
    assert tuned["train_seconds"] > 0
    assert tuned["peak_rss_bytes"] > 0
    # Test brings what is missing: its own reference rows, not validation once more.
    done = sonotune(workspace, "evaluate", "1", "--split", "test", "--wait", "--test-purpose", "tests")
    assert done.returncode == 0, done.stderr
    board = json.loads(sonotune(workspace, "leaderboard", "--split", "test", "--json").stdout)
    assert {row["reference"] for row in board} == {None, *Reference}
    assert next(row for row in board if row["reference"] is None)["threshold_source"].startswith("validation")
    again = sonotune(workspace, "evaluate", "1", "--split", "test", "--json", "--test-purpose", "tests")
    assert json.loads(again.stdout)["evaluations"] == []
    shown = sonotune(workspace, "show", "1").stdout
    assert "evaluation" in shown
    assert "Trans-ventricular" in shown
    assert sonotune(workspace, "log", "1").returncode == 0
    sonotune(workspace, "worker", "--stop")
