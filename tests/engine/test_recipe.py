from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.errors import RecipeError
from engine.questions.prompts import QUESTIONS, prompt_variants
from engine.recipe import (
    LoraSection,
    Recipe,
    find_recipe,
    load_recipe,
    parse_recipe,
    preset_recipes,
    recipe_diff,
    recipe_from_json,
    recipe_json,
    recipe_to_toml,
    recipe_values,
)
from engine.recipe.models import SECTIONS, Wording
from engine.recipe.presets import REPOSITORY
from engine.recipe.problems import field_of, valid_values

PRESETS = sorted((REPOSITORY / "assets" / "recipes").glob("*.toml"))


def problems_of(mapping: dict[str, Any]) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"name": "x"} | mapping, "test.toml")
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text('name = "small"\n[training]\nbatch = 4\n')
    return path


# presets


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_every_preset_loads_and_its_header_has_its_command(preset: Path) -> None:
    recipe = load_recipe(preset)
    header = preset.read_text().partition("name =")[0]
    assert recipe.name == preset.stem
    assert recipe.description
    assert f"sonotune launch {preset.stem}" in header


def test_the_presets_are_those_that_were_asked_for() -> None:
    assert {path.stem for path in PRESETS} >= {"demo", "demo-gpu", "baseline-q7-8b", "baseline-q7-4b", "baseline-q7-2b"}


def test_the_baselines_differ_in_the_model_alone() -> None:
    eight, four, two = (load_recipe(find_recipe(f"baseline-q7-{size}", REPOSITORY)) for size in ("8b", "4b", "2b"))
    for other in (four, two):
        assert {key for key, _, _ in recipe_diff(eight, other)} <= {"name", "description", "model.id"}
    assert (eight.training.batch, eight.training.accumulation, eight.training.epochs) == (2, 4, 3.0)
    assert eight.model.quantization == "4bit"


def test_the_gpu_demo_is_the_demo_through_unsloth() -> None:
    demo, gpu = (load_recipe(find_recipe(name, REPOSITORY)) for name in ("demo", "demo-gpu"))
    differing = {key: right for key, _, right in recipe_diff(demo, gpu)}
    assert set(differing) <= {"name", "description", "model.backend"}
    assert differing["model.backend"] == "unsloth"


# problems


def test_every_kind_of_problem_is_reported_at_once() -> None:
    problems = problems_of(
        {
            "data": {"questions": ["Q7", "Q7"], "image_size": 100},
            "model": {"quantization": "8bit"},
            "lora": {"vision": False, "language": False, "dropout": 1.0},
            "training": {"batch": "2", "lerning_rate": 1e-4, "max_steps": True},
            "evaluation": {"splits": ["train"]},
            "trainning": {},
        }
    )
    assert problems == [
        "data.image_size: found 100; valid: a whole number, at least 64, at most 2048, a multiple of 32",
        'model.quantization: found "8bit"; valid: "none", "4bit" or "auto"',
        "lora.dropout: found 1.0; valid: a number, at least 0, below 1",
        "training.max_steps: found true; valid: a whole number, at least 0",
        'training.batch: found "2"; valid: a whole number, at least 1, at most 4096',
        "training.lerning_rate: unknown key; did you mean learning_rate?",
        'evaluation.splits: found "train"; valid: a list such as ["validation"] of "validation", "test"',
        "trainning: unknown key; did you mean training?",
        "lora.vision, lora.language: both are false, so nothing would be trained; set at least one to true",
        'data.questions: "Q7" named more than once; name each once',
    ]


@pytest.mark.parametrize(
    ("mapping", "fragment"),
    [
        ({"data": {"questions": []}}, "data.questions: found []"),
        ({"data": {"questions": "Q7"}}, 'data.questions: found "Q7"; valid: a list such as ["Q1"]'),
        ({"data": {"questions": ["Q9"]}}, '"report"'),
        ({"data": {"questions": ["report", "Q7"], "prompt": "report"}}, '"report" cannot be mixed'),
        ({"data": {"questions": ["report"]}}, 'which report does not have; valid for report: "report"'),
        ({"data": {"questions": ["Q7"], "prompt": "report"}}, 'valid for Q7: "simple", "detailed", "clinical"'),
        ({"data": {"questions": ["Q1", "Q7"], "prompt": "structured"}}, "which Q1 does not have; valid for Q1, Q7"),
        (
            {"data": {"more_prompts": ["simple", "simple"]}},
            'data.more_prompts, data.prompt, data.questions: "simple" named more than once',
        ),
        ({"data": {"more_prompts": ["detailed"]}}, '"detailed" is the wording in prompt already'),
        ({"data": {"more_prompts": ["own"]}}, 'data.more_prompts: found "own"; valid: a list such as ["simple"] of'),
        (
            {"data": {"questions": ["Q1", "Q7"], "more_prompts": ["simple", "structured"]}},
            'found "structured", which Q1 does not have; valid for Q1, Q7 beside "detailed": "simple", "clinical"',
        ),
        ({"data": {"questions": ["Q2", "Q3"], "more_prompts": ["structured"]}}, "which Q2, Q3 do not have"),
        ({"data": {"more_prompts": ["brief"]}}, 'found "brief"; valid: a list such as'),
        (
            {"data": {"questions": ["report"], "prompt": "report", "more_prompts": ["simple"]}},
            'found "simple", which report does not have; valid for report beside "report": none',
        ),
        ({"data": {"more_prompts": "simple"}}, 'data.more_prompts: found "simple"; valid: a list'),
        ({"data": {"balance": "focal"}}, 'data.balance: found "focal"; valid: "none", "oversample" or "synthetic"'),
        ({"data": {"augment": "more"}}, 'valid: "none", "basic" or "advanced"'),
        ({"data": {"dataset": "../other"}}, 'data.dataset: found "../other"; valid: a name of letters'),
        ({"lora": {"attention": False, "mlp": False}}, "lora.attention, lora.mlp: both are false"),
        ({"lora": 3}, "lora: found 3; this is a section: write [lora]"),
        ({"training": {"epochs": 0}}, "training.epochs: found 0; valid: a number, above 0, at most 10000"),
        ({"training": {"learning_rate": float("nan")}}, "training.learning_rate: found nan"),
        ({"training": {"epochs": 10**5000}}, "training.epochs: found a number of more than 60 digits"),
        ({"training": {"batch": 4.0}}, "training.batch: found 4.0"),
        ({"evaluation": {"splits": ["test", "test"]}}, 'evaluation.splits: "test" named more than once'),
        ({"batch": 2}, "batch: unknown key; did you mean training.batch or evaluation.batch?"),
        ({"data": {"r": 8}}, "data.r: unknown key; did you mean lora.r?"),
        ({"zzz": 1}, "zzz: unknown key; valid keys and sections: name, description, data"),
        ({"name": "two\nlines"}, "name: found"),
        ({"name": " "}, "name: found"),
        ({"name": "x" * 81}, "name: found"),
        ({"name": 3}, "name: found 3"),
    ],
)
def test_a_problem_names_the_key_what_was_found_and_what_is_valid(mapping: dict[str, Any], fragment: str) -> None:
    problems = problems_of(mapping)
    assert len(problems) == 1
    assert fragment in problems[0]


def test_a_recipe_needs_a_name() -> None:
    with pytest.raises(RecipeError, match="name: missing; valid: text of 1 to 80 characters"):
        parse_recipe({}, "test.toml")


def test_escape_codes_in_a_recipe_never_reach_the_terminal() -> None:
    problems = problems_of({"\x1b[31m": 1, "name": "a\x1bb", "data": {"prompt": "\x9b31m\u202e"}})
    assert len(problems) == 3
    assert all(problem.isprintable() for problem in problems)


def test_a_rule_is_left_out_where_its_own_keys_are_wrong() -> None:
    assert len(problems_of({"lora": {"vision": "no", "language": False}})) == 1


def test_a_recipe_built_in_code_follows_the_same_rules() -> None:
    with pytest.raises(ValidationError, match=r"lora\.vision, lora\.language: both are false"):
        Recipe(name="x", lora=LoraSection(vision=False, language=False))


def test_a_recipe_cannot_be_changed() -> None:
    recipe = parse_recipe({"name": "x"}, "test.toml")
    with pytest.raises(ValidationError, match="frozen"):
        recipe.training.batch = 3  # type: ignore[misc]


def test_four_bit_on_transformers_is_allowed() -> None:
    recipe = parse_recipe({"name": "x", "model": {"quantization": "4bit", "backend": "transformers"}}, "test.toml")
    assert recipe.model.backend == "transformers"


@pytest.mark.parametrize("question", [*QUESTIONS, "report"])
def test_every_wording_of_every_question_is_accepted(question: str) -> None:
    for prompt in prompt_variants(question):
        recipe = parse_recipe({"name": "x", "data": {"questions": [question], "prompt": prompt}}, "test.toml")
        assert recipe.data.questions == (question,)


def test_further_wordings_are_those_that_questions_have() -> None:
    assert set(get_args(Wording)) == {wording for question in QUESTIONS for wording in prompt_variants(question)}
    for more in (("simple",), ("clinical", "structured"), ("structured", "simple", "clinical")):
        recipe = parse_recipe({"name": "x", "data": {"questions": ["Q7"], "more_prompts": list(more)}}, "test.toml")
        assert recipe.data.more_prompts == more


def test_every_field_has_a_description_and_says_what_is_valid() -> None:
    for key in recipe_values(parse_recipe({"name": "x"}, "test.toml")):
        assert field_of(key).description
        assert valid_values(key)
    assert all(section in Recipe.model_fields for section in SECTIONS)


# files


def test_a_syntax_error_has_its_line(file: Path) -> None:
    file.write_text('name = "x"\n[training]\nbatch = \n')
    with pytest.raises(RecipeError, match=r"TOML syntax: .*line 3") as caught:
        load_recipe(file)
    assert str(file) in caught.value.title


def test_bytes_that_are_no_text_have_their_line(file: Path) -> None:
    file.write_bytes(b'name = "x"\n# caf\xe9\n')
    with pytest.raises(RecipeError, match="line 2: not UTF-8 text"):
        load_recipe(file)


@pytest.mark.parametrize("content", ["a = " + "[" * 5000, "a = " + "1" * 5000, "#" * 70_000])
def test_a_hostile_file_is_a_problem_and_no_crash(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(RecipeError):
        load_recipe(file)


def test_a_missing_file_and_a_folder_are_problems(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(RecipeError, match="cannot be read"):
            load_recipe(path)


def test_a_file_with_a_byte_order_mark_is_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load_recipe(file).name == "small"


# overrides


def test_overrides_are_toml_values_and_bare_words(file: Path) -> None:
    recipe = load_recipe(
        file,
        ["training.batch=8", 'data.questions=["Q1", "Q7"]', "lora.vision=false", "training.schedule=cosine",
         "name = a b", "training.learning_rate=1e-3", "description=", "training.batch=16"],
    )  # fmt: skip
    assert recipe.training.batch == 16
    assert recipe.data.questions == ("Q1", "Q7")
    assert recipe.lora.vision is False
    assert recipe.training.schedule == "cosine"
    assert recipe.name == "a b"
    assert recipe.training.learning_rate == 1e-3


def test_an_override_stays_one_value(file: Path) -> None:
    assert load_recipe(file, ["description=1\n[training]\nbatch=9"]).training.batch == 4


def test_problems_of_overrides_name_their_source_beside_those_of_the_file(file: Path) -> None:
    file.write_text('name = "x"\n[lora]\nr = 0\nvision = false\n')
    overrides = ["training.batch=0", "lora.language=false", "trainin.seed=1", "training", "a.b.c=1", "name.x=1"]
    with pytest.raises(RecipeError) as caught:
        load_recipe(file, overrides)
    assert caught.value.problems == [
        "--set training: write it as section.key=value, such as training.batch=4",
        "--set a.b.c=1: write it as section.key=value, such as training.batch=4",
        '--set name.x=1: name holds "x" and has no keys',
        "lora.r: found 0; valid: a whole number, at least 1, at most 1024",
        "training.batch: found 0; valid: a whole number, at least 1, at most 4096 (from --set training.batch=0)",
        "trainin: unknown key; did you mean training? (from --set trainin.seed=1)",
        "lora.vision, lora.language: both are false, so nothing would be trained; set at least one to true "
        "(from --set lora.language=false)",
    ]


# presets by name


def test_a_recipe_is_found_by_name_in_the_workspace_before_the_repository(tmp_path: Path) -> None:
    assert find_recipe("demo", tmp_path) == REPOSITORY / "assets" / "recipes" / "demo.toml"
    own = tmp_path / "assets" / "recipes" / "demo.toml"
    own.parent.mkdir(parents=True)
    own.write_text('name = "mine"')
    assert find_recipe("demo", tmp_path) == own
    assert preset_recipes(tmp_path)["demo"] == own


def test_a_recipe_is_found_by_path(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert find_recipe(file, tmp_path) == file
    assert find_recipe("recipe.toml", tmp_path) == file


def test_an_unknown_recipe_has_the_nearest_preset_and_all_of_them(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"did you mean demo-gpu\? presets: baseline-q7-2b, .*demo"):
        find_recipe("demo-gpuu", tmp_path)


# writing


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    question = draw(st.sampled_from([*QUESTIONS, "report"]))
    return parse_recipe(
        {
            "name": draw(
                st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=80).filter(str.strip)
            ),
            "description": draw(st.text(max_size=50)),
            "data": {"questions": [question], "prompt": draw(st.sampled_from(prompt_variants(question)))},
            "model": {"id": draw(st.text(min_size=1, max_size=40))},
            "lora": {"r": draw(st.integers(1, 1024)), "vision": draw(st.booleans())},
            "training": {
                "learning_rate": draw(st.floats(0, 10, exclude_min=True)),
                "epochs": draw(st.floats(0, 10_000, exclude_min=True)),
                "seed": draw(st.integers(0, 2**32 - 1)),
            },
            "evaluation": {"splits": draw(st.lists(st.sampled_from(["validation", "test"]), unique=True))},
        },
        "test.toml",
    )


@settings(max_examples=80, deadline=None)
@given(recipes())
def test_a_recipe_survives_toml_and_json(recipe: Recipe) -> None:
    assert parse_recipe(tomllib.loads(recipe_to_toml(recipe)), "again") == recipe
    assert recipe_from_json(recipe_json(recipe)) == recipe
    assert recipe_diff(recipe, recipe) == []


def test_the_written_file_has_every_key(file: Path) -> None:
    recipe = load_recipe(file)
    written = tomllib.loads(recipe_to_toml(recipe))
    assert list(written) == ["name", "description", *SECTIONS]
    for section, model in SECTIONS.items():
        assert list(written[section]) == list(model.model_fields)


def test_a_difference_has_key_and_both_values(file: Path) -> None:
    a, b = load_recipe(file), load_recipe(file, ["training.batch=8", 'data.questions=["Q1"]'])
    assert recipe_diff(a, b) == [("data.questions", ("Q7",), ("Q1",)), ("training.batch", 4, 8)]


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '{"name": "x", "lora": {"r": 0}}'])
def test_damaged_json_is_a_recipe_error(text: str) -> None:
    with pytest.raises(RecipeError, match="stored recipe"):
        recipe_from_json(text)


def test_the_recipe_modules_load_nothing_heavy() -> None:
    code = (
        "import sys, engine.recipe;"
        "assert not {'numpy', 'scipy', 'sklearn', 'statsmodels', 'torch', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("mapping", "fragment"),
    [
        (
            {"data": {"prompt": "own"}},
            'data.prompt_text, data.questions: prompt = "own" needs the wording',
        ),
        ({"data": {"prompt_text": "Anything?"}}, 'prompt is "detailed"; write prompt = "own"'),
        ({"data": {"prompt": "own", "prompt_text": "?", "questions": ["Q1", "Q7"]}}, "name one question"),
        ({"data": {"questions": ["Q1"]}, "training": {"loss": "weighted"}}, "a weighted loss needs Q7 or report"),
    ],
)
def test_wordings_of_ones_own_and_weights_say_what_they_need(mapping: dict[str, Any], fragment: str) -> None:
    problems = problems_of(mapping)
    assert len(problems) == 1
    assert fragment in problems[0]
