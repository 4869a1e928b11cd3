"""Names, tags, notes and clones of runs, and what a run can be measured on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cli_helpers import HOSTILE, control_characters, finish_evaluation, no_worker, small_dataset, succeed
from data_helpers import eight_lines, write_image, write_lines
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import add_evaluation, add_run

from engine import api
from engine.errors import DataError, JobError, RecipeError, UsageError
from engine.recipe import Recipe, check_name, following_name, parse_recipe, recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import QUESTION_IDS, JobKind, Reference, Split, State
from engine.workspace import Workspace

TRAINING, EVALUATION = JobKind.TRAINING, JobKind.EVALUATION
SPLITS = (Split.VALIDATION, Split.TEST)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two runs, the first with an evaluation."""
    made = Workspace(tmp_path)
    with Writer.open(made) as writer:
        first = add_run(writer, "first")
        add_run(writer, "second")
        add_evaluation(writer, first)
        add_evaluation(writer, None, Reference.BASE)
    return made


def recipe(*changes: str) -> Recipe:
    return api.load_recipe(api.find_recipe("demo", Path.cwd()), ["data.dataset=fetal", *changes])


# ----- names


def test_a_renamed_run_has_its_new_name_everywhere_and_its_old_folder(workspace: Workspace) -> None:
    before = api.run_details(workspace, "first").run
    assert api.rename_run(workspace, "first", " new [name] ").startswith("Run 1 is named new [name] now; it was first.")
    with Writer.open(workspace) as writer:
        finish_evaluation(writer, 1)
        add_evaluation(writer, 1)
    details = api.run_details(workspace, "new [name]")
    assert (details.run.id, details.run.directory, details.run.recipe) == (1, before.directory, before.recipe)
    assert {row.name for row in details.evaluations} == {"new [name]"}
    with Reader(workspace) as reader:
        jobs = {(job.kind, job.id): job.name for job in reader.jobs(State)}
        views = next(api.follow_jobs(workspace, [(EVALUATION, 1)]))
        board = [row["name"] for row in reader.leaderboard()]
    assert jobs == {
        (TRAINING, 1): "new [name]", (TRAINING, 2): "second",
        (EVALUATION, 1): "new [name]", (EVALUATION, 2): "untuned assets/base-model", (EVALUATION, 3): "new [name]",
    }  # fmt: skip
    assert board == ["new [name]"]
    assert views[0].title.startswith("new [name] · Q7")
    assert api.queue_view(workspace).queued[0].name == "new [name]"
    with pytest.raises(JobError, match="no run first"):
        api.run_details(workspace, "first")


def test_an_evaluation_row_with_an_old_name_is_still_shown_with_the_present_one(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        writer.update(EVALUATION, 1, name="long ago")
    with Reader(workspace) as reader:
        assert reader.job(EVALUATION, 1).name == "first"


def test_a_rename_leaves_an_event_with_both_names(workspace: Workspace) -> None:
    api.rename_run(workspace, 2, "other")
    event = api.run_details(workspace, 2).events[-1]
    assert (event.kind, event.detail) == ("renamed", "from second to other")
    assert api.rename_run(workspace, 2, "other") == "Run 2 is named other already."
    assert [event.kind for event in api.run_details(workspace, 2).events] == ["queued", "renamed"]


def test_a_name_belongs_to_one_run(workspace: Workspace) -> None:
    with pytest.raises(JobError, match="Run 1 has the name first already"):
        api.rename_run(workspace, 2, "first")
    assert api.run_details(workspace, 2).run.name == "second"
    api.rename_run(workspace, 1, "free now")
    api.rename_run(workspace, 2, "first")
    assert api.run_details(workspace, "first").run.id == 2
    with pytest.raises(JobError, match="no run 9"):
        api.rename_run(workspace, 9, "x")


def test_of_two_who_want_the_same_name_one_gets_it(workspace: Workspace) -> None:
    refused: list[int] = []

    def rename(run: int) -> None:
        try:
            api.rename_run(workspace, run, "wanted")
        except JobError:
            refused.append(run)

    threads = [Thread(target=rename, args=(run,)) for run in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert api.run_details(workspace, "wanted").run.id == 3 - refused[0]


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "x" * 81, "\u202egnp", "a\x1b[2Jb", "a\ud800"])
def test_a_name_that_no_recipe_may_have_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a run") as caught:
        api.rename_run(workspace, 1, name)
    assert "1 to 80 characters" in caught.value.next_step
    assert not control_characters(str(caught.value))
    assert api.run_details(workspace, 1).run.name == "first"


@given(name=st.one_of(st.text(max_size=90), st.text(st.characters(), min_size=1, max_size=3)))
def test_there_is_one_rule_for_names(name: str) -> None:
    def allowed(check: Any) -> bool:
        try:
            check()
        except UsageError:
            return False
        return True

    assert allowed(lambda: check_name(name)) == allowed(lambda: parse_recipe({"name": name}, "test"))


# ----- tags and notes


def test_tags_are_added_and_taken_away(workspace: Workspace) -> None:
    assert api.tag_run(workspace, "first", ["paper", "α 4"]) == ["paper", "α 4"]
    assert api.tag_run(workspace, 1, ["paper", "old"], ["α 4"]) == ["old", "paper"]
    assert api.run_details(workspace, 1).tags == ["old", "paper"]
    assert api.run_details(workspace, 2).tags == []
    assert api.tag_run(workspace, 1, remove=["old", "paper"]) == []


def test_all_problems_of_tags_come_at_once_and_nothing_is_changed(workspace: Workspace) -> None:
    api.tag_run(workspace, 1, ["kept"])
    wrong = ["", "x" * 41, " a", "a ", "a,b", "a\x1bb", "two", "fine"]
    with pytest.raises(UsageError) as caught:
        api.tag_run(workspace, 1, wrong, ["nowhere", "two"])
    lines = caught.value.reason.splitlines()
    assert len(lines) == 8
    for text in ("0 characters", "41 characters", "space", "comma", "printed", "to be removed", "no such tag"):
        assert text in caught.value.reason, text
    assert not control_characters(caught.value.reason)
    assert api.run_details(workspace, 1).tags == ["kept"]


def test_a_run_has_at_most_twenty_tags(workspace: Workspace) -> None:
    twenty = [f"tag {number:02d}" for number in range(20)]
    assert api.tag_run(workspace, 1, twenty) == twenty
    with pytest.raises(UsageError) as caught:
        api.tag_run(workspace, 1, ["one more"])
    assert "21 tags; at most 20" in caught.value.reason
    assert api.tag_run(workspace, 1, ["one more", twenty[5]], [twenty[0]]) == ["one more", *twenty[1:]]


def test_taggers_at_the_same_time_lose_no_tag(workspace: Workspace) -> None:
    threads = [Thread(target=api.tag_run, args=(workspace, 1, [f"t{number}"])) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert api.run_details(workspace, 1).tags == [f"t{number}" for number in range(6)]


def test_notes_keep_their_lines_and_lose_their_control_characters(workspace: Workspace) -> None:
    first = api.add_note(workspace, "first", f"  line one\r\nline two\t{HOSTILE}\n")
    second = api.add_note(workspace, 1, "später")
    found = api.notes(workspace, 1)
    assert [note.id for note in found] == [first, second]
    assert found[0].text.splitlines()[0] == "line one"
    assert found[0].text.splitlines()[1].startswith("line two\t[2J]0;title[red]x[/red]gnp.exe31m")
    assert not control_characters(found[0].text)
    assert api.run_details(workspace, 1).notes == found
    assert api.notes(workspace, 2) == []


@pytest.mark.parametrize("text", ["", " \n\t ", "\x1b\x07", "x" * 5001])
def test_a_note_has_one_to_five_thousand_characters(workspace: Workspace, text: str) -> None:
    with pytest.raises(UsageError, match="The note has"):
        api.add_note(workspace, 1, text)
    assert api.notes(workspace, 1) == []


def test_a_note_may_be_five_thousand_characters_long(workspace: Workspace) -> None:
    api.add_note(workspace, 1, "x" * 5000)
    assert len(api.notes(workspace, 1)[0].text) == 5000
    with pytest.raises(JobError, match="no run 9"):
        api.add_note(workspace, 9, "x")
    with pytest.raises(JobError, match="no run 9"):
        api.notes(workspace, 9)


# ----- clones


@pytest.mark.parametrize(
    ("name", "taken", "following"),
    [
        ("demo", {"demo"}, "demo-2"),
        ("demo", {"demo", "demo-2"}, "demo-3"),
        ("demo-2", {"demo", "demo-2"}, "demo-3"),
        ("demo-9", {"demo-9", "demo-10"}, "demo-11"),
        ("run-20261105", {"run-20261105"}, "run-20261105-2"),
        ("baseline-q7-8b", {"baseline-q7-8b"}, "baseline-q7-8b-2"),
        ("x" * 80, {"x" * 80}, "x" * 78 + "-2"),
    ],
)
def test_a_copy_counts_on_instead_of_doubling_the_ending(name: str, taken: set[str], following: str) -> None:
    assert following_name(name, taken) == following
    check_name(following)


def test_a_clone_is_the_stored_recipe_under_a_free_name(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    original = recipe("training.seed=7", "lora.r=4")
    with no_worker(workspace):
        run_id = api.launch(workspace, original, references=False, test_purpose="tests").run_id
        assert api.clone_recipe(workspace, run_id) == original.model_copy(update={"name": "demo-2"})
        api.rename_run(workspace, run_id, "seven")
        copy = api.clone_recipe(workspace, "seven", ["training.seed=8"])
        assert (copy.name, copy.training.seed, copy.lora.r) == ("seven-2", 8, 4)
        assert api.clone_recipe(workspace, run_id, ["name=other"]).name == "other"
        launched = api.launch(workspace, copy, references=False, parent_run_id=run_id, test_purpose="tests")
    child = api.run_details(workspace, launched.run_id).run
    assert (child.name, child.parent_run_id) == ("seven-2", run_id)
    assert child.recipe == recipe_json(copy)


def test_wrong_changes_of_a_clone_name_the_run_and_the_key(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    api.launch(workspace, recipe(), references=False, start_worker=False, test_purpose="tests")
    with pytest.raises(RecipeError, match="recipe of run 1: 2 problems") as caught:
        api.clone_recipe(workspace, 1, ["training.lerning_rate=1", "lora.r=0"])
    assert "--set lora.r=0" in caught.value.reason
    with pytest.raises(JobError, match="no run 5"):
        api.clone_recipe(workspace, 5)


def test_a_stored_recipe_of_another_version_is_refused_in_words(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        writer.update(TRAINING, 1, recipe=json.dumps({"name": "x", "future": {"key": 1}}))
    with pytest.raises(RecipeError, match="recipe of run 1"):
        api.clone_recipe(workspace, 1)


# ----- what a run can be measured on


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Workspace]:
    """A dataset with a queued run on Q6, whose validation is queued."""
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(
            workspace,
            recipe("data.questions=['Q6']", "evaluation.splits=['validation']"),
            references=False,
            test_purpose="tests",
        )
        yield workspace


def choices(workspace: Workspace) -> dict[tuple[str, str], tuple[int, str | None]]:
    return {
        (choice.question, choice.split): (choice.cases, choice.state)
        for choice in api.evaluation_choices(workspace, 1).choices
    }


def test_choices_name_questions_splits_cases_and_what_is_on_its_way(launched: Workspace) -> None:
    found = api.evaluation_choices(launched, "demo")
    assert (found.run_id, found.name, found.waits, found.obstacle) == (1, "demo", True, "")
    images = {split: sum(row.total for row in api.dataset_summary(launched, "fetal").counts if row.split == split)
              for split in Split}  # fmt: skip
    assert choices(launched) == {
        **{(question, split): (images[split], None) for question in QUESTION_IDS for split in SPLITS},
        ("Q6", "validation"): (images[Split.VALIDATION], "queued"),
    }
    assert [choice.question for choice in found.choices[:4]] == ["Q6", "Q6", "Q7", "Q7"]
    assert found.choices[0].evaluation_id == 1
    api.evaluate_run(launched, 1, [Split.TEST], ["Q7"], test_purpose="tests")
    assert {key for key, (_, state) in choices(launched).items() if state == "queued"} == {
        ("Q6", "validation"), ("Q7", "validation"), ("Q7", "test"),
    }  # fmt: skip


def test_choices_say_what_was_measured_and_forget_what_failed(launched: Workspace) -> None:
    with Writer.open(launched) as writer:
        succeed(writer, TRAINING, 1)
        succeed(writer, EVALUATION, 1)
    (launched.root / "outputs" / "00001-demo" / "adapter").mkdir(parents=True)
    assert choices(launched)["Q6", "validation"][1] == "succeeded"
    assert not api.evaluation_choices(launched, 1).waits
    api.evaluate_run(launched, 1, [Split.TEST], test_purpose="tests")
    with Reader(launched) as reader:
        test = next(row.id for row in reader.evaluations(1) if row.split == Split.TEST)
    with Writer.open(launched) as writer:
        writer.transition(EVALUATION, test, State.QUEUED, State.STARTING, "test")
        writer.transition(EVALUATION, test, State.STARTING, State.FAILED, "test")
    assert choices(launched)["Q6", "test"][1] is None


def test_cases_are_counted_after_the_limit_and_only_where_there_is_an_answer(tmp_path: Path) -> None:
    workspace, lines = Workspace(tmp_path / "workspace"), []
    workspace.root.mkdir()
    for number in range(60):
        path = write_image(tmp_path / "images", f"Femur/Femur_{number:03d}.png")
        # One image in two has an answer to every question; the others lack Q7.
        answers = eight_lines(path)
        lines += answers if number % 2 else [line for line in answers if "Normality" not in line]
    api.import_chat_file(workspace, "fetal", write_lines(tmp_path / "f.jsonl", lines), tmp_path / "images")
    with no_worker(workspace):
        api.launch(
            workspace,
            recipe("data.questions=['Q1','Q7']", "evaluation.limit=4"),
            references=False,
            test_purpose="tests",
        )
        api.launch(workspace, recipe("data.questions=['Q1','Q7']"), references=False, test_purpose="tests")
    limited = {choice.cases for choice in api.evaluation_choices(workspace, 1).choices}
    assert max(limited) == 4
    dataset = {(c.question, c.split): c.cases for c in api.evaluation_choices(workspace, 2).choices}
    from engine.data.manifest import open_dataset

    opened = open_dataset(workspace, "fetal")
    assert dataset == {
        (question, split): len(opened.cases(split, question)) for question in QUESTION_IDS for split in SPLITS
    }
    assert dataset["Q7", Split.TEST] < dataset["Q1", Split.TEST]


def test_a_wording_that_only_q7_has_leaves_the_others_out(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, recipe("data.prompt=structured"), references=False, test_purpose="tests")
        assert {choice.question for choice in api.evaluation_choices(workspace, 1).choices} == {"Q7"}
        with pytest.raises(JobError, match="Q1 has no wording named structured"):
            api.evaluate_run(workspace, 1, [Split.TEST], ["Q1"], test_purpose="tests")
    with Reader(workspace) as reader:
        assert {row.question for row in reader.evaluations()} == {"Q7"}


def test_choices_say_what_is_in_the_way(launched: Workspace, tmp_path: Path) -> None:
    api.cancel(launched, 1, start_worker=False)
    found = api.evaluation_choices(launched, 1)
    assert "no adapter to measure" in found.obstacle
    assert "cancelled" in found.obstacle
    assert found.next_step == "Launch it anew."
    api.launch(launched, recipe(), references=False, start_worker=False, test_purpose="tests")
    lines = [line for n in range(9) for line in eight_lines(write_image(tmp_path / "images", f"Femur/new_{n}.png"))]
    file = write_lines(tmp_path / "again.jsonl", lines)
    api.import_chat_file(launched, "fetal", file, tmp_path / "images", replace=True)
    changed = api.evaluation_choices(launched, 2)
    assert "has changed since the run was launched" in changed.obstacle
    assert changed.next_step
    (launched.dataset("fetal") / "manifest.json").unlink()
    with pytest.raises(DataError):
        api.evaluation_choices(launched, 2)
