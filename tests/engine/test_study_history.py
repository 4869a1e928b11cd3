"""What a study says of itself where its rule, its arms or its seeds were changed once results were there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import study_result_helpers as results
from study_helpers import STUDY, finish_all, finish_evaluations, finish_run, launch, study_workspace, write_study

from engine import api
from engine.api import study_results
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.study.decisions import rule_hash
from engine.study.reading import parse_study
from engine.study.scaled import scaled
from engine.types import State
from engine.workspace import Workspace

EACH = STUDY.replace('kind = "better"\narm = "large"\nthan = "small"', 'kind = "each"')
FIVE = EACH.replace("[[decide]]", "".join(f'[arms.r{r}]\n"lora.r" = {r}\n' for r in (12, 16, 24)) + "[[decide]]")
UNTUNED = STUDY.replace("[[decide]]", "[arms.base]\nuntuned = true\n[[decide]]")
OTHER_RULE = STUDY.replace('kind = "better"', 'kind = "non_inferior"')
SEED_7 = STUDY.replace('recipe = "tiny"', 'recipe = "tiny"\nset = { "training.seed" = 7 }')


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return study_workspace(tmp_path)


def warnings(workspace: Workspace, name: str = "rank") -> tuple[str, ...]:
    return api.study_state(workspace, name).warnings


def done(workspace: Workspace, text: str) -> None:
    """A study that is launched and measured."""
    write_study(workspace, text)
    launch(workspace)
    finish_all(workspace)


def test_arms_belong_to_the_rule_where_each_is_asked_about_and_added_ones_do_not_change_it() -> None:
    def at(text: str, known: tuple[str, ...] | None = None) -> str:
        return rule_hash(scaled(parse_study(text, "x"), "demo"), known)

    assert at(FIVE) != at(EACH), "five arms are other tests than two"
    assert at(FIVE, ("large", "small")) == at(EACH), "as declared with two; three were added"
    assert at(EACH, ("small", "large", "r12")) != at(FIVE), "one of them is gone"
    assert at(STUDY) == at(UNTUNED), "a decision about two arms is the same whatever else there is"


def test_arms_that_were_measured_and_taken_out_are_named_in_state_and_result(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(workspace, FIVE)
    assert warnings(workspace) == ()
    write_study(workspace, EACH)
    rule, gone = warnings(workspace)
    assert "The rule of decision was changed after the launch" in rule
    assert gone.startswith("3 arms were measured and taken out since: r12, r16, r24.")
    monkeypatch.setattr(
        "engine.study.analysis.analyse.analyse", lambda *_: replace(results.rich(), warnings=("of the figures",))
    )
    assert api.study_result(workspace, "rank").warnings == (rule, gone, "of the figures")
    launch(workspace)
    assert [each.partition(" on ")[0] for each in warnings(workspace)] == ["The rule of decision was changed", gone]
    write_study(workspace, FIVE)
    assert warnings(workspace) == (), "they are back, and nothing else was changed"


def test_arms_that_are_added_extend_a_study_and_renamed_ones_stay(workspace: Workspace) -> None:
    done(workspace, EACH)
    write_study(workspace, FIVE)
    assert (warnings(workspace), api.study_state(workspace, "rank").added) == ((), ("r12", "r16", "r24"))
    launch(workspace)
    assert warnings(workspace) == ()
    write_study(workspace, FIVE.replace("[arms.r12]", "[arms.twelve]"))
    assert not any("taken out" in each for each in warnings(workspace)), "its run is still in a cell"


def test_an_arm_that_was_taken_out_before_it_was_measured_is_no_matter(workspace: Workspace) -> None:
    write_study(workspace, FIVE)
    launch(workspace)
    write_study(workspace, EACH)
    assert warnings(workspace) == ()


def test_an_untuned_arm_that_was_measured_and_taken_out_is_named(workspace: Workspace) -> None:
    write_study(workspace, UNTUNED)
    launch(workspace)
    write_study(workspace, STUDY)
    assert warnings(workspace) == ()
    write_study(workspace, UNTUNED)
    finish_all(workspace)
    write_study(workspace, STUDY)
    (gone,) = warnings(workspace)
    assert gone.startswith("1 arm was measured and taken out since: base.")


def test_runs_of_other_seeds_that_are_finished_are_named(workspace: Workspace) -> None:
    done(workspace, STUDY)
    write_study(workspace, SEED_7)
    (strays,) = warnings(workspace)
    assert strays.startswith("2 finished runs of this study are in no cell now")
    assert "run 1 (small, seed 42), run 2 (large, seed 42)" in strays
    launch(workspace)
    assert warnings(workspace) == (strays,)
    write_study(workspace, STUDY)
    assert warnings(workspace) == (), "seed 7 is queued, not finished"
    finish_run(workspace, 3)
    assert warnings(workspace)[0].startswith("1 finished run of this study is in no cell now")


def test_more_seeds_and_a_run_that_was_trained_again_leave_no_strays(workspace: Workspace) -> None:
    done(workspace, STUDY)
    launch(workspace, seeds=2)
    finish_all(workspace)
    write_study(workspace, STUDY.replace("[scales.demo]", "[scales.demo]\nseeds = 1"))
    assert warnings(workspace) == ()
    with Reader(workspace) as reader:
        (workspace.root / reader.run(1).directory / "adapter").rmdir()
    write_study(workspace, STUDY.replace("[measure]", '[measure]\ndegradations = ["blur"]\nseverities = [1]'))
    (again,) = launch(workspace).queued
    finish_run(workspace, again)
    state = api.study_state(workspace, "rank")
    assert state.cells[0].run_id == again
    assert not any("in no cell" in each for each in state.warnings), "the same training"


def test_measurements_under_another_protocol_count_for_a_changed_rule(workspace: Workspace) -> None:
    done(workspace, STUDY)
    limit = OTHER_RULE.replace('recipe = "tiny"', 'recipe = "tiny"\nset = { "evaluation.limit" = 39 }')
    write_study(workspace, limit)
    assert api.study_state(workspace, "rank").counts[api.Stage.MISSING] == 2, "nothing is measured like that yet"
    (warning,) = warnings(workspace)
    assert "when 2 evaluations of this study had been measured already" in warning
    launch(workspace)
    finish_all(workspace)
    assert "when 2 evaluations" in warnings(workspace)[0], "as many as there were at that launch"


def test_a_rule_that_is_declared_when_results_are_there_says_so(workspace: Workspace) -> None:
    done(workspace, STUDY)
    write_study(workspace, OTHER_RULE.replace('name = "rank"', 'name = "copy"'))
    (before,) = warnings(workspace, "copy")
    assert "has not been declared by a launch yet, and 2 evaluations of its runs are there already" in before
    launch(workspace, "copy")
    (after,) = warnings(workspace, "copy")
    assert "This rule was first declared on" in after
    assert "when 2 evaluations of its runs were there already" in after
    assert warnings(workspace) == (), "the first one was declared beforehand"


def test_one_arm_that_another_study_has_measured_says_nothing_of_what_is_declared(workspace: Workspace) -> None:
    done(workspace, STUDY)
    shared = STUDY.replace('name = "rank"', 'name = "copy"').replace('"lora.r" = 8', '"lora.r" = 12')
    write_study(workspace, shared)
    assert api.study_state(workspace, "copy").counts[api.Stage.DONE] == 1, "the smaller one is shared"
    assert warnings(workspace, "copy") == ()
    launch(workspace, "copy")
    finish_all(workspace)
    assert warnings(workspace, "copy") == ()


def test_a_grey_control_alone_is_nothing_that_was_seen(workspace: Workspace) -> None:
    launch(workspace)
    for run in (1, 2):
        finish_run(workspace, run)
    with Reader(workspace) as reader:
        finish_evaluations(workspace, [row.id for row in reader.evaluations() if row.degradation == "blank"])
    write_study(workspace, OTHER_RULE)
    assert warnings(workspace) == ()


def test_a_board_knows_what_its_results_depend_on(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.store.records import MarkRow

    done(workspace, STUDY)
    keys = [api.listed_study(workspace, "rank").key]
    assert keys == [api.listed_study(workspace, "rank").key]
    with Writer.open(workspace) as writer:
        writer.set_marks(1, [MarkRow(1, "leak", "all", "two images")])
    keys.append(api.listed_study(workspace, "rank").key)
    with Writer.open(workspace) as writer:
        writer.add_test_look(1, "fetal", api.dataset_summary(workspace, "fetal").record.split_fingerprint, "why")
    keys.append(api.listed_study(workspace, "rank").key)
    write_study(workspace, OTHER_RULE)
    keys.append(api.listed_study(workspace, "rank").key)
    monkeypatch.setattr(study_results, "code_fingerprint", lambda: "new")
    keys.append(api.listed_study(workspace, "rank").key)
    assert len(set(keys)) == 5, "marks, looks, rule and code"
    assert all(each.key for each in api.study_list(workspace) if each.state is not None)


def test_the_fingerprint_of_the_code_covers_what_the_analysis_imports() -> None:
    import ast

    import engine

    root = Path(engine.__file__).parent
    # What is read and what is drawn: rows as they are stored, the workspace, the errors.
    other = {"errors.py", "workspace.py", "store/reader.py", "store/records.py"}
    wanted = set()
    for file in (root / "study" / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("engine."):
                wanted.add("/".join((node.module or "").split(".")[1:]))
    code = study_results.CODE
    files = {name + ("" if (root / name).is_dir() else ".py") for name in wanted}
    assert {name for name in files if name not in code and name.partition("/")[0] not in code} <= other
    assert all((root / name).exists() for name in code)


def test_a_failed_run_of_another_seed_is_no_finished_one(workspace: Workspace) -> None:
    launch(workspace)
    finish_run(workspace, 1, State.FAILED)
    write_study(workspace, SEED_7)
    assert warnings(workspace) == ()


WORDS = STUDY.replace('varies = ["lora.r"]', 'varies = ["lora.r", "data.prompt", "data.prompt_text"]').replace(
    "[[decide]]", '[arms.own]\nuntuned = true\n"data.prompt" = "own"\n"data.prompt_text" = "FIRST"\n[[decide]]'
)


def test_an_untuned_arm_that_means_something_else_after_it_was_measured_is_named(workspace: Workspace) -> None:
    done(workspace, WORDS)
    assert warnings(workspace) == ()
    write_study(workspace, WORDS.replace("FIRST", "SECOND"))
    (changed,) = warnings(workspace)
    assert changed.startswith("1 untuned arm was measured and changed or left out since: own.")
    launch(workspace)
    assert warnings(workspace) == (changed,), "a launch does not make it declared beforehand"
    write_study(workspace, WORDS.replace("arms.own", "arms.renamed"))
    assert not any("changed or left out" in each for each in warnings(workspace)), "it is still there"


def test_what_untuned_arms_were_measured_as_counts_for_a_rule_that_is_changed_with_them(workspace: Workspace) -> None:
    two = WORDS.replace('"lora.r" = 4', 'untuned = true\n"data.prompt" = "own"\n"data.prompt_text" = "OTHER"').replace(
        '"lora.r" = 8', "untuned = true"
    )
    done(workspace, two)
    changed = (
        two.replace("FIRST", "SECOND")
        .replace("OTHER", "ANOTHER")
        .replace(
            "[arms.large]\nuntuned = true",
            '[arms.large]\nuntuned = true\n"data.prompt" = "own"\n"data.prompt_text" = "THIRD"',
        )
    )
    write_study(workspace, changed.replace('kind = "better"', 'kind = "non_inferior"'))
    assert "when 3 evaluations of this study had been measured already" in warnings(workspace)[0]
    launch(workspace)
    assert "when 3 evaluations of this study had been measured already" in warnings(workspace)[0]
