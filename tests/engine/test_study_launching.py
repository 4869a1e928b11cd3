from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from study_helpers import (
    STUDY,
    counts,
    finish_all,
    finish_evaluations,
    finish_run,
    found,
    launch,
    protocol,
    runs_of,
    study_workspace,
    write_study,
)

from engine import api
from engine.errors import DataError, JobError
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import BLANK, JobKind, Reference, Split, State
from engine.workspace import Workspace

TEST_SPLIT = STUDY.replace('split = "validation"', 'split = "test"\ndegradations = ["speckle"]\nseverities = [2]')
UNTUNED = STUDY.replace("[[decide]]", '[arms."small, untuned"]\n"lora.r" = 4\nuntuned = true\n[[decide]]')
OPTIONAL = STUDY.replace("[[decide]]", '[arms.huge]\n"lora.r" = 64\noptional = true\n[[decide]]')


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return study_workspace(tmp_path)


def stages(workspace: Workspace, name: str = "rank") -> list[str]:
    return [str(cell.stage) for cell in api.study_state(workspace, name).cells]


def test_a_launch_queues_runs_measurements_controls_and_references(workspace: Workspace) -> None:
    launched = launch(workspace)
    assert (launched.queued, launched.reused, launched.waiting, launched.resumed) == ((1, 2), (), (), ())
    with Reader(workspace) as reader:
        runs = {run.id: run for run in reader.runs()}
        rows = [reader.evaluation(each) for each in launched.evaluations]
        references = [reader.evaluation(each) for each in launched.references]
        assert [(run.id, run.study) for run in reader.runs(study="rank")] == [(2, "rank"), (1, "rank")]
    assert {run.name for run in runs.values()} == {"rank small", "rank large"}
    assert all(run.planned_steps == 4 for run in runs.values())
    assert [(row.run_id, row.question, row.split, row.degradation, row.after_run) for row in rows] == [
        (run, "Q7", Split.VALIDATION, degradation, True) for run in (1, 2) for degradation in (None, BLANK)
    ]
    assert [row.reference for row in references] == list(Reference), "both arms share them"
    assert stages(workspace) == ["queued", "queued"]


def test_launched_twice_nothing_is_queued_twice(workspace: Workspace) -> None:
    launch(workspace)
    before = counts(workspace)
    again = launch(workspace)
    assert not again.anything
    assert again.waiting == (1, 2)
    finish_all(workspace)
    done = launch(workspace)
    assert (done.anything, done.reused) == (False, (1, 2))
    assert counts(workspace) == before
    assert stages(workspace) == ["done", "done"]
    with Reader(workspace) as reader:
        assert len(reader.study_launches("rank", "demo")) == 1, "nothing new was declared either"


def test_two_launches_at_the_same_moment_queue_everything_once(workspace: Workspace) -> None:
    with ThreadPoolExecutor(3) as pool:
        launched = list(pool.map(lambda _: launch(workspace), range(3)))
    assert counts(workspace) == (2, 8)
    assert sorted(len(each.queued) for each in launched) == [0, 0, 2]


def test_a_run_that_is_done_is_reused_whatever_it_is_called(workspace: Workspace) -> None:
    recipe = api.plan_study(workspace, "rank").cells[0].name
    assert recipe == "rank small"
    tiny = api.load_recipe(api.find_recipe("tiny", workspace.root), ["lora.r=4", "name='by hand'"])
    by_hand = api.launch(workspace, tiny, references=False, start_worker=False)
    finish_run(workspace, by_hand.run_id)
    finish_evaluations(workspace, by_hand.evaluations)
    launched = launch(workspace)
    assert (launched.reused, len(launched.queued)) == ((by_hand.run_id,), 1)
    assert len(launched.evaluations) == 2, "those of the other arm alone: this one is measured already"
    with Reader(workspace) as reader:
        assert reader.run(by_hand.run_id).study is None, "who launched it stays on record"
        assert {run.id for run in reader.runs(study="rank")} == {by_hand.run_id, *launched.queued}
        assert [row.id for row in reader.run_list(filter_text="study = rank")] == [2, 1]
        assert [row.id for row in reader.run_list(filter_text="study is none")] == []


def test_of_several_finished_runs_the_oldest_counts_and_a_finished_one_before_all_others(workspace: Workspace) -> None:
    tiny = api.load_recipe(api.find_recipe("tiny", workspace.root), ["lora.r=4"])
    ids = [api.launch(workspace, tiny, references=False, start_worker=False).run_id for _ in range(5)]
    failed, cancelled, first, second, queued = ids
    finish_run(workspace, failed, State.FAILED)
    api.cancel(workspace, cancelled, start_worker=False)
    assert runs_of(found(workspace))["small"] == first, "queued, and the oldest that is"
    finish_run(workspace, second)
    assert runs_of(found(workspace))["small"] == second
    finish_run(workspace, first)
    assert runs_of(found(workspace))["small"] == first
    assert queued not in runs_of(found(workspace)).values()


def test_another_split_of_the_data_is_another_study(workspace: Workspace) -> None:
    launch(workspace)
    finish_all(workspace)
    api.resplit_dataset(workspace, "fetal", seed=7, keep_near_duplicates=False, replace=True)
    assert runs_of(found(workspace)) == {"small": None, "large": None}
    assert len(launch(workspace).queued) == 2


def test_what_broke_goes_on_instead_of_starting_anew(workspace: Workspace) -> None:
    launch(workspace)
    finish_run(workspace, 1, State.INTERRUPTED)
    finish_run(workspace, 2, State.FAILED)
    state = api.study_state(workspace, "rank")
    assert [str(cell.stage) for cell in state.cells] == ["interrupted", "failed"]
    assert state.cells[0].trouble.startswith("run 1")
    before = counts(workspace)
    assert launch(workspace).resumed == (1, 2)
    assert counts(workspace) == before
    with Reader(workspace) as reader:
        assert [run.resumes for run in reader.runs()] == [1, 1]


def test_failed_measurements_and_references_are_queued_again_under_their_number(workspace: Workspace) -> None:
    launched = launch(workspace)
    finish_run(workspace, 1)
    broken = [launched.evaluations[0], launched.references[3]]
    finish_evaluations(workspace, broken, State.FAILED)
    cell = api.study_state(workspace, "rank").cells[0]
    assert (cell.stage, cell.trouble) == (api.Stage.FAILED, f"evaluation {broken[0]}: out of memory")
    again = launch(workspace)
    assert (again.evaluations, again.references) == ((broken[0],), (broken[1],))
    assert counts(workspace) == (2, 8)


def test_measurements_by_an_older_parser_are_made_again(workspace: Workspace) -> None:
    import json

    from store_helpers import raw

    launched = launch(workspace)
    finish_all(workspace)
    old = protocol(workspace, launched.evaluations[0])
    old["versions"] = {"parser": 1}
    connection = raw(workspace)
    connection.execute("UPDATE evaluations SET protocol = ? WHERE id = ?", (json.dumps(old), launched.evaluations[0]))
    connection.close()
    assert stages(workspace) == ["missing", "done"]
    assert len(launch(workspace).evaluations) == 1


def test_a_run_whose_adapter_is_gone_is_trained_again_only_where_something_is_missing(workspace: Workspace) -> None:
    launch(workspace)
    finish_all(workspace)
    with Reader(workspace) as reader:
        (workspace.root / reader.run(1).directory / "adapter").rmdir()
    assert launch(workspace).reused == (1, 2), "all of it is measured"
    write_study(workspace, STUDY.replace("[measure]", '[measure]\ndegradations = ["blur"]\nseverities = [1]'))
    assert [cell.action for cell in api.plan_study(workspace, "rank").cells] == ["train", "reuse run 2"]
    again = launch(workspace)
    assert (again.queued, again.reused) == ((3,), (2,))
    assert launch(workspace).waiting == (3,)


def test_more_seeds_extend_a_study_and_stay(workspace: Workspace) -> None:
    launch(workspace)
    finish_all(workspace)
    extended = launch(workspace, seeds=3)
    assert (len(extended.queued), extended.reused) == (4, (1, 2))
    assert [cell.seed for cell in api.study_state(workspace, "rank").cells] == [42, 43, 44] * 2
    assert not launch(workspace).anything


def test_fewer_seeds_or_arms_launch_a_part(workspace: Workspace) -> None:
    part = launch(workspace, arms=["large"])
    assert len(part.queued) == 1
    assert stages(workspace) == ["missing", "queued"]
    write_study(workspace, STUDY.replace("[scales.demo]", "[scales.demo]\nseeds = 3"))
    assert len(launch(workspace, seeds=2).queued) == 3
    assert stages(workspace) == ["queued", "queued", "missing"] * 2


def test_an_optional_arm_belongs_to_the_study_from_its_first_launch_on(workspace: Workspace) -> None:
    write_study(workspace, OPTIONAL)
    assert launch(workspace).left_out == ("huge",)
    assert [cell.arm for cell in api.study_state(workspace, "rank").cells] == ["small", "large"]
    assert launch(workspace, arms=["huge"]).left_out == ()
    assert [cell.arm for cell in api.study_state(workspace, "rank").cells] == ["small", "large", "huge"]


def test_an_arm_that_is_added_later_is_found_and_named(workspace: Workspace) -> None:
    launch(workspace)
    finish_all(workspace)
    write_study(workspace, STUDY.replace("[[decide]]", '[arms.medium]\n"lora.r" = 6\n[[decide]]'))
    state = api.study_state(workspace, "rank")
    assert (state.added, state.warnings) == (("medium",), ())
    assert len(launch(workspace).queued) == 1


def test_a_rule_that_is_changed_after_results_were_seen_is_a_warning_for_good(workspace: Workspace) -> None:
    other = STUDY.replace('kind = "better"', 'kind = "non_inferior"')
    launch(workspace)
    write_study(workspace, other)
    assert api.study_state(workspace, "rank").warnings == (), "nothing was measured: a rule may be changed"
    launch(workspace)
    finish_all(workspace)
    write_study(workspace, STUDY)
    (warning,) = api.study_state(workspace, "rank").warnings
    assert "The rule of decision was changed after the launch of" in warning
    assert "when 2 evaluations of this study had been measured" in warning
    (launched,) = launch(workspace).warnings
    assert "was changed on" in launched
    assert api.study_state(workspace, "rank").warnings == (launched,)
    write_study(workspace, other)
    assert api.study_state(workspace, "rank").warnings == (), "as it was declared before anything was measured"


def test_an_untuned_arm_is_measured_and_not_trained(workspace: Workspace) -> None:
    write_study(workspace, UNTUNED)
    launched = launch(workspace)
    assert len(launched.queued) == 2
    assert stages(workspace) == ["queued"] * 3
    finish_evaluations(workspace, launched.references)
    assert stages(workspace) == ["queued", "queued", "done"]
    assert found(workspace).cells[2].run is None


def test_the_test_split_is_entered_into_the_ledger_once(workspace: Workspace) -> None:
    write_study(workspace, TEST_SPLIT)
    launched = launch(workspace)
    assert launched.looks_before == 0
    looks = api.looks(workspace, "fetal")
    assert {look.purpose for look in looks} == {"study rank: Does a larger rank help?"}
    assert len(looks) == 4, "each arm as it is, and degraded; the grey control shows nothing"
    assert launch(workspace).looks_before is None
    assert len(launch(workspace, seeds=2).queued) == 2
    assert len(api.looks(workspace, "fetal")) == 8


@pytest.mark.parametrize("others_first", [False, True])
def test_what_an_untuned_arm_shows_of_the_test_split_is_a_look(workspace: Workspace, others_first: bool) -> None:
    if others_first:  # the untuned model stands beside their figures as a mere reference
        write_study(workspace, TEST_SPLIT)
        launch(workspace)
        assert len(api.looks(workspace, "fetal")) == 4
    untuned = '[arms."small, untuned"]\n"lora.r" = 4\nuntuned = true\n[[decide]]'
    write_study(workspace, TEST_SPLIT.replace("[[decide]]", untuned))
    launched = launch(workspace, arms=["small, untuned"])
    assert launched.looks_before == (4 if others_first else 0)
    entered = api.looks(workspace, "fetal")[launched.looks_before :]
    with Reader(workspace) as reader:
        rows = [reader.evaluation(look.evaluation) for look in entered]
        bases = [row for row in reader.evaluations() if row.reference == Reference.BASE]
    assert [(row.reference, row.split, row.degradation) for row in rows] == [
        (Reference.BASE, Split.TEST, None), (Reference.BASE, Split.TEST, "speckle:2")
    ]  # fmt: skip
    assert {look.purpose for look in entered} == {"study rank: Does a larger rank help?"}
    assert [row.degradation for row in bases if row.split == Split.VALIDATION] == [None], "for the threshold alone"
    assert launch(workspace, arms=["small, untuned"]).looks_before is None


def test_priority_lets_a_study_go_first(workspace: Workspace) -> None:
    launch(workspace)
    launch(workspace, priority=5)
    with Reader(workspace) as reader:
        assert {run.priority for run in reader.runs()} == {5}
        assert {row.priority for row in reader.evaluations()} == {5}, "grey controls and references too"
    launch(workspace, priority=1)
    with Reader(workspace) as reader:
        assert {run.priority for run in reader.runs()} == {5}, "raised, never lowered"


def test_nothing_is_queued_where_something_of_it_cannot_run(workspace: Workspace) -> None:
    text = STUDY.replace('varies = ["lora.r"]', 'varies = ["lora.r", "model.id"]')
    write_study(workspace, text.replace('"lora.r" = 8', '"lora.r" = 8\n"model.id" = "assets/no-such-model"'))
    with pytest.raises(JobError, match="cannot run here") as caught:
        launch(workspace)
    assert "- large: The base model 'assets/no-such-model' was not found." in caught.value.reason
    assert counts(workspace) == (0, 0)


def test_a_missing_dataset_says_how_to_import_it(workspace: Workspace) -> None:
    write_study(workspace, STUDY.replace('recipe = "tiny"', 'recipe = "tiny"\nset = { "data.dataset" = "other" }'))
    with pytest.raises(DataError) as caught:
        launch(workspace)
    assert "--name other" in caught.value.next_step


def test_phantoms_are_drawn_where_they_are_missing_and_other_ones_are_refused(workspace: Workspace) -> None:
    drawn = STUDY.replace(
        'recipe = "tiny"',
        'recipe = "tiny"\nset = { "data.dataset" = "drawn" }\nphantoms = { count = 56, size = 32 }',
    )
    write_study(workspace, drawn)
    state = api.study_state(workspace, "rank")
    assert (state.can_draw, state.dataset_problem) == (True, "there is no dataset named drawn in this workspace")
    seen: list[tuple[int, int]] = []
    assert launch(workspace, progress=lambda *each: seen.append(each)).dataset_drawn
    assert seen[-1] == (56, 56)
    assert not launch(workspace).dataset_drawn
    write_study(workspace, drawn.replace("count = 56", "count = 70"))
    with pytest.raises(DataError, match="cannot use the dataset drawn") as caught:
        launch(workspace)
    assert "count is 56, not 70" in caught.value.reason
    assert "--workspace" in caught.value.next_step
    assert api.plan_study(workspace, "rank").needs


def test_of_two_launches_that_miss_the_same_phantoms_one_draws_them_and_the_other_waits(workspace: Workspace) -> None:
    phantoms = 'set = { "data.dataset" = "drawn" }\nphantoms = { count = 56, size = 32 }'
    write_study(workspace, STUDY.replace('recipe = "tiny"', f'recipe = "tiny"\n{phantoms}'))
    with ThreadPoolExecutor(2) as pool:
        launched = list(pool.map(lambda _: launch(workspace), range(2)))
    assert sorted(each.dataset_drawn for each in launched) == [False, True]
    assert counts(workspace)[0] == 2


def test_a_study_of_thousands_of_runs_is_found_without_reading_each_recipe(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.api import study_choosing
    from engine.recipe import recipe_json

    tiny = api.load_recipe(api.find_recipe("tiny", workspace.root))
    text = recipe_json(tiny)
    record = api.dataset_summary(workspace, "fetal").record
    with Writer.open(workspace) as writer:
        for number in range(200):
            writer.create_run(
                f"run {number}", text, "fetal", record.fingerprint, record.split_fingerprint, tiny.model.id, number
            )
        writer.create_run("odd", "no json", "fetal", record.fingerprint, record.split_fingerprint, "m", 1)
    assert runs_of(found(workspace)) == {"small": None, "large": None}
    monkeypatch.setattr(study_choosing, "stored_training_key", lambda _: pytest.fail("worked out a second time"))
    assert runs_of(found(workspace)) == {"small": None, "large": None}


def test_cancelled_jobs_are_as_if_they_had_never_been(workspace: Workspace) -> None:
    launched = launch(workspace)
    api.cancel(workspace, 1, start_worker=False)
    api.cancel(workspace, launched.evaluations[2], kind=JobKind.EVALUATION, start_worker=False)
    assert stages(workspace) == ["missing", "queued"]
    again = launch(workspace)
    assert len(again.queued) == 1
    assert len(again.evaluations) == 3


def test_arms_that_share_an_interrupted_run_resume_it_once(tmp_path: Path) -> None:
    text = STUDY.replace("lora.r", "evaluation.max_new_tokens")
    workspace = study_workspace(tmp_path, text)
    (run,) = launch(workspace).queued
    finish_run(workspace, run, State.INTERRUPTED)
    assert launch(workspace).resumed == (run,)


def test_what_is_resumed_keeps_a_higher_priority(workspace: Workspace) -> None:
    launched = launch(workspace)
    run, measured = launched.queued[0], launched.references[0]
    with Writer.open(workspace) as writer:
        writer.update(JobKind.TRAINING, run, priority=50)
        writer.update(JobKind.EVALUATION, measured, priority=50)
    finish_run(workspace, run, State.INTERRUPTED)
    finish_evaluations(workspace, [measured], State.FAILED)
    again = launch(workspace, priority=3)
    assert (again.resumed, again.references) == ((run,), (measured,))
    with Reader(workspace) as reader:
        assert (reader.run(run).priority, reader.evaluation(measured).priority) == (50, 50)
        assert reader.run(launched.queued[1]).priority == 3


def test_controls_of_a_run_that_has_lost_its_adapter_are_not_queued_again_but_noted(workspace: Workspace) -> None:
    launched = launch(workspace)
    for run in launched.queued:
        finish_run(workspace, run)
    with Reader(workspace) as reader:
        rows = reader.evaluations(states=(State.QUEUED,))
        folder = workspace.root / reader.run(1).directory / "adapter"
    grey = [row.id for row in rows if row.degradation]
    finish_evaluations(workspace, grey, State.FAILED)
    finish_evaluations(workspace)
    folder.rmdir()
    again = launch(workspace)
    assert len(again.evaluations) == 1, "that of the other run, whose adapter is there"
    assert any(each.startswith("Run 1 of small, seed 42, has lost its adapter") for each in again.warnings)


def test_reference_rows_have_the_quantization_of_the_run_and_are_found_again(workspace: Workspace) -> None:
    launched = launch(workspace)
    for run in launched.queued:
        with Writer.open(workspace) as writer:
            writer.update(JobKind.TRAINING, run, quantization="4bit")
        finish_run(workspace, run)
    finish_evaluations(workspace)
    (base,) = launch(workspace).references
    assert protocol(workspace, base)["quantization"] == "4bit"
    assert base in {each.row.id for each in found(workspace).references}
    assert launch(workspace).references == ()


def test_a_study_is_complete_with_its_reference_rows_not_before(workspace: Workspace) -> None:
    launched = launch(workspace)
    for run in launched.queued:
        finish_run(workspace, run)
    first, second, *rest = launched.references
    finish_evaluations(workspace, [first], State.FAILED)
    finish_evaluations(workspace, [second], State.CANCELLED)
    finish_evaluations(workspace, [*launched.evaluations, *rest])
    state = api.study_state(workspace, "rank")
    assert (state.cells_done, state.complete) == (True, False)
    assert (state.references_done, state.references) == (len(rest), len(rest) + 2)
    launch(workspace)
    finish_all(workspace)
    assert api.study_state(workspace, "rank").complete
