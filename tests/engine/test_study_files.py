from __future__ import annotations

from pathlib import Path

import pytest
from study_helpers import STUDY, study_workspace, write_study

from engine import api
from engine.api.study_files import open_study
from engine.errors import RecipeError, StudyError, UsageError
from engine.recipe import load_recipe, parse_recipe, recipe_json, recipe_values
from engine.recipe.fields import recipe_fields
from engine.study.choosing import choose_scale, narrowed
from engine.study.decisions import definition_hash, rule_hash
from engine.study.expanding import Target, expand, targets_of
from engine.study.identity import key_version, stored_training_key, training_key
from engine.study.places import study_files
from engine.study.reading import load_study, parse_study
from engine.study.scaled import scaled
from engine.workspace import Workspace

EIGHT = ["augmentation", "baseline-q7", "class-balance", "layers", "model-size", "multi-task", "prompts", "report"]


def changed(old: str, new: str, text: str = STUDY) -> str:
    assert old in text
    return text.replace(old, new)


def test_the_eight_studies_expand_at_both_scales(tmp_path: Path) -> None:
    files = study_files(tmp_path)
    assert list(files) == EIGHT
    priorities = []
    for name, path in files.items():
        study = load_study(path).study
        priorities.append(study.priority)
        assert study.name == name
        assert set(study.scales) == {"demo", "full"}
        for scale in study.scales:
            whole = scaled(study, scale)
            cells = expand(whole, tmp_path)
            assert len({cell.recipe.name for cell in cells}) == len(cells)
            datasets = {cell.recipe.data.dataset for cell in cells}
            assert len(datasets) == 1
            keys = [training_key(cell.recipe) for cell in cells if not cell.untuned]
            assert len(set(keys)) == len(keys), "no two arms train the same"
            assert all(targets_of(whole, cell) for cell in cells)
            assert all(cell.recipe.evaluation.splits == () for cell in cells)
    assert sorted(priorities) == list(range(1, 9)), "the user's order"


def test_every_fault_is_named_at_once_with_its_place() -> None:
    text = changed('"lora.r" = 8', '"lora.rr" = 8\n"data.limit" = 3\n"data.dataset" = "x"')
    text = changed('arm = "large"', 'arm = "lagre"', text)
    text = changed('baseline = "small"', 'baseline = "smal"', text)
    with pytest.raises(StudyError) as caught:
        parse_study(text, "x.toml")
    problems = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 5
    assert "arms.large: there is no recipe key lora.rr; did you mean lora.r?" in problems
    assert "arms.large: data.limit may not differ between arms; add it to varies" in problems
    assert "data.dataset must be the same for all arms" in problems
    assert 'decide 1: arm is "lagre"; did you mean "large"?' in problems
    assert 'did you mean "small"?' in problems


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "Rank"', 'titel = "Rank"', "titel: unknown key"),
        ('title = "Rank"', "", "title: missing"),
        ('kind = "better"', 'kind = "beter"', "decide.0.kind"),
        ('"lora.r" = 8', '"lora.r" = 4', "large and small are the same"),
        ('"lora.r" = 8', 'name = "x"\n"lora.r" = 8', "arms.large.name: unknown key"),
        ('than = "small"', 'than = "large"', "large cannot be held against itself"),
        ("[arms.large]", "[arms.untuned]", "untuned is the name of a reference row"),
        ("[scales.demo]", "[scales.demo]\nseeds = 0", "scales.demo.seeds"),
        ("[scales.demo]", '[scales.demo]\nset = { "evaluation.splits" = ["test"] }', "set by the study itself"),
        ("[measure]", "[measure", "TOML syntax"),
    ],
)
def test_what_is_wrong_is_said_in_words(old: str, new: str, said: str) -> None:
    with pytest.raises(StudyError) as caught:
        parse_study(changed(old, new), "x.toml")
    assert said in "\n".join(caught.value.problems)


def test_a_wrong_value_of_an_arm_is_a_fault_of_its_recipe(tmp_path: Path) -> None:
    workspace = study_workspace(tmp_path, changed('"lora.r" = 8', '"lora.r" = "eight"'))
    with pytest.raises(RecipeError, match="problem") as caught:
        api.plan_study(workspace, "rank")
    assert any("arm large" in problem and "lora.r" in problem for problem in caught.value.problems)


def test_the_matrix_makes_an_arm_of_every_combination() -> None:
    matrix = '[matrix]\n"lora.r" = [4, 8]\n"training.loss" = ["cross_entropy", "focal"]\n[arms.small]'
    text = changed('varies = ["lora.r"]', 'varies = ["lora.r", "training.loss"]')
    text = text[: text.index("[arms.small]")] + matrix.removesuffix("[arms.small]") + '[scales.demo]\nrecipe = "tiny"\n'
    study = parse_study(text.replace('baseline = "small"\n', ""), "x.toml")
    whole = scaled(study, "demo")
    assert list(whole.arms) == [
        "r 4, loss cross entropy", "r 4, loss focal", "r 8, loss cross entropy", "r 8, loss focal"
    ]  # fmt: skip
    assert whole.baseline == "r 4, loss cross entropy"
    assert dict(whole.arms["r 8, loss focal"].set) == {"lora.r": 8, "training.loss": "focal"}


def test_a_scale_may_have_arms_decisions_and_seeds_of_its_own(tmp_path: Path) -> None:
    own = STUDY + '[scales.big]\nrecipe = "tiny"\nseeds = 3\nbaseline = "one"\ndecide = []\n[scales.big.arms.one]\n'
    study = parse_study(own, "x.toml")
    assert (list(scaled(study, "big").arms), scaled(study, "big").seeds) == (["one"], 3)
    assert (list(scaled(study, "demo").arms), scaled(study, "demo").seeds) == (["small", "large"], 1)
    workspace = study_workspace(tmp_path, own)
    cells = expand(scaled(study, "big"), workspace.root)
    assert [(cell.seed, cell.recipe.training.seed, cell.recipe.name) for cell in cells] == [
        (seed, seed, f"rank one s{seed}") for seed in (42, 43, 44)
    ]


def test_an_untuned_arm_has_one_cell_whatever_the_seeds(tmp_path: Path) -> None:
    workspace = study_workspace(tmp_path, changed("[[decide]]", '[arms."large, untuned"]\nuntuned = true\n[[decide]]'))
    whole = narrowed(open_study(workspace, "rank").whole, (), 3)
    assert [cell.arm for cell in expand(whole, workspace.root)] == ["small"] * 3 + ["large"] * 3 + ["large, untuned"]


def test_targets_of_a_study_on_the_test_split_bring_validation(tmp_path: Path) -> None:
    text = changed('split = "validation"', 'split = "test"\ndegradations = ["blur"]\nseverities = [1, 3]')
    workspace = study_workspace(tmp_path, text)
    whole = open_study(workspace, "rank").scaled
    assert targets_of(whole, expand(whole, workspace.root)[0]) == [
        Target("Q7", "validation"), Target("Q7", "test"), Target("Q7", "test", "blur:1"), Target("Q7", "test", "blur:3")
    ]  # fmt: skip


def test_the_usual_scale_follows_the_machine_and_says_why() -> None:
    study = load_study(study_files(Path("/nowhere"))["layers"]).study
    assert choose_scale(study, None, gpu=True).name == "full"
    assert choose_scale(study, None, gpu=False).name == "demo"
    assert "no NVIDIA GPU" in choose_scale(study, None, gpu=False).reason
    assert choose_scale(study, "full", gpu=False).reason == "asked for"
    alone = parse_study(changed("[scales.demo]", "[scales.small]"), "x.toml")
    assert choose_scale(alone, None, gpu=True).name == "small"
    with pytest.raises(UsageError) as caught:
        choose_scale(study, "ful", gpu=True)
    assert ("Scales: demo, full." in caught.value.reason, caught.value.next_step) == (
        True,
        "Did you mean --scale full?",
    )


def test_names_that_are_not_there_have_hints(tmp_path: Path) -> None:
    workspace = study_workspace(tmp_path)
    with pytest.raises(UsageError) as caught:
        open_study(workspace, "rnak")
    assert caught.value.next_step == "Did you mean rank?"
    with pytest.raises(UsageError) as caught:
        open_study(workspace, "rank", arms=["larg"])
    assert caught.value.next_step == 'Did you mean --arm "large"?'


def test_a_copied_file_must_have_a_name_of_its_own(tmp_path: Path) -> None:
    workspace = study_workspace(tmp_path)
    write_study(workspace).with_name("mine.toml").write_text(STUDY)
    with pytest.raises(StudyError, match="1 problem") as caught:
        open_study(workspace, "mine")
    assert "give both the same name" in caught.value.reason
    elsewhere = tmp_path / "anything.toml"
    elsewhere.write_text(STUDY)
    assert open_study(workspace, elsewhere).name == "rank", "a path means that very file"


def test_the_key_holds_what_decides_the_training_and_nothing_else(tmp_path: Path) -> None:
    recipe = load_recipe(study_workspace(tmp_path).root / "assets" / "recipes" / "tiny.toml")
    key = training_key(recipe)
    same = ["name='other'", "description='x'", "training.checkpoint_steps=7", "evaluation.limit=3",
            "training.answer_checks=0", "evaluation.max_new_tokens=99"]  # fmt: skip
    other = [
        "training.seed=7",
        "lora.r=4",
        "data.prompt='clinical'",
        "training.max_steps=5",
        "data.balance='oversample'",
    ]
    mapping = {"name": recipe.name, **recipe.model_dump(exclude={"name", "description"})}
    assert {training_key(parse_recipe(mapping, "x", [each])) for each in same} == {key}
    keys = [training_key(parse_recipe(mapping, "x", [each])) for each in other]
    assert len({key, *keys}) == len(other) + 1


def test_a_stored_recipe_has_the_key_of_the_recipe_without_being_read_as_one(tmp_path: Path) -> None:
    for path in study_files(tmp_path).values():
        for cell in expand(scaled(load_study(path).study, "full"), tmp_path):
            assert stored_training_key(recipe_json(cell.recipe)) == training_key(cell.recipe)
    assert [stored_training_key(text) for text in ("", "[1]", "{", "1" * 9)] == [""] * 4


def test_a_key_that_an_older_recipe_does_not_have_counts_with_its_default(tmp_path: Path) -> None:
    import json

    recipe = load_recipe(study_workspace(tmp_path).root / "assets" / "recipes" / "tiny.toml")
    old = json.loads(recipe_json(recipe))
    del old["training"]["loss"], old["data"]["augment"]
    assert stored_training_key(json.dumps(old)) == training_key(recipe)
    assert len(key_version()) == 16
    assert set(recipe_values(recipe)) == {field.key for field in recipe_fields()}


def test_the_rule_changes_with_what_decides_and_with_nothing_else() -> None:
    def rule(text: str) -> str:
        return rule_hash(scaled(parse_study(text, "x"), "demo"))

    assert rule(changed("Does a larger rank help?", "Is it so?")) == rule(STUDY)
    assert rule("# a comment\n" + STUDY) == rule(STUDY)
    for old, new in [
        ('kind = "better"', 'kind = "non_inferior"'),
        ('split = "validation"', 'split = "validation"\nfigure = "auroc"'),
        ('split = "validation"', 'split = "test"'),
    ]:
        assert rule(changed(old, new)) != rule(STUDY)
    assert definition_hash(parse_study("# a comment\n" + STUDY, "x")) == definition_hash(parse_study(STUDY, "x"))
    assert definition_hash(parse_study(changed('lora.r" = 8', 'lora.r" = 9'), "x")) != definition_hash(
        parse_study(STUDY, "x")
    )


def test_workspaces_hide_the_studies_of_the_repository(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    mine = write_study(workspace, changed('name = "rank"', 'name = "layers"'))
    assert study_files(tmp_path)["layers"] == mine
    assert open_study(workspace, "layers").scaled.study.title == "Rank"
