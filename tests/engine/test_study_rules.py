"""What is refused before anything runs: matrices, seeds, figures, questions, degradations, arms that are one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from study_helpers import STUDY, launch, study_workspace, write_study

from engine import api
from engine.errors import RecipeError, StudyError
from engine.study.reading import parse_study
from engine.study.rules import MOST_ARMS
from engine.study.scaled import scaled
from engine.workspace import Workspace

MATRIX = """
name = "rank"
title = "Rank"
question = "?"
varies = ["lora.r", "lora.alpha", "data.prompt_text", "training.loss", "training.max_steps", "training.seed"]
[matrix]
MATRIX
[scales.demo]
recipe = "tiny"
"""


def problems_of(text: str) -> list[str]:
    with pytest.raises(StudyError) as caught:
        parse_study(text, "x.toml")
    return caught.value.problems


def refused(workspace: Workspace, text: str) -> str:
    """Why a launch of a file is refused, and that nothing was queued."""
    write_study(workspace, text)
    with pytest.raises(StudyError) as caught:
        launch(workspace)
    assert api.runs(workspace) == []
    return "\n".join(caught.value.problems)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return study_workspace(tmp_path)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (
            '"lora.r" = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"lora.alpha" = ' + str([*range(21)]),
            "matrix: makes more than 200 arms",
        ),
        ("\n".join(f'"lora.x{number}" = [1, 2]' for number in range(400)), "makes more than 200 arms"),
        ('"lora.r" = []', "matrix.lora.r: has no values"),
        ('"lora.r" = [1, "1"]', "two combinations have the same name"),
        ('"data.prompt_text" = ["Is it normal?"]', "prompt text Is it normal? cannot be the name of an arm"),
        (f'"data.prompt_text" = ["{"long " * 20}"]', "cannot be the name of an arm (at most 50 letters"),
        (f'"lora.r" = [0x1{"0" * 5000}]', "found a number of more than 60 digits, which no key can hold"),
        ('"training.seed" = [1, 2]', "training.seed is set by the study itself"),
    ],
)
def test_a_matrix_is_refused_before_its_arms_are_made(matrix: str, said: str) -> None:
    assert said in "\n".join(problems_of(MATRIX.replace("MATRIX", matrix)))


def test_a_matrix_at_the_limit_is_taken_and_its_names_are_names_of_arms() -> None:
    text = MATRIX.replace(
        "MATRIX", f'"training.max_steps" = {[*range(1, 101)]}\n"training.loss" = ["cross_entropy", "focal"]'
    )
    arms = scaled(parse_study(text, "x"), "demo").arms
    assert len(arms) == MOST_ARMS
    assert next(iter(arms)) == "max steps 1, loss cross entropy"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"lora.r" = 8', '"lora.r" = 8\n"training.seed" = 44', "arms.large: training.seed is set by the study itself"),
        ("[measure]", '[measure]\ndegradations = ["blurr"]', 'measure.degradations: found "blurr"; did you mean blur?'),
        ("[measure]", "[measure]\nseverities = [2, 9]", "measure.severities: found 9; there are 1, 2, 3"),
        ("[measure]", '[measure]\ndegradations = ["blur"]\nseverities = []', "no degraded image would be measured"),
        ("[measure]", "[measure]\nseverities = [2, 2]", "measure.severities: found something twice"),
        ('kind = "better"', 'kind = "better"\nquestions = ["Q7", "Q7"]', "decide 1: questions has one of them twice"),
        ('"lora.r" = 8', f'"lora.r" = 0x1{"0" * 5000}', "arms.large: lora.r is a number of more than 60 digits"),
        ('recipe = "tiny"', f'recipe = "{"x" * 300}"', "scales.demo.recipe"),
    ],
)
def test_what_a_file_says_wrong_is_found_when_it_is_read(old: str, new: str, said: str) -> None:
    assert said in "\n".join(problems_of(STUDY.replace(old, new)))


def test_a_study_of_optional_arms_alone_is_refused() -> None:
    text = STUDY.replace('"lora.r" =', 'optional = true\n"lora.r" =')
    assert "arms: every arm is optional, so nothing would be launched" in problems_of(text)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[measure]", '[measure]\nfigure = "aurocc"', "figure: Q7 cannot be decided by aurocc. Did you mean auroc?"),
        ('kind = "better"', 'kind = "better"\nfigure = "f2"', "decide 1: Q7 cannot be decided by f2. Its figures"),
        (
            'kind = "better"',
            'kind = "better"\nquestions = ["Q6"]',
            "decide 1: Q6 is not a question of large; take it out",
        ),
        (
            'kind = "better"\narm = "large"\nthan = "small"',
            'kind = "each"\nquestions = ["Q7", "Q1"]',
            "decide 1: Q1 is not a question of small",
        ),
    ],
)  # fmt: skip
def test_a_figure_or_question_that_is_not_there_is_refused_before_the_training(
    workspace: Workspace, old: str, new: str, said: str
) -> None:
    assert said in refused(workspace, STUDY.replace(old, new))


QUESTIONS = STUDY.replace('varies = ["lora.r"]', 'varies = ["lora.r", "data.questions"]')


def test_the_questions_are_those_of_the_arms_that_are_compared(workspace: Workspace) -> None:
    other = QUESTIONS.replace('"lora.r" = 8', '"lora.r" = 8\n"data.questions" = ["Q6"]')
    assert "decide 1: the arms that it compares have no question in common" in refused(workspace, other)
    asked = other.replace('kind = "better"', 'kind = "better"\nquestions = ["Q6"]')
    assert "decide 1: Q6 is not a question of small" in refused(workspace, asked)
    each = other.replace('kind = "better"\narm = "large"\nthan = "small"', 'kind = "each"\nquestions = ["Q7"]')
    assert "decide 1: Q7 is not a question of any other arm" in refused(workspace, each)
    write_study(workspace, other.replace('than = "small"', 'than = "untuned"'))
    assert len(launch(workspace).queued) == 2, "a reference row stands beside every question"


def test_a_figure_of_one_of_its_questions_may_stand_for_the_study(workspace: Workspace) -> None:
    both = STUDY.replace('recipe = "tiny"', 'recipe = "tiny"\nset = { "data.questions" = ["Q6", "Q7"] }')
    write_study(workspace, both.replace("[measure]", '[measure]\nfigure = "mcc"'))
    assert len(launch(workspace).queued) == 2, "Q6 keeps its own"


def test_an_arm_that_spells_out_a_default_is_the_arm_beside_it(workspace: Workspace) -> None:
    tiny = api.load_recipe(api.find_recipe("tiny", workspace.root))
    text = STUDY.replace('"lora.r" = 4\n', "").replace('"lora.r" = 8', f'"lora.r" = {tiny.lora.r}')
    assert "arms small and large are the same run" in refused(workspace, text)


def test_untuned_arms_differ_in_what_the_model_is_shown_and_not_in_what_is_never_trained(workspace: Workspace) -> None:
    text = STUDY.replace('"lora.r" = 8', '"lora.r" = 8\nuntuned = true').replace(
        '"lora.r" = 4', '"lora.r" = 4\nuntuned = true'
    )
    assert "arms small and large are the same measurement" in refused(workspace, text)
    text = text.replace('varies = ["lora.r"]', 'varies = ["lora.r", "data.prompt"]')
    write_study(workspace, text.replace('"lora.r" = 8', '"data.prompt" = "simple"'))
    assert launch(workspace).references


@pytest.mark.parametrize("seed", ['"abc"', "[1]", "true", "-1", "1.5", "99999999999"])
def test_a_seed_that_is_none_is_a_fault_of_the_recipe(workspace: Workspace, seed: str) -> None:
    text = STUDY.replace('recipe = "tiny"', f'recipe = "tiny"\nset = {{ "training.seed" = {seed} }}')
    write_study(workspace, text)
    with pytest.raises(RecipeError, match="problem") as caught:
        api.study_state(workspace, "rank")
    assert "training.seed" in caught.value.reason


@pytest.mark.parametrize(
    "text",
    [
        STUDY.replace('recipe = "tiny"', 'recipe = "tiny"\nset = { "training.seed" = "abc" }'),
        STUDY.replace('recipe = "tiny"', 'recipe = "~nobody-of-that-name/x"'),
        STUDY.replace('recipe = "tiny"', 'recipe = "x\\u0000y"'),
        STUDY.replace('recipe = "tiny"', 'recipe = "' + "x" * 190 + '/' + "é" * 9 + '"'),
        STUDY.replace('"lora.r" = 4', 'optional = true\n"lora.r" = 4').replace('"lora.r" = 8', 'optional = true'),
        STUDY.replace('"lora.r" = 8', f'optional = true\n"lora.r" = 0x1{"0" * 5000}'),
        STUDY.replace("[arms.small]", "[arms.small.set]\n[arms.small.x]"),
        "scales = 3\narms = 4\nmatrix = 5",
        "arms.a = 3\nscales.b = 4\nname = []",
        "a = " + "[" * 5000 + "]" * 5000,
        "\ufeff",
    ],
)  # fmt: skip
def test_one_broken_file_never_breaks_the_board(workspace: Workspace, text: str) -> None:
    (workspace.root / "assets" / "studies" / "broken.toml").write_text(
        text.replace('name = "rank"', 'name = "broken"'), encoding="utf-8"
    )
    listed = {each.name: each for each in api.study_list(workspace)}
    assert listed["broken"].state is None
    assert listed["broken"].problems
    assert listed["rank"].state is not None


def test_checking_a_study_needs_no_numpy() -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from engine.study.expanding import expand; from engine.study.reading import load_study\n"
        "from engine.study.places import study_files; from engine.study.scaled import scaled\n"
        "[expand(scaled(load_study(p).study, 'full'), Path('.')) for p in study_files(Path('/nowhere')).values()]\n"
        "print([name for name in ('numpy', 'scipy', 'PIL') if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert (found.stdout.strip(), found.returncode) == ("[]", 0), found.stderr


@pytest.mark.parametrize(("key", "line"), [("arm", 'arm = "large"'), ("than", 'than = "small"')])
def test_a_misspelt_arm_with_a_question_in_its_name_is_refused(key: str, line: str) -> None:
    (problem,) = problems_of(STUDY.replace(line, f'{key} = "lrge {{question}}"'))
    assert problem.startswith(f'decide 1: {key} is "lrge {{question}}"')


def test_a_decision_whose_arms_are_of_no_question_that_is_asked_is_refused(workspace: Workspace) -> None:
    text = STUDY.replace("arms.small", 'arms."Q1 alone"').replace('"small"', '"Q1 alone"')
    asks = text.replace('arm = "large"', 'arm = "{question} alone"').replace('than = "Q1 alone"', 'than = "large"')
    assert "for none of the questions that are asked it names arms that there are" in refused(workspace, asks)
    optional = asks.replace("Q1 alone", "Q7 alone").replace('[arms."Q7 alone"]', '[arms."Q7 alone"]\noptional = true')
    write_study(workspace, optional.replace('baseline = "Q7 alone"', 'baseline = "large"'))
    assert launch(workspace).left_out == ("Q7 alone",), "an arm that is left out is judged once it is asked for"
