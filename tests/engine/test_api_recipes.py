from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_helpers import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import add_run, workspace_at

from engine import api
from engine.api.recipes import prompt_names
from engine.questions.prompts import QUESTIONS, prompt_variants
from engine.store.writer import Writer
from engine.types import JobKind, State

FIELDS = {field.key: field for field in api.recipe_fields()}


def demo() -> api.Recipe:
    return api.load_recipe(api.find_recipe("demo", Path()))


def checked(**changes: Any) -> api.RecipeCheck:
    return api.check_recipe({**api.recipe_values(demo()), **{key.replace("__", "."): v for key, v in changes.items()}})


# fields


def test_every_key_of_a_recipe_is_a_field_with_words() -> None:
    assert list(FIELDS) == list(api.recipe_values(demo()))
    for field in FIELDS.values():
        assert field.description.endswith(".")
        assert field.valid
        assert field.key == (f"{field.section}.{field.name}" if field.section else field.name)
    assert FIELDS["training.batch"].default == 2
    assert FIELDS["name"].default is None


def test_fields_know_what_they_hold() -> None:
    kinds = {key: FIELDS[key].kind for key in ("name", "data.questions", "lora.vision", "lora.r", "training.warmup")}
    assert list(kinds.values()) == ["text", "list", "bool", "whole", "number"]
    assert FIELDS["model.backend"].kind == "choice"
    assert FIELDS["model.backend"].choices == ("auto", "unsloth", "transformers")
    assert FIELDS["evaluation.splits"].choices == ("validation", "test")


@pytest.mark.parametrize("preset", ["demo", "demo-gpu", "baseline-q7-8b"])
def test_values_survive_being_text(preset: str) -> None:
    recipe = api.load_recipe(api.find_recipe(preset, Path()))
    values = {key: api.field_value(FIELDS[key], api.field_text(v)) for key, v in api.recipe_values(recipe).items()}
    assert api.check_recipe(values).recipe == recipe


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_survive_being_text(value: float) -> None:
    assert api.field_value(FIELDS["training.learning_rate"], api.field_text(value)) == value


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("training.batch", " 8 ", 8),
        ("training.batch", "abc", "abc"),
        ("training.batch", "4.0", 4.0),
        ("training.batch", "", ""),
        ("training.learning_rate", "2e-4", 2e-4),
        ("training.learning_rate", "9" * 5000, "9" * 5000),
        ("name", "17", "17"),
        ("name", "true", "true"),
        ("lora.vision", "true", True),
        ("model.backend", "auto", "auto"),
        ("data.questions", "Q7", ("Q7",)),
        ("data.questions", "Q1, 'Q2',\"Q3\"", ("Q1", "Q2", "Q3")),
        ("data.questions", '["Q1", "Q2"]', ("Q1", "Q2")),
        ("data.questions", "", ()),
        ("data.questions", "Q1,,Q2", ("Q1", "", "Q2")),
        ("data.questions", "[Q1", ("[Q1",)),
    ],
)
def test_text_is_read_as_its_field_holds_it(key: str, text: str, value: object) -> None:
    read = api.field_value(FIELDS[key], text)
    assert read == value
    assert type(read) is type(value)


# the check


def test_a_sound_recipe_is_handed_back() -> None:
    assert checked() == api.RecipeCheck(demo())


def test_all_problems_are_told_at_once_each_at_its_key() -> None:
    check = checked(training__batch="abc", training__learning_rate=20, name="", data__limit=-1, lora__dropout=True)
    assert check.recipe is None
    assert set(check.problems) == {
        "training.batch",
        "training.learning_rate",
        "name",
        "data.limit",
        "lora.dropout",
    }
    assert check.count == 5
    assert check.problems["training.batch"] == ('found "abc"; valid: a whole number, at least 1, at most 4096',)


def test_an_impossible_combination_stands_at_each_of_its_keys_and_counts_once() -> None:
    check = checked(lora__vision=False, lora__language=False)
    assert set(check.problems) == {"lora.vision", "lora.language"}
    assert check.problems["lora.vision"] == check.problems["lora.language"]
    assert check.count == 1


def test_a_key_can_have_several_problems() -> None:
    check = checked(data__questions=("Q7", "Q1", "Q1"), data__prompt="structured")
    assert len(check.problems["data.questions"]) == 2
    assert len(check.problems["data.prompt"]) == 1
    assert check.count == 2


def test_an_unknown_key_is_a_problem() -> None:
    assert "did you mean batch" in checked(training__batsh=1).problems["training.batsh"][0]


def test_problems_quote_nothing_that_steers_a_terminal() -> None:
    check = checked(data__dataset=HOSTILE, data__balance=HOSTILE, training__seed=HOSTILE, data__questions=(HOSTILE,))
    assert check.count == 4
    for problems in check.problems.values():
        assert all(problem.isprintable() for problem in problems)


# what there is to choose from


def test_offers_are_presets_datasets_and_models(tmp_path: Path) -> None:
    folder = tmp_path / "assets" / "recipes"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("[training]\nbatch = 'x'\n")
    (folder / "mine.toml").write_text('name = "mine"\n[model]\nid = "models/own"\n')
    for name in ("fetal", "phantoms"):
        (tmp_path / "datasets" / name).mkdir(parents=True)
        (tmp_path / "datasets" / name / "manifest.json").write_text("{}")
    model = tmp_path / "assets" / "base-model-own"
    model.mkdir()
    (model / "config.json").write_text("{}")
    offers = api.recipe_offers(workspace_at(tmp_path))
    presets = {preset.name: preset for preset in offers.presets}
    assert {"broken", "demo", "demo-gpu", "mine"} <= set(presets)
    assert presets["demo"].recipe == demo()
    assert presets["demo"].words == demo().description
    assert presets["broken"].recipe is None
    assert "training.batch" in presets["broken"].words
    assert "name: missing" in presets["broken"].words
    assert offers.words_for("data.dataset", {}) == ("fetal", "phantoms")
    assert {"assets/base-model", "assets/base-model-own", "models/own"} <= set(offers.words_for("model.id", {}))
    assert offers.words_for("training.batch", {}) == ()
    assert offers == api.recipe_offers(workspace_at(tmp_path))


def test_wordings_are_those_that_all_questions_have() -> None:
    assert prompt_names(("Q7",)) == prompt_variants("Q7")
    assert "structured" not in prompt_names(("Q7", "Q1"))
    assert set(prompt_names(tuple(QUESTIONS))) == {"simple", "detailed", "clinical"}
    assert prompt_names(("report",)) == ("report",)
    assert prompt_names(("Q7", "nonsense")) == prompt_variants("Q7")
    assert prompt_names("Q7") == prompt_names(None) == prompt_names(("nonsense",)) == ()


# files


def test_a_saved_recipe_is_a_preset_and_reads_back(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    file = api.save_recipe(workspace, demo(), "mine")
    assert file == tmp_path / "assets" / "recipes" / "mine.toml"
    assert api.load_recipe(file) == demo()
    assert "sonotune launch mine" in file.read_text()
    assert [each.name for each in file.parent.iterdir()] == ["mine.toml"]
    assert "mine" in {preset.name for preset in api.recipe_offers(workspace).presets}


def test_a_path_is_taken_from_the_workspace(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    assert api.save_recipe(workspace, demo(), "one.toml") == tmp_path / "one.toml"
    with pytest.raises(api.UsageError, match="cannot be written"):
        api.save_recipe(workspace, demo(), "nowhere/one.toml")
    assert not (tmp_path / "nowhere").exists()


def test_nothing_is_overwritten_unless_told(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    file = api.save_recipe(workspace, demo(), "mine")
    other = demo().model_copy(update={"description": "other"})
    with pytest.raises(api.RecipeFileTakenError, match="already"):
        api.save_recipe(workspace, other, "mine")
    assert api.load_recipe(file) == demo()
    api.save_recipe(workspace, other, "mine", overwrite=True)
    assert api.load_recipe(file) == other


def test_a_preset_of_the_repository_is_hidden_only_when_told(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    with pytest.raises(api.RecipeFileTakenError) as caught:
        api.save_recipe(workspace, demo(), "demo-gpu")
    assert "hide" in caught.value.reason
    assert not (tmp_path / "assets" / "recipes" / "demo-gpu.toml").exists()
    api.save_recipe(workspace, demo(), "demo-gpu", overwrite=True)
    assert api.load_recipe(api.find_recipe("demo-gpu", tmp_path)) == demo()


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_file: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.api.recipe_files.write_durably", full)
    with pytest.raises(api.UsageError, match="cannot be written") as caught:
        api.save_recipe(workspace_at(tmp_path), demo(), "mine")
    assert "No space left" in caught.value.reason
    assert list((tmp_path / "assets" / "recipes").iterdir()) == []


@pytest.mark.parametrize("name", ["", "  ", ".hidden", "a\nb", HOSTILE.replace("/", ""), "x" * 100])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(api.UsageError, match="no name for a recipe file") as caught:
        api.save_recipe(workspace_at(tmp_path), demo(), name)
    assert caught.value.title.isprintable()
    assert not (tmp_path / "assets").exists()


# priority


def test_the_first_place_is_above_all_that_are_queued(tmp_path: Path) -> None:
    workspace = workspace_at(tmp_path)
    assert api.first_priority(workspace) == 0
    with Writer.open(workspace) as writer:
        add_run(writer, "low", priority=-5)
        assert api.first_priority(workspace) == 0
        high = add_run(writer, "high", priority=3)
        assert api.first_priority(workspace) == 4
        writer.transition(JobKind.TRAINING, high, State.QUEUED, State.STARTING, "test")
        assert api.first_priority(workspace) == 0
