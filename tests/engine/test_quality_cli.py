from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from cli_helpers import DIRECTIONS, HOSTILE, Done, control_characters
from quality_helpers import dataset_of, encoded, phantom
from store_helpers import add_evaluation
from typer.testing import CliRunner

from engine import api
from engine.cli import data_quality
from engine.cli.app import tell_error
from engine.cli.entry import GlobalOptions
from engine.data.manifest import open_dataset
from engine.errors import SonotuneError
from engine.store.writer import Writer
from engine.types import Reference, Split
from engine.workspace import Workspace


class Data:
    """The commands of this module alone, with the exit code that `main` hands to the shell."""

    def __init__(self, workspace: Workspace, captured: Any) -> None:
        self._captured = captured
        self._app = typer.Typer()
        group = typer.Typer()
        data_quality.register(group)
        self._app.add_typer(group, name="data")

        @self._app.callback()
        def main(context: typer.Context) -> None:
            context.obj = GlobalOptions(workspace.root, False)

    def __call__(self, *words: str) -> Done:
        self._captured.readouterr()
        try:
            self._app(["data", *words], standalone_mode=True)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except SonotuneError as error:
            code = tell_error(error, debug=False)
        return Done(code, *self._captured.readouterr())


def pictures(count: int = 24) -> dict[str, bytes]:
    views = ("Abdomen", "NT-View")
    return {f"{views[n % 2]}/{views[n % 2]}_{n:03}.png": encoded(phantom(n, 80)) for n in range(count)}


def sick(files: dict[str, bytes]) -> dict[str, str]:
    return {path: "Abnormal VSD" for place, path in enumerate(sorted(files)) if place % 4 == 0}


@pytest.fixture
def files() -> dict[str, bytes]:
    return pictures()


@pytest.fixture
def workspace(tmp_path: Path, files: dict[str, bytes]) -> Workspace:
    return dataset_of(tmp_path, files, Q7=sick(files))


@pytest.fixture
def data(workspace: Workspace, capfd: Any) -> Data:
    return Data(workspace, capfd)


@pytest.fixture
def doubled(tmp_path: Path, files: dict[str, bytes]) -> Workspace:
    """Every picture twice, turned by a degree."""
    for number, path in enumerate(list(files)):
        files[path.replace("/", "/copy_")] = encoded(phantom(number, 80).rotate(1))
    return dataset_of(tmp_path, files, Q7=sick(files))


def test_a_sound_dataset_passes(data: Data) -> None:
    done = data("check", "fetal")
    assert done.code == 0, done.err
    assert "24 images, 24 of them decoded, files compared with the import" in done.out
    assert "24 images decoded" in done.err
    assert "Nothing is wrong with it." in done.out
    assert "Always answering normal would be right for 75.0 %" in done.out
    again = data("check", "fetal")
    assert "images decoded" not in again.err, "everything was known"


def test_changed_missing_and_undecodable_files_fail_it(data: Data, tmp_path: Path) -> None:
    assert data("check", "fetal").code == 0
    root = tmp_path / "images" / "Abdomen"
    (root / "Abdomen_000.png").unlink()
    (root / "Abdomen_002.png").write_bytes(encoded(phantom(77, 80)))
    assert data("check", "fetal", "--no-verify").code == 0, "nobody has looked"
    done = data("check", "fetal")
    assert done.code == 1
    assert "2 files changed since the import" in done.out
    assert "Abdomen/Abdomen_000.png: the image file is missing" in done.out
    assert "Abdomen/Abdomen_002.png: the image's bytes have changed" in done.out
    report = data("check", "fetal", "--json").json
    assert [fault["path"] for fault in report["checks"]["changed"]] == [
        "Abdomen/Abdomen_000.png",
        "Abdomen/Abdomen_002.png",
    ]


def test_pairs_across_splits_fail_it_and_splitting_again_mends_it(doubled: Workspace, capfd: Any) -> None:
    data = Data(doubled, capfd)
    done = data("check", "fetal")
    assert done.code == 1
    assert "near-duplicate images in different splits" in done.out
    assert "sonotune data split fetal" in done.out
    crossing = data("check", "fetal", "--json").json["duplicates"]["near_crossing"]
    split = data("split", "fetal")
    assert split.code == 0, split.err
    assert "24 groups of near-duplicates share a split each." in split.out
    assert crossing > 0
    assert data("check", "fetal").code == 0


def test_every_section_fits_eighty_columns(doubled: Workspace, capfd: Any) -> None:
    data = Data(doubled, capfd)
    for section in data_quality.SECTIONS:
        done = data("check", "fetal", "--section", section, "--no-verify")
        assert done.out.strip(), section
        assert all(len(line) <= 80 for line in done.out.splitlines()), section
    every = data("check", "fetal", "--section", "all", "--no-verify").out
    assert "similarity" in every
    assert "answer as it is read" in every


def test_answers_of_one_view(data: Data) -> None:
    whole = data("check", "fetal", "--section", "answers").out
    one = data("check", "fetal", "--section", "answers", "--view", "NT-View").out
    assert whole != one
    assert " 12 " in one
    assert " 24 " in whole
    assert " 24 " not in one
    refused = data("check", "fetal", "--section", "answers", "--view", "Nose")
    assert refused.code == 2
    assert "Abdomen, NT-View" in refused.err


def test_json_is_one_document_and_all_of_it(data: Data) -> None:
    done = data("check", "fetal", "--json")
    assert done.code == 0
    assert done.json["images"] == 24
    assert done.json["checks"]["verified"] is True
    assert done.json["images_per_second"] > 0
    assert data("check", "fetal", "--json", "--no-verify").json["images_per_second"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("check", "fetal", "--section", "nose"),
        ("split", "fetal", "--shares", "0.5,0.5"),
        ("split", "fetal", "--shares", "a,b,c"),
        ("split", "fetal", "--from", "x.csv", "--seed", "3"),
        ("split", "fetal", "--split-rest", "leave-out"),
    ],
)
def test_wrong_words_end_with_two(data: Data, workspace: Workspace, words: tuple[str, ...]) -> None:
    before = open_dataset(workspace, "fetal").record
    assert data(*words).code == 2
    assert open_dataset(workspace, "fetal").record == before


@pytest.mark.parametrize("words", [("check", "none"), ("split", "none"), ("split", "fetal", "--from", "none.csv")])
def test_what_is_not_there_ends_with_one(data: Data, words: tuple[str, ...]) -> None:
    done = data(*words)
    assert done.code == 1
    assert done.err.strip()


def test_a_split_tells_what_has_moved(data: Data, workspace: Workspace) -> None:
    before = open_dataset(workspace, "fetal").record
    done = data("split", "fetal", "--seed", "5", "--shares", "0.5,0.25,0.25")
    after = open_dataset(workspace, "fetal").record
    assert done.code == 0, done.err
    assert f"split {before.split_fingerprint[:12]} -> {after.split_fingerprint[:12]}" in done.out
    assert before.fingerprint == after.fingerprint
    rows = {
        line.split()[0]: line.split()[1]
        for line in done.out.splitlines()
        if line.strip().startswith(("tr", "va", "te"))
    }
    assert sum(int(count) for count in rows.values()) == 24
    assert set(rows) == {"train", "validation", "test"}


def test_a_measured_split_needs_a_word(data: Data, workspace: Workspace) -> None:
    record = open_dataset(workspace, "fetal").record
    with Writer.open(workspace) as writer:
        add_evaluation(writer, None, Reference.BASE, dataset="fetal", split_fingerprint=record.split_fingerprint)
    refused = data("split", "fetal", "--seed", "5")
    assert refused.code == 1
    assert "1 evaluations belong to it" in refused.err
    assert "--replace" in refused.err
    assert open_dataset(workspace, "fetal").record == record
    done = data("split", "fetal", "--seed", "5", "--replace")
    assert done.code == 0
    assert "1 evaluations belong to the old split" in " ".join(done.err.split())


def test_a_split_file_is_taken(data: Data, workspace: Workspace, tmp_path: Path) -> None:
    cases = open_dataset(workspace, "fetal").cases()
    wanted = {case.path: list(Split)[place % 3] for place, case in enumerate(cases)}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({str(part): [p for p, each in wanted.items() if each == part] for part in Split}))
    done = data("split", "fetal", "--from", str(file), "--json")
    assert done.code == 0, done.err
    assert {case.path: case.split for case in open_dataset(workspace, "fetal").cases()} == wanted
    assert done.json["record"]["options"]["split_file"] == "mine.json"


def test_hostile_answers_cannot_steer_the_terminal(tmp_path: Path, files: dict[str, bytes], capfd: Any) -> None:
    evil = dict.fromkeys(list(files)[:4], HOSTILE)
    workspace = dataset_of(tmp_path, files, Q5=evil, Q8=evil, Q1=evil)
    data = Data(workspace, capfd)
    for words in (("--section", "all"), ("--json",)):
        done = data("check", "fetal", *words)
        assert done.out
        assert not control_characters(done.out + done.err)
    assert all(control_characters(each) for each in DIRECTIONS)


def test_the_background_check_is_what_the_foreground_uses(data: Data, workspace: Workspace) -> None:
    api.check_images(workspace, "fetal")
    assert "images decoded" not in data("check", "fetal").err


def test_help_names_every_section() -> None:
    app = typer.Typer()
    data_quality.register(app)
    text = CliRunner().invoke(app, ["check", "--help"]).output
    assert all(section in text for section in data_quality.SECTIONS)
