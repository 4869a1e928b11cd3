"""The systemd user unit of a worker: its text as systemd reads it, its file, and what is said of logging out."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import CommandLine

from engine.api import unattended
from engine.errors import JobError
from engine.jobs import lingering, systemd
from engine.jobs.lingering import Logind, kills_user_processes, what_logout_does
from engine.jobs.systemd import unit_file, unit_name, unit_text, write_unit
from engine.workspace import Workspace

HOSTILE = 'a b/50% "done" $HOME it\'s \\n ünï'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    monkeypatch.delenv("SONOTUNE_CONFIG", raising=False)
    return folder


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_each_workspace_has_a_unit_of_its_own() -> None:
    names = [unit_name(Workspace(Path(path))) for path in ("/data/night runs", "/other/night runs", "/x/../..")]
    assert len(set(names)) == 3
    assert names[0].startswith("sonotune-night-runs-")
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.") for name in names)


def test_the_unit_leaves_jobs_alone_and_comes_back(config: Path) -> None:
    text = unit_text(Workspace(Path("/data/w")), resume=False)
    command = f"ExecStart={sys.executable} -P -m engine.jobs --workspace /data/w --stay\n"
    assert command in text
    for line in ("KillMode=process", "Restart=always", "UMask=0077", "WorkingDirectory=/data/w"):
        assert f"{line}\n" in text
    assert "--stay --resume\n" in unit_text(Workspace(Path("/data/w")), resume=True)


def test_only_named_variables_stand_in_the_unit(config: Path) -> None:
    environment = {"HF_TOKEN": "secret", "HF_HOME": "/h", "PATH": "/bin", "SONOTUNE_CONFIG": '/c/"x" 5%.toml'}
    text = unit_text(Workspace(Path("/w")), resume=False, environment=environment)
    assert "secret" not in text
    assert 'Environment="HF_HOME=/h"' in text
    assert 'Environment="SONOTUNE_CONFIG=/c/\\"x\\" 5%%.toml"' in text


@pytest.mark.parametrize("name", ["line\nbreak", "tab\t", "ends with a backslash\\", "ends with a blank "])
def test_paths_that_no_unit_can_hold_are_refused(name: str) -> None:
    with pytest.raises(JobError, match="cannot stand in a unit"):
        unit_text(Workspace(Path("/w") / name), resume=False)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("folder", ["plain", HOSTILE])
def test_systemd_understands_the_unit(tmp_path: Path, config: Path, folder: str) -> None:
    workspace = Workspace(tmp_path / folder)
    workspace.root.mkdir(parents=True)
    file = write_unit(workspace, resume=True)
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    own = [line for line in (done.stdout + done.stderr).splitlines() if file.name in line]
    assert own == [], own
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_complains_of_a_unit_that_is_wrong(tmp_path: Path, config: Path) -> None:
    file = write_unit(Workspace(tmp_path / "w"), resume=False)
    file.write_text(file.read_text().replace("KillMode=process", "KillMode=perhaps").replace("-P", "-P %q"))
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )
    assert any(file.name in line for line in done.stderr.splitlines())


def test_the_file_is_the_owners_and_replaces_the_one_before(tmp_path: Path, config: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    file = write_unit(workspace, resume=False)
    assert file == unit_file(workspace)
    assert file.parent == config / "systemd" / "user"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "--resume" not in file.read_text()
    assert "--resume" in write_unit(workspace, resume=True).read_text()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


class Systemd:
    """Stands in for systemctl and loginctl: remembers what it was asked."""

    def __init__(self, answers: bool = True, linger: str = "no", refuses: str = "") -> None:
        self.asked: list[str] = []
        self.answers, self.linger, self.refuses = answers, linger, refuses

    def __call__(self, command: list[str]) -> tuple[int, str]:
        words = " ".join(command).removeprefix("systemctl --user ")
        self.asked.append(words)
        if command[0] == "loginctl":
            return 0, f"Linger={self.linger}\n"
        if not self.answers or (self.refuses and words.startswith(self.refuses)):
            return 1, "Failed to connect to bus\n"
        return 0, {"is-active": "active\n", "is-enabled": "enabled\n"}.get(command[2], "")


Install = Callable[[Systemd], None]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Install:
    def instead(program: Systemd) -> None:
        monkeypatch.setattr(systemd, "run_program", program)
        monkeypatch.setattr(lingering, "run_program", program)

    return instead


def test_installing_starts_the_unit_and_explains_lingering(tmp_path: Path, config: Path, use: Install) -> None:
    workspace, program = Workspace(tmp_path / "w"), Systemd()
    use(program)
    said = " ".join(unattended.install_unit(workspace))
    name = unit_name(workspace)
    assert [words for words in program.asked if name in words or "reload" in words] == [
        "daemon-reload",
        f"enable {name}",
        f"restart {name}",
    ]
    assert "you do not linger" in said
    assert "loginctl enable-linger" in said
    found = unattended.unit_status(workspace)
    assert (found.installed, found.active, found.enabled) == (True, "active", True)
    assert "stopped and removed" in unattended.uninstall_unit(workspace)[0]
    assert f"disable --now {name}" in program.asked
    assert not unit_file(workspace).exists()
    assert "No unit" in unattended.uninstall_unit(workspace)[0]


def test_without_a_service_manager_the_commands_are_printed(tmp_path: Path, config: Path, use: Install) -> None:
    use(Systemd(answers=False, linger="yes"))
    workspace = Workspace(tmp_path / "w")
    said = " ".join(unattended.install_unit(workspace))
    assert f"systemctl --user enable --now {unit_name(workspace)}" in said
    assert "you linger" in said
    assert unit_file(workspace).exists()
    assert "does not answer" in unattended.unit_words(unattended.unit_status(workspace))


def test_a_refusal_of_systemd_is_an_error_with_a_next_step(tmp_path: Path, config: Path, use: Install) -> None:
    use(Systemd(refuses="enable"))
    with pytest.raises(JobError, match="systemd refuses") as caught:
        unattended.install_unit(Workspace(tmp_path / "w"))
    assert "systemctl --user status" in caught.value.next_step


def test_no_start_only_writes(tmp_path: Path, config: Path, use: Install, capfd: pytest.CaptureFixture[str]) -> None:
    program = Systemd()
    use(program)
    command = CommandLine(made(tmp_path / "w"), capfd)
    assert "Not started." in command("worker", "--install", "--resume", "--no-start").out
    assert not any("enable" in words for words in program.asked)
    assert "--resume" in unit_file(Workspace((tmp_path / "w").resolve())).read_text()
    assert command("worker", "--status", "--json").json["unit"]["installed"] is True
    assert command("worker", "--stop").out.startswith("The worker has ended")  # the unit's, as systemd says
    for words in (("--install", "--stop"), ("--no-start",), ("--stop", "--resume")):
        assert command("worker", *words).code == 2


@pytest.mark.parametrize(
    ("files", "kills"),
    [
        ({}, False),
        ({"etc/systemd/logind.conf": "#KillUserProcesses=yes\n"}, False),
        ({"etc/systemd/logind.conf": "[Login]\nKillUserProcesses=yes\n"}, True),
        ({"usr/lib/systemd/logind.conf": "KillUserProcesses=yes\n", "etc/systemd/logind.conf": "[Login]\n"}, False),
        (
            {
                "etc/systemd/logind.conf": "KillUserProcesses=no\n",
                "usr/lib/systemd/logind.conf.d/50-site.conf": "KillUserProcesses = on\n",
            },
            True,
        ),
        (
            {
                "usr/lib/systemd/logind.conf.d/50-site.conf": "KillUserProcesses=yes\n",
                "etc/systemd/logind.conf.d/50-site.conf": "KillUserProcesses=no\n",
            },
            False,
        ),
    ],
)
def test_whether_logind_kills_is_read_as_systemd_reads_it(tmp_path: Path, files: dict[str, str], kills: bool) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert kills_user_processes(tmp_path) is kills


@pytest.mark.parametrize(
    ("rules", "installed", "good"),
    [
        (Logind(False, kills=False), False, True),
        (Logind(True, kills=True), False, False),  # lingering saves nothing that a session has started
        (Logind(False, kills=False), True, False),
        (Logind(True, kills=True), True, True),
        (Logind(None, kills=False), True, True),
    ],
)
def test_what_a_logout_does(rules: Logind, installed: bool, good: bool) -> None:
    found, words, mend = what_logout_does(rules, installed=installed)
    assert found is good
    assert words
    assert bool(mend) is not good


def test_the_doctor_tells_of_notifications_and_logout(
    tmp_path: Path, config: Path, use: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    use(Systemd())
    command = CommandLine(made(tmp_path / "w"), capfd)
    found = {each["name"]: each for each in command("doctor", "--json").json}
    assert found["notifications"]["good"]
    assert "no command" in found["notifications"]["detail"]
    assert "logout" in found
    (config / "sonotune").mkdir(parents=True)
    (config / "sonotune" / "config.toml").write_text("[notify]\ncommand = 3\n")
    done = command("doctor", "--json")
    assert [each["name"] for each in done.json if not each["good"]] == ["notifications"]


def test_a_test_notice_from_the_command_line(tmp_path: Path, config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = CommandLine(made(tmp_path / "w"), capfd)
    done = command("worker", "--notify-test")
    assert done.code == 2
    assert "No command is set" in done.err
    (config / "sonotune").mkdir(parents=True)
    file = config / "sonotune" / "config.toml"
    file.write_text("[notify]\ncommand = \"sh -c 'echo heard $SONOTUNE_EVENT; exit 0'\"\n")
    file.chmod(0o600)
    done = command("worker", "--notify-test")
    assert (done.code, "| heard test" in done.out) == (0, True)
    file.write_text("[notify]\ncommand = \"sh -c 'exit 4'\"\n")
    done = command("worker", "--notify-test")
    assert done.code == 2
    assert "exit code 4" in done.err
