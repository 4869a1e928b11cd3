"""What runs.db holds of studies: migration, launches, members, kept results."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import study_result_helpers as results
from cli_helpers import finish_evaluation
from store_helpers import add_evaluation, add_run, raw
from study_helpers import finish_all, finish_run, launch, study_workspace, write_study

from engine import api
from engine.api import study_results
from engine.api.study_results import read_result, write_result
from engine.store.connection import open_writable
from engine.store.reader import Reader
from engine.store.records import StudyRow
from engine.store.writer import Writer
from engine.store.writer_studies import Member
from engine.study.results import Point, Series
from engine.types import Split, State
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def test_a_database_of_version_4_gets_the_tables_of_studies_and_keeps_its_rows(workspace: Workspace) -> None:
    old = open_writable(workspace.database, up_to=4)
    old.execute(
        "INSERT INTO runs (name, state, recipe, dataset, dataset_fingerprint, split_fingerprint, model, seed, "
        "directory, queued_at, study) VALUES ('old', 'succeeded', '{}', 'd', 'f', 's', 'm', 7, 'o', 1.5, 'mine')"
    )
    old.execute("INSERT INTO studies VALUES ('mine', 'why?', 'name = 1', 2.5)")
    old.close()
    with Writer.open(workspace), Reader(workspace) as reader:
        assert reader.studies() == [StudyRow("mine", "why?", "name = 1", 2.5)]
        assert [run.id for run in reader.runs(study="mine")] == [1], "the study that has launched it"
        assert reader.study_members("mine") == {1}
        assert reader.study_launches("mine", "demo") == []
        assert [run.id for run in reader.unkeyed_runs("v")] == [1]
        assert reader.study_result("mine", "demo") is None


def test_every_column_of_the_new_tables_is_explained(workspace: Workspace) -> None:
    Writer.open(workspace).close()
    for table in ("study_launches", "study_runs", "training_keys", "study_results"):
        (sql,) = raw(workspace).execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        assert "--" in sql.partition("(")[2].partition("\n")[2].partition("\n")[0]


def test_a_launch_comes_back_as_it_was_entered(workspace: Workspace) -> None:
    study = StudyRow("mine", "why?", "name = 1", 2.5)
    with Writer.open(workspace, clock=lambda: 9.5) as writer, Reader(workspace) as reader:
        writer.enter_study_launch(study, "demo", rule="r", arms=["a", "ä"], chosen=["a"], seeds=3, measured=4)
        (launched,) = reader.study_launches("mine", "demo")
        assert (launched.time, launched.arms, launched.chosen) == (9.5, ("a", "ä"), ("a",))
        assert (launched.rule, launched.seeds, launched.measured, launched.definition) == ("r", 3, 4, "name = 1")
        assert reader.study_launches("mine", "full") == []
        assert reader.studies() == [study]


def test_a_run_of_two_studies_is_found_under_each(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer, Reader(workspace) as reader:
        shared, own, none = (add_run(writer, name, study=study) for name, study in
                             (("a", "layers"), ("b", "layers"), ("c", None)))  # fmt: skip
        for study in ("layers", "model-size"):
            writer.add_study_runs(study, "demo", [Member(shared, "E", 42)])
        writer.add_study_runs("model-size", "full", [Member(shared, "8B", 42), Member(shared, "8B", 42)])
        for run in (shared, own, none):
            finish_evaluation(writer, add_evaluation(writer, run, split=Split.TEST))
        board = {
            text: sorted(row[1] for row in reader.board(api.BoardQuery(filter=text, columns=("study",))).rows)
            for text in ("study = layers", "study = model-size", "study is none", "study contains size", "study = size")
        }
        assert board == {
            "study = layers": [shared, own], "study = model-size": [shared], "study is none": [none],
            "study contains size": [shared], "study = size": [],
        }  # fmt: skip
        assert [row.id for row in reader.run_list(filter_text="study = model-size")] == [shared]
        assert {run.id for run in reader.runs(study="model-size")} == {shared}
        named = {row["run"]: row["study"] for row in reader.leaderboard()}
        assert named == {shared: "layers, model-size", own: "layers", none: None}


@pytest.mark.parametrize("result", [results.rich(), results.incomplete(), results.hostile()])
def test_a_result_is_read_back_as_the_same_value(result: api.StudyResult) -> None:
    assert read_result(write_result(result)) == result


def test_an_infinite_end_of_an_interval_survives() -> None:
    chart = results.rich().charts[0]
    point = Point("x", replace(results.estimate(0.5), high=math.inf))
    odd = replace(results.rich(), charts=(replace(chart, series=(Series("a", (point, replace(point, x=2.0))),)),))
    assert read_result(write_result(odd)) == odd


class TestKeptResults:
    @pytest.fixture
    def workspace(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
        self.analysed = 0

        def analyse(_workspace: Workspace, found: object) -> api.StudyResult:
            self.analysed += 1
            return replace(results.rich(), warnings=())

        monkeypatch.setattr("engine.study.analysis.analyse.analyse", analyse)
        made = study_workspace(tmp_path)
        launch(made)
        finish_all(made)
        return made

    def test_computed_once_for_what_is_measured(self, workspace: Workspace) -> None:
        assert api.cached_study_result(workspace, "rank") is None
        first = api.study_result(workspace, "rank")
        assert api.study_result(workspace, "rank") == first == api.cached_study_result(workspace, "rank")
        assert self.analysed == 1

    def test_out_of_date_as_soon_as_something_is_measured_marked_looked_at_or_declared(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from engine.store.records import MarkRow

        def is_kept() -> bool:
            kept = api.cached_study_result(workspace, "rank") is not None
            api.study_result(workspace, "rank")
            return kept

        assert not is_kept()
        assert is_kept()
        with Writer.open(workspace) as writer:
            writer.set_marks(1, [MarkRow(1, "leak", "all", "two images")])
        assert not is_kept(), "a mark"
        launch(workspace, seeds=2)
        assert not is_kept(), "cells that are missing"
        finish_run(workspace, 3, State.FAILED)
        assert not is_kept(), "a cell that failed"
        finish_all(workspace)
        assert not is_kept(), "measurements"
        with Writer.open(workspace) as writer:
            split = api.dataset_summary(workspace, "fetal").record.split_fingerprint
            writer.add_test_look(1, "fetal", split, "why")
        assert not is_kept(), "a look at the test split"
        monkeypatch.setattr(study_results, "code_fingerprint", lambda: "new")
        assert not is_kept(), "another version"
        assert is_kept()

    def test_a_rule_that_was_changed_afterwards_stands_before_every_answer(self, workspace: Workspace) -> None:
        from study_helpers import STUDY

        assert api.study_result(workspace, "rank").warnings == ()
        write_study(workspace, STUDY.replace('kind = "better"', 'kind = "non_inferior"'))
        result = api.study_result(workspace, "rank")
        assert "The rule of decision was changed" in result.warnings[0]
        assert api.cached_study_result(workspace, "rank") == result
