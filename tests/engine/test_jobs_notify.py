"""The user's command for notices: when it is run, what it is told, and that nothing waits for it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, raw, wait_until

from engine.jobs import notify_command
from engine.jobs.notify import CURSOR, RETRY_SECONDS, Notifier, notify_log, try_notification
from engine.jobs.notify_command import KEPT_OUTPUT_BYTES, Delivery, Notice, log_delivery
from engine.jobs.notify_settings import DEFAULT_ON, notify_settings
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference, State
from engine.workspace import Workspace

TRAINING = JobKind.TRAINING

HEAR = """
import json, os, sys
heard = {name: value for name, value in os.environ.items() if name.startswith("SONOTUNE_")}
with open(sys.argv[1], "a") as file:
    file.write(json.dumps({"stdin": json.load(sys.stdin), "variables": heard, "folder": os.getcwd()}) + "\\n")
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""


class Told:
    """A workspace, a settings file of the user, and a command that writes down what it is told."""

    def __init__(self, tmp_path: Path) -> None:
        self.workspace = Workspace(tmp_path / "workspace")
        self.config = tmp_path / "config.toml"
        self.heard_file, self.program = tmp_path / "heard.jsonl", tmp_path / "hear.py"
        self.program.write_text(HEAR)
        self.environment = {**os.environ, "SONOTUNE_CONFIG": str(self.config)}
        self.now, self.wall = 0.0, time.time()
        self.writer = Writer.open(self.workspace, clock=lambda: self.wall)
        self.reader = Reader(self.workspace)
        self.notifier = self.new_notifier()

    def new_notifier(self) -> Notifier:
        return Notifier(self.workspace, environment=self.environment, clock=lambda: self.now, wall=lambda: self.wall)

    def set(self, on: list[str] | None = None, code: int = 0) -> None:
        command = json.dumps([sys.executable, str(self.program), str(self.heard_file), str(code)])
        chosen = "" if on is None else f"on = {json.dumps(on)}\n"
        self.config.write_text(f'theme = "dark"\n[notify]\ncommand = {command}\n{chosen}')
        self.config.chmod(0o600)

    def look(self, jobs_left: bool = True) -> None:
        self.notifier.look(self.writer, self.reader, jobs_left=lambda: jobs_left)

    def settle(self, jobs_left: bool = True) -> None:
        """Look until all notices are told."""

        def told() -> bool:
            self.look(jobs_left)
            return not self.notifier.busy

        wait_until(told, "all notices are told")

    def heard(self) -> list[dict[str, Any]]:
        return (
            [json.loads(line) for line in self.heard_file.read_text().splitlines()] if self.heard_file.exists() else []
        )

    def events(self) -> list[str]:
        return [each["variables"]["SONOTUNE_EVENT"] for each in self.heard()]

    def end_run(self, state: State, name: str = "baseline", reason: str = "because") -> int:
        run = add_run(self.writer, name)
        self.writer.transition(TRAINING, run, State.QUEUED, State.STARTING, "")
        self.writer.transition(TRAINING, run, State.STARTING, State.RUNNING, "")
        self.writer.transition(TRAINING, run, State.RUNNING, state, reason, error_next_step="do this")
        return run


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    found = Told(tmp_path)
    yield found
    found.reader.close()
    found.writer.close()


def test_the_first_look_begins_at_now_and_what_ends_later_is_told(told: Told) -> None:
    told.end_run(State.FAILED, "before")
    told.set()
    told.look()
    run = told.end_run(State.FAILED, "night\x1b[31m $(reboot)\n'", "out of \x00luck")
    told.settle()
    (heard,) = told.heard()
    assert heard["stdin"]["event"] == heard["variables"]["SONOTUNE_EVENT"] == "failed"
    assert heard["variables"]["SONOTUNE_RUN"] == str(run)
    assert heard["variables"]["SONOTUNE_NAME"] == "night\N{REPLACEMENT CHARACTER}[31m $(reboot) '"
    assert heard["variables"]["SONOTUNE_REASON"] == "out of \N{REPLACEMENT CHARACTER}luck"
    assert heard["variables"]["SONOTUNE_STATE"] == "failed"
    assert heard["stdin"]["next_step"] == "do this"
    assert heard["variables"]["SONOTUNE_WORKSPACE"] == str(told.workspace.root)
    assert not Path(heard["folder"]).is_relative_to(told.workspace.root)
    assert told.notifier.busy is False


def test_only_what_was_asked_for_is_told(told: Told) -> None:
    told.set(on=["failed", "stalled", "low disk"])
    told.look()
    told.end_run(State.SUCCEEDED)
    told.end_run(State.CANCELLED)
    run = told.end_run(State.FAILED)
    told.writer.add_event(TRAINING, run, "checkpoint", "step 4")
    told.writer.add_event(TRAINING, run, "stalled", "no step for an hour")
    told.writer.add_event(TRAINING, run, "disk full", "0 bytes left")
    told.settle()
    assert told.events() == ["failed", "stalled", "low disk"]


def test_evaluations_are_told_of_where_they_fail(told: Told) -> None:
    told.set()
    told.look()
    for state in (State.SUCCEEDED, State.FAILED):
        number = add_evaluation(told.writer, None, Reference.MAJORITY)
        told.writer.transition(JobKind.EVALUATION, number, State.QUEUED, State.STARTING, "")
        told.writer.transition(JobKind.EVALUATION, number, State.STARTING, State.RUNNING, "")
        told.writer.transition(JobKind.EVALUATION, number, State.RUNNING, state, "why")
    told.settle()
    (heard,) = told.heard()
    assert heard["stdin"]["text"] == "evaluation 2 (majority class) has failed: why"
    assert heard["variables"]["SONOTUNE_RUN"] == ""


def test_a_new_worker_tells_what_happened_without_one_but_no_old_news(told: Told) -> None:
    told.set()
    told.look()
    told.wall -= 3 * 86_400
    told.end_run(State.FAILED, "long ago")
    told.wall += 3 * 86_400 - 3600
    told.end_run(State.FAILED, "an hour ago")
    told.wall += 3600
    told.notifier = told.new_notifier()
    told.settle()
    told.notifier = told.new_notifier()
    told.settle()
    assert [each["stdin"]["name"] for each in told.heard()] == ["an hour ago"]


def test_a_worker_that_dies_before_the_command_has_ended_tells_it_again(told: Told) -> None:
    told.set()
    told.look()
    told.end_run(State.FAILED)
    told.look()
    assert told.notifier.busy
    wait_until(told.heard, "the command was run")
    told.notifier = told.new_notifier()  # the one before never learned that its command has ended
    told.settle()
    assert told.events() == ["failed", "failed"]


def test_a_command_that_fails_is_tried_three_times_and_then_given_up(told: Told) -> None:
    told.set(code=3)
    told.look()
    told.end_run(State.FAILED)
    for pause in (*RETRY_SECONDS, 0.0):
        tries = len(told.heard())
        wait_until(lambda before=tries: told.look() or len(told.heard()) > before, "it was tried")  # type: ignore[misc]
        wait_until(lambda: told.look() or told.notifier._delivery is None, "it has ended")  # type: ignore[func-returns-value]
        told.now += pause
    told.look()
    assert not told.notifier.busy
    assert told.events() == ["failed"] * 3
    assert notify_log(told.workspace).read_text().count("exit code 3") == 3
    assert told.reader.setting(CURSOR) == {"event": told.reader.newest_ids()[0]}


def test_a_look_never_waits_for_the_command(told: Told) -> None:
    told.set()
    told.program.write_text("import time; time.sleep(5)")
    told.look()
    told.end_run(State.FAILED)
    begun = time.monotonic()
    for _ in range(5):
        told.look()
    assert time.monotonic() - begun < 2.0
    assert told.notifier.busy


def test_a_queue_that_has_run_empty_is_told_with_counts(told: Told) -> None:
    told.set(on=["queue finished"])
    told.look(jobs_left=False)
    told.look(jobs_left=True)
    told.end_run(State.SUCCEEDED)
    told.end_run(State.FAILED)
    told.settle(jobs_left=False)
    told.settle(jobs_left=False)
    (heard,) = told.heard()
    assert heard["stdin"]["text"] == "the queue is finished: 1 succeeded, 1 failed"


def test_settings_are_read_anew_when_they_change(told: Told) -> None:
    told.look()
    told.end_run(State.FAILED, "nobody asked")
    told.set()
    told.look()
    told.end_run(State.FAILED, "now")
    told.settle()
    told.config.unlink()
    told.end_run(State.FAILED, "nobody asks any more")
    told.settle()
    assert [each["stdin"]["name"] for each in told.heard()] == ["now"]


def test_a_database_from_a_backup_does_not_silence_it(told: Told) -> None:
    told.set()
    told.writer.set_setting(CURSOR, {"event": 10_000})
    told.look()
    told.end_run(State.FAILED)
    told.settle()
    assert told.events() == ["failed"]
    raw(told.workspace).execute("UPDATE settings SET value = '[1]' WHERE key = ?", (CURSOR,))
    told.notifier = told.new_notifier()
    told.settle()
    assert told.events() == ["failed"]


def deliver(code: str, limit: float = 20.0) -> Delivery:
    return Delivery([sys.executable, "-c", code], Notice("test", "words"), limit_seconds=limit).start().wait()


def test_a_command_that_hangs_is_killed_with_what_it_started() -> None:
    begun = time.monotonic()
    found = deliver("import os, time; os.fork(); time.sleep(60)", limit=0.5)
    assert "did not end within" in found.problem
    assert time.monotonic() - begun < 10


def test_output_without_end_is_cut_and_a_silent_end_is_noticed() -> None:
    found = deliver("import sys\nfor _ in range(20000): print('x' * 100)")
    assert (found.problem, len(found.output)) == ("", KEPT_OUTPUT_BYTES)
    assert deliver("import os; os.close(1); os.close(2); os._exit(4)").problem == "it ended with exit code 4"
    assert deliver("import os; os.kill(os.getpid(), 9)").problem == "signal 9 ended it"
    assert "could not be run" in Delivery(["/no/such/program"], Notice("test", "")).start().wait().problem


def test_what_a_command_leaves_behind_is_not_waited_for() -> None:
    code = "import os, time\nif os.fork() == 0:\n    os.setsid(); time.sleep(20)"
    begun = time.monotonic()
    assert deliver(code).problem == ""
    assert time.monotonic() - begun < 10


def test_the_log_is_of_limited_size_and_names_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify_command, "LARGEST_LOG_BYTES", 500)
    log = tmp_path / "outputs" / "notify.log"
    for _ in range(30):
        delivery = Delivery(["/no/such/program", "--token=secret"], Notice("test", "words\x1b[2J"))
        log_delivery(log, delivery.start().wait())
    files = sorted(log.parent.iterdir())
    assert [file.name for file in files] == ["notify.log", "notify.log.1"]
    assert all(file.stat().st_size < 1000 and file.stat().st_mode & 0o077 == 0 for file in files)
    assert "secret" not in log.read_text()
    assert "\x1b" not in log.read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[notify]\ncommand = 3", "is a text"),
        ("[notify]\ncommand = 'a \"b'", "No closing quotation"),
        ("[notify]\ncommand = 'a'\non = ['failed', 'sometimes']", "'sometimes' is none of"),
        ("[notify]\ncommand = 'a'\nwhen = 'now'", "no key when"),
        ("notify = 3", "is a section"),
        ("[notify\n", "Expected"),
    ],
)
def test_settings_that_cannot_be_used_are_told(tmp_path: Path, text: str, problem: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    config.chmod(0o600)
    found = notify_settings(Workspace(tmp_path / "w"), {"SONOTUNE_CONFIG": str(config)})
    assert problem in " ".join(found.problems)


def test_other_sections_are_none_of_its_business(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    environment = {"SONOTUNE_CONFIG": str(config)}
    workspace = Workspace(tmp_path / "w")
    assert notify_settings(workspace, environment).command == ()
    config.write_text("[notify]\ncommand = \"tell 'two words' $HOME\"\n[keys]\n'a.b' = 'c'\n")
    config.chmod(0o600)
    found = notify_settings(workspace, environment)
    assert found.command == ("tell", "two words", "$HOME")
    assert found.on == frozenset(DEFAULT_ON)
    assert found.problems == ()


def test_a_file_that_others_may_write_or_that_lies_in_the_workspace_runs_nothing(tmp_path: Path) -> None:
    text = "[notify]\ncommand = 'evil'\n"
    inside = tmp_path / "workspace" / "config.toml"
    inside.parent.mkdir()
    inside.write_text(text)
    inside.chmod(0o600)
    workspace = Workspace(inside.parent)
    outside = tmp_path / "config.toml"
    outside.symlink_to(inside)
    for file in (inside, outside):
        found = notify_settings(workspace, {"SONOTUNE_CONFIG": str(file)})
        assert found.command == ()
        assert "inside a workspace" in found.problems[0]
    elsewhere = Workspace(tmp_path / "other")
    assert notify_settings(elsewhere, {"SONOTUNE_CONFIG": str(inside)}).command == ("evil",)
    inside.chmod(0o622)
    found = notify_settings(elsewhere, {"SONOTUNE_CONFIG": str(inside)})
    assert found.command == ()
    assert "chmod go-w" in found.problems[0]


def test_a_test_notice_is_delivered_and_waited_for(told: Told) -> None:
    assert try_notification(told.workspace, told.environment) is None
    told.set()
    found = try_notification(told.workspace, told.environment)
    assert found is not None
    assert found.problem == ""
    assert told.events() == ["test"]
