"""`sonotune compare`: what it prints on 80 columns, its JSON, its refusals, and how it measures alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE, CommandLine, control_characters, no_worker, small_dataset
from compare_helpers import ABNORMAL, NORMAL, Said, guesses, measured, predictions, targets
from store_helpers import add_run

from engine import api
from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import BLANK, IMPORTED, Reference, Split
from engine.workspace import Workspace

MEANT = targets(120, abnormal=4)
NOTE = "Research only, not for clinical use."


@pytest.fixture
def command(tmp_path: Path, capfd: Any, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setattr("engine.cli.console.output.width", 80)
    with Writer.open(Workspace(tmp_path)) as writer:
        measured(writer, "baseline", predictions(MEANT, guesses(MEANT, 1, skill=0.2)))
        measured(writer, "tuned", predictions(MEANT, guesses(MEANT, 2, skill=0.9)), recipe={"lora": {"r": 32}})
        measured(writer, "alike", predictions(MEANT, guesses(MEANT, 3, skill=0.2)))
        measured(writer, Reference.MAJORITY, predictions(MEANT, [Said(NORMAL, 0.2)] * 120))
        measured(writer, "part", predictions(MEANT[:30], guesses(MEANT[:30], 4, skill=0.9)), cases="cases-2")
    return CommandLine(tmp_path, capfd)


def test_the_verdict_comes_first_and_everything_fits_80_columns(command: CommandLine) -> None:
    done = command("compare", "1", "2", "alike", "majority")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "Q7 on validation of phantoms: the same 120 images for all"
    assert lines[1].startswith("run 2 (tuned) is better than run 1 (baseline): balanced accuracy +")
    assert max(map(len, lines)) <= 80
    flat = " ".join(done.out.split())
    for words in (
        "run 3 (alike): not distinguishable: balanced accuracy",
        "(Holm, 3 comparisons)",
        "McNemar's exact test on right and wrong:",
        "DeLong's test on AUROC:",
        "lora.r: 16 → 32",
        "NT-View 40",
        "fixed: first 10 of",
        "broken: ",
        "reference majority has no recipe",
        "P(abnormal), each subject at its own threshold",
        NOTE,
    ):
        assert words in flat, words


def test_not_distinguishable_is_no_failure(command: CommandLine) -> None:
    done = command("compare", "1", "3", "--limit", "0")
    assert done.code == 0
    assert "not distinguishable" in done.out
    assert "fixed: first" not in done.out


def test_json_has_every_figure_and_both_lists(command: CommandLine) -> None:
    found = command("compare", "1", "2", "--json").json
    assert (found["question"], found["split"], found["n"], found["note"]) == ("Q7", "validation", 120, NOTE)
    pair = found["pairs"][0]
    assert pair["standing"] == "better"
    assert pair["fixed_count"] == len(pair["fixed"]) > len(pair["broken"]) == pair["broken_count"]
    assert {"path", "view", "target", "before", "after"} <= set(pair["fixed"][0])
    assert pair["differences"][0]["name"] == pair["primary"] == "balanced_accuracy"
    assert pair["p_adjusted"] < 0.05
    assert found["subjects"][1]["scores"][0]["n"] > 0
    assert pair["recipe"] == [["lora.r", 16, 32]]


def test_different_images_end_with_1_and_common_ones_are_loud(command: CommandLine) -> None:
    done = command("compare", "1", "part")
    assert (done.code, done.out) == (1, "")
    assert "different images" in done.err
    assert "run 4 (part): 30 images" in done.err
    assert "--measure" in done.err
    done = command("compare", "1", "part", "--common")
    assert done.code == 0
    assert "! DIFFERENT IMAGES: only the 30" in done.out
    assert "the same 30 images for all" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("1",), "One subject alone"),
        (("1", "1"), "named twice"),
        (("1", "2", "--question", "Q9"), "no question Q9"),
        (("1", "2", "--split", "tests"), "no split tests"),
    ],
)
def test_wrong_words_end_with_2(command: CommandLine, words: tuple[str, ...], said: str) -> None:
    done = command("compare", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_nothing_hostile_gets_through(command: CommandLine) -> None:
    said = [Said(HOSTILE + " abnormal", 0.9) for _ in MEANT]
    rows = [replace(row, target=row.target + HOSTILE) for row in predictions(MEANT, said)]
    rows = [replace(row, view=HOSTILE, path=HOSTILE + row.path) for row in rows]
    others = [replace(row, raw_output=NORMAL, p_abnormal=0.1) for row in rows]
    with Writer.open(Workspace(command.folder)) as writer:
        for name, each in ((HOSTILE, rows), (HOSTILE + "2", others)):
            measured(writer, name, each, cases="hostile", protocol={"prompt": HOSTILE + name}, dataset=HOSTILE,
                     protocol_fingerprint=name)  # fmt: skip
    done = command("compare", "5", "6")
    assert done.code == 0
    assert control_characters(done.out + done.err) == set()
    assert "[red]x[/red]" in done.out
    assert command("compare", "5", "6", "--json").json["pairs"][0]["fixed"]


def test_other_measured_questions_are_named(command: CommandLine) -> None:
    meant = ["liver", "aorta"] * 20
    with Writer.open(Workspace(command.folder)) as writer:
        for run in (1, 2):
            measured(writer, run, predictions(meant, [Said("liver")] * 40, "Q1"), question="Q1")
    assert "Also measured alike: Q1 on validation" in " ".join(command("compare", "1", "2").out.split())
    done = command("compare", "1", "2", "--question", "Q1")
    assert "Q1 on validation of phantoms: the same 40 images for all" in done.out
    assert "not distinguishable: F2 +0.00" in " ".join(done.out.split()).replace("0.000", "0.00")


# ----- measuring alike


def trained(workspace: Workspace, writer: Writer, name: str, limit: int, **others: Any) -> int:
    """A run that waits in the queue, with a recipe that evaluates so many images."""
    record = api.dataset_summary(workspace, "fetal").record
    recipe = Recipe.model_validate({"name": name, "data": {"dataset": "fetal"}, "evaluation": {"limit": limit}})
    prints = (record.fingerprint, record.split_fingerprint)
    return writer.create_run(name, recipe_json(recipe), "fetal", *prints, "assets/base-model", 42, **others)


def test_measure_queues_the_largest_selection_for_all_of_them_once(tmp_path: Path, capfd: Any) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace), Writer.open(workspace) as writer:
        runs = [trained(workspace, writer, "few", 4), trained(workspace, writer, "all", 0)]
        command = CommandLine(workspace.root, capfd)
        done = command("compare", "few", "all", "--measure", "--json")
        assert done.code == 0, done.err
        with Reader(workspace) as reader:
            every = [row for run in runs for row in reader.evaluations(run)]
        rows = [row for row in every if row.degradation is None]
        grey = [(row.run_id, row.case_limit, row.degradation) for row in every if row.degradation is not None]
        assert grey == [(run, 0, BLANK) for run in runs], "whether it looks at the image is measured along"
        assert {(row.run_id, row.case_limit, row.question, row.split) for row in rows} == {
            (run, 0, "Q7", Split.VALIDATION) for run in runs
        }
        assert {row.id for row in rows} < set(done.json["evaluations"])
        again = command("compare", "few", "all", "--measure")
        assert (again.code, again.err) == (0, "All of that is measured, or on its way.\n")


def test_measure_asks_why_the_test_split_is_looked_at(tmp_path: Path, capfd: Any) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace), Writer.open(workspace) as writer:
        for name in ("a", "b"):
            trained(workspace, writer, name, 0)
        command = CommandLine(workspace.root, capfd)
        done = command("compare", "a", "b", "--measure", "--split", "test")
        assert done.code == 2
        assert "not looked at without a reason" in done.err
        with Reader(workspace) as reader:
            assert reader.evaluations() == []
        done = command("compare", "a", "b", "--measure", "--split", "test", "--test-purpose", "final comparison")
        assert done.code == 0
        assert [look.purpose for look in api.looks(workspace, "fetal")] == ["final comparison"] * 2


def test_a_comparison_on_test_says_how_often_it_was_looked_at(tmp_path: Path, capfd: Any) -> None:
    workspace = small_dataset(tmp_path)
    split = api.dataset_summary(workspace, "fetal").record.split_fingerprint
    prints = {"dataset": "fetal", "split_fingerprint": split}
    with Writer.open(workspace) as writer:
        for name, seed in (("a", 1), ("b", 2)):
            rows = predictions(MEANT, guesses(MEANT, seed, skill=0.5))
            measured(writer, name, rows, split=Split.TEST, look="final comparison", **prints)
    command = CommandLine(workspace.root, capfd)
    said = "Test split of fetal: looked at 2 times; `sonotune data looks fetal` says why."
    assert said in " ".join(command("compare", "a", "b").out.split())
    assert command("compare", "a", "b", "--json").json["test_looks"] == "looked at 2 times"
    with Writer.open(workspace) as writer:
        for run in (1, 2):
            measured(writer, run, predictions(MEANT, guesses(MEANT, run, skill=0.5)), **prints)
    done = command("compare", "a", "b")
    assert "Q7 on validation" in done.out
    assert "looked at" not in done.out
    assert said in " ".join(command("compare", "a", "b", "--split", "test").out.split())


def test_what_cannot_be_measured_is_refused(tmp_path: Path, capfd: Any) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace), Writer.open(workspace) as writer:
        trained(workspace, writer, "a", 0)
        add_run(writer, "theirs", kind=IMPORTED)
        command = CommandLine(workspace.root, capfd)
        for words, code, said in (
            (("a", "theirs"), 1, "was not trained here"),
            (("majority", "shuffled"), 2, "References are measured along with runs"),
        ):
            done = command("compare", *words, "--measure")
            assert (done.code, said in done.err) == (code, True), done.err


def test_abnormal_is_told_from_normal() -> None:
    """The helper's own texts are read as what they are called: else every test above would mean something else."""
    assert {row.target_parsed for row in predictions([NORMAL], [Said(NORMAL)])} == {"normal"}
    assert {row.target_parsed for row in predictions([ABNORMAL], [Said(NORMAL)])} == {"abnormal"}
