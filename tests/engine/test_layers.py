"""Layers of normalisation that are switched off: what it changes, where it is recorded, and what stays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from cli_helpers import CommandLine, no_worker, small_dataset
from compare_helpers import Said, measured, predictions
from data_helpers import eight_lines, write_image, write_lines
from store_helpers import add_evaluation, prediction, raw

from engine import api
from engine.data.manifest import open_dataset
from engine.errors import JobError, RecipeError
from engine.evaluation.judging import judge
from engine.evaluation.plan import make_plan
from engine.evaluation.process import evaluate_from
from engine.evaluation.protocol import Protocol, build_protocol, layers_of
from engine.evaluation.references import majority_answer, reference_predictions
from engine.evaluation.scores import answered_cases, report_cases, score
from engine.evaluation.settings import read_settings
from engine.questions.normalise.layers import ALL_LAYERS, NO_LAYERS, Layer, Layers, layer_names
from engine.questions.prompts import report_text
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Case, Outcome, Reference, Split, State
from engine.workspace import Workspace

TEXT, SPELLING = frozenset({Layer.TEXT}), frozenset({Layer.TEXT, Layer.SPELLING})
EVERY_CHOICE: list[Layers] = [frozenset(names) for size in range(4) for names in combinations(Layer, size)]
VEIW, VIEW = "Trans-thalamic veiw", "Trans-thalamic view"


# ----- what is right


@pytest.mark.parametrize(
    ("question", "said", "target", "least"),
    [
        ("Q3", VIEW, VIEW, NO_LAYERS),
        ("Q3", "trans-thalamic  VIEW.", VIEW, TEXT),
        ("Q3", VEIW, VIEW, SPELLING),
        ("Q3", "Transthalamic plane", VIEW, ALL_LAYERS),
        ("Q5", "between 20 and 25 weeks", "20-25 weeks", ALL_LAYERS),
        ("Q1", "Liver , aorta", "aorta, liver", TEXT),
    ],
)
def test_each_layer_makes_more_answers_right(question: str, said: str, target: str, least: Layers) -> None:
    steps = (NO_LAYERS, TEXT, SPELLING, ALL_LAYERS)
    outcomes = [judge(question, said, target, layers=layers).outcome for layers in steps]
    first = steps.index(least)
    assert outcomes == [Outcome.WRONG] * first + [Outcome.RIGHT] * (len(steps) - first)


def test_a_serving_error_is_one_whatever_the_layers() -> None:
    for layers in EVERY_CHOICE:
        assert judge("Q3", "ERROR: API error 503", VIEW, layers=layers).outcome is Outcome.ERROR


def test_q7_is_read_by_its_verdict_whatever_the_layers() -> None:
    for layers in EVERY_CHOICE:
        assert judge("Q7", "no abnormality seen", "Normal", layers=layers).outcome is Outcome.RIGHT


def test_raw_text_is_kept_and_scorers_see_what_the_layers_leave() -> None:
    rows = predictions([VIEW], [Said(VEIW)], "Q3")
    (case,) = answered_cases("Q3", rows, TEXT)
    assert (case.said.value, case.target.value, case.said_text) == (VEIW.lower(), VIEW.lower(), VEIW)
    (case,) = answered_cases("Q3", rows)
    assert case.said.value == case.target.value == "transthalamic plane"


def test_keywords_go_through_the_same_layers() -> None:
    rows = predictions(["Trans-thalamic symphysis"], [Said("Trans-thalamic symphsis")], "Q3")
    agreement = {
        layers: next(each.value for each in score("Q3", rows, None, layers) if each.name == "keyword_agreement")
        for layers in (TEXT, SPELLING)
    }
    assert agreement[SPELLING] == 1
    assert agreement[TEXT] == pytest.approx(0.5)


def test_sections_of_a_report_are_compared_with_the_layers_and_rules_hold_meanings() -> None:
    answers = {
        "Q1": "liver", "Q2": "Axial", "Q3": "Transverse trans-abdominal plane", "Q4": "AC", "Q5": "20-25 weeks",
        "Q6": "Good", "Q7": "Abnormal VSD", "Q8": "Prenatal routine monitoring",
    }  # fmt: skip
    said = report_text({**answers, "Q6": "Good image quality", "Q5": "20 to 25 wks"})
    rows = predictions([report_text(answers)], [Said(said)], "report")
    outcomes = {layers: report_cases(rows, layers)[0] for layers in (TEXT, ALL_LAYERS)}
    assert {question for question, found in outcomes[TEXT].sections.items() if found is not Outcome.RIGHT} == {
        "Q5", "Q6",
    }  # fmt: skip
    assert set(outcomes[ALL_LAYERS].sections.values()) == {Outcome.RIGHT}
    for case in outcomes.values():
        assert "abnormal-needs-more" in case.broken
        assert case.applied >= {"standard-view-not-too-early", "abnormal-needs-more"}


# ----- the majority is what is compared


def test_the_majority_is_the_most_frequent_meaning_in_its_most_frequent_wording() -> None:
    targets = ["Low"] * 3 + ["Good", "Good", "Good image quality", "good  quality."]
    assert majority_answer("Q6", targets) == ("good", None)
    assert majority_answer("Q6", targets, layers=TEXT) == ("low", None)
    assert majority_answer("Q6", targets, layers=NO_LAYERS) == ("Low", None)


def test_without_layers_the_majority_row_still_agrees_with_itself(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    cases = _cases(workspace)
    for layers in EVERY_CHOICE:
        rows = reference_predictions(Reference.MAJORITY, cases, "Q6", cases, layers=layers)
        assert {row.outcome for row in rows} == {Outcome.RIGHT}, layers


def _cases(workspace: Workspace) -> Sequence[Case]:
    return open_dataset(workspace, "fetal").cases()


# ----- the protocol


def protocol(layers: Layers = ALL_LAYERS) -> Protocol:
    return build_protocol("Q3", "detailed", 512, 64, (), layers=layers)


def test_every_choice_of_layers_has_a_fingerprint_of_its_own() -> None:
    prints = {protocol(layers).fingerprint() for layers in EVERY_CHOICE}
    assert len(prints) == len(EVERY_CHOICE) == 8
    assert protocol().fingerprint() == build_protocol("Q3", "detailed", 512, 64, ()).fingerprint()


def test_a_stored_protocol_names_its_layers_in_order_and_gives_them_back() -> None:
    for layers in EVERY_CHOICE:
        stored = protocol(layers).as_json()
        assert layers_of(stored) == layers
        assert json.loads(stored)["normalisation"] == list(layer_names(layers))
        assert protocol(layers).clean().layers == layers
    assert json.loads(protocol().as_json())["normalisation"] == ["text", "spelling", "meaning"]


@pytest.mark.parametrize("stored", ["", "{}", '{"prompt": "detailed"}', "[1, 2]", "{broken"])
def test_protocols_from_before_had_all_layers(stored: str) -> None:
    assert layers_of(stored) == ALL_LAYERS


def test_a_layer_from_the_future_is_refused() -> None:
    with pytest.raises(JobError, match="no layer of normalisation named grammar"):
        layers_of('{"normalisation": ["text", "grammar"]}')


# ----- recipes and queued evaluations


def recipe(*changes: str) -> api.Recipe:
    settings = ["name=demo", "data.dataset=fetal", "data.questions=['Q6']", "data.image_size=96", *changes]
    return api.load_recipe(api.find_recipe("demo", Path()), settings)


def test_a_recipe_has_all_layers_and_a_form_field_that_explains_them() -> None:
    assert recipe().evaluation.normalisation == ("text", "spelling", "meaning")
    field = next(each for each in api.recipe_fields() if each.key == "evaluation.normalisation")
    assert (field.kind, field.choices) == ("list", ("text", "spelling", "meaning"))
    assert "switch off" in field.description
    assert recipe("evaluation.normalisation=[]").evaluation.normalisation == ()
    for wrong in ('["grammar"]', '["text", "text"]', '"text"'):
        with pytest.raises(RecipeError, match="normalisation"):
            recipe(f"evaluation.normalisation={wrong}")


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Workspace]:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, recipe('evaluation.normalisation=["spelling", "text"]'))
        yield workspace


def plans(workspace: Workspace) -> dict[Layers, set[int]]:
    """Evaluations by the layers that they will be measured with."""
    found: dict[Layers, set[int]] = {}
    with Reader(workspace) as reader:
        rows = reader.evaluations()
    for row in rows:
        found.setdefault(make_plan(workspace, row.id).protocol.layers, set()).add(row.id)
    return found


def test_a_launch_measures_run_control_and_references_with_the_layers_of_the_recipe(launched: Workspace) -> None:
    assert set(plans(launched)) == {SPELLING}
    assert len(plans(launched)[SPELLING]) == 2 + len(Reference)


def test_a_measured_row_records_its_layers_and_a_second_attempt_reads_them_again(launched: Workspace) -> None:
    with Reader(launched) as reader:
        number = next(row.id for row in reader.evaluations() if row.reference is Reference.MAJORITY)
    planned = make_plan(launched, number).protocol
    evaluate_from(launched, number)
    with Reader(launched) as reader:
        row = reader.evaluation(number)
    assert row.state is State.SUCCEEDED
    assert layers_of(row.protocol) == SPELLING
    assert row.protocol_fingerprint == planned.fingerprint()
    assert read_settings(row, None, None).normalisation == ("text", "spelling")


def test_other_layers_are_another_measurement_with_references_of_its_own(launched: Workspace) -> None:
    assert api.evaluate_run(launched, 1, [Split.VALIDATION])[1] == []
    _, ids = api.evaluate_run(launched, 1, [Split.VALIDATION], normalisation=ALL_LAYERS)
    assert plans(launched)[ALL_LAYERS] == set(ids)
    assert len(ids) == 2 + len(Reference)
    assert api.evaluate_run(launched, 1, [Split.VALIDATION], normalisation=ALL_LAYERS)[1] == []


def test_evaluations_from_before_count_as_measured_with_all_layers(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        api.launch(workspace, recipe())
        with raw(workspace) as connection:
            changed = connection.execute("UPDATE evaluations SET protocol = json_remove(protocol, '$.normalisation')")
            assert changed.rowcount == 2 + len(Reference)
        assert api.evaluate_run(workspace, 1, [Split.VALIDATION])[1] == []
        assert set(plans(workspace)) == {ALL_LAYERS}
        assert api.evaluate_run(workspace, 1, [Split.VALIDATION], normalisation=TEXT)[1] != []


def test_a_row_that_names_a_layer_of_the_future_says_so(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        evaluation = add_evaluation(writer, None, Reference.MAJORITY)
    named = {"prompt": "detailed", "image_size": 96, "max_new_tokens": 8, "normalisation": ["grammar"]}
    with raw(workspace) as connection:
        connection.execute("UPDATE evaluations SET protocol = ?", (json.dumps(named),))
    with Reader(workspace) as reader, pytest.raises(JobError, match="grammar"):
        read_settings(reader.evaluation(evaluation), None, None)


# ----- the command line


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    workspace, lines = Workspace(tmp_path / "workspace"), []
    workspace.root.mkdir()
    for number in range(60):
        path = write_image(tmp_path / "images", f"Trans-thalamic/Trans-thalamic_{number:03d}.png")
        lines += eight_lines(path, Q3=VIEW)
    api.import_chat_file(workspace, "fetal", write_lines(tmp_path / "f.jsonl", lines), tmp_path / "images")
    said = [{"image": case.path, "question": "Q3", "prediction": VEIW} for case in _cases(workspace)]
    write_lines(workspace.root / "said.jsonl", [json.dumps(each) for each in said])
    return CommandLine(workspace.root, capsys)


def test_predictions_are_imported_with_the_layers_named_and_ranked_apart(command: CommandLine) -> None:
    right = {}
    for layers in ("text", "text,spelling", "none"):
        done = command(
            "predictions", "import", str(command.folder / "said.jsonl"), "--dataset", "fetal", "--split", "validation",
            "--name", layers, "--normalisation", layers, "--json",
        )  # fmt: skip
        assert done.code == 0, done.err
        (part,) = done.json["parts"]
        right[layers] = part["outcomes"]
    cases = sum(right["text"].values())
    assert right == {"text": {"wrong": cases}, "text,spelling": {"right": cases}, "none": {"wrong": cases}}
    rows = command("leaderboard", "--json", "--question", "Q3").json
    accuracy = {(row["name"] if row["run"] else row["reference"], row["protocol_fingerprint"]): row["accuracy"]
                for row in rows}  # fmt: skip
    assert len({print_ for _, print_ in accuracy}) == 3
    assert [value for (name, _), value in accuracy.items() if name == "majority"] == [1.0] * 3
    with Reader(Workspace(command.folder)) as reader:
        rows_by_layers = {layers_of(row.protocol): row for row in reader.evaluations() if row.run_id is not None}
        assert set(rows_by_layers) == {TEXT, SPELLING, NO_LAYERS}
        for row in rows_by_layers.values():
            assert {each.raw_output for each in reader.predictions(row.id)} == {VEIW}


def test_the_command_line_names_layers_and_refuses_others(command: CommandLine) -> None:
    words = ("predictions", "import", str(command.folder / "said.jsonl"), "--dataset", "fetal", "--normalisation")
    for wrong, reason in (("text,grammar", "no layer of normalisation grammar"), (" , ", "names no layer")):
        done = command(*words, wrong)
        assert done.code == 2
        assert reason in done.err


def test_evaluate_queues_with_the_layers_named(launched: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    done = CommandLine(launched.root, capsys)("evaluate", "1", "--normalisation", "text", "--json")
    assert done.code == 0, done.err
    assert plans(launched)[TEXT] == set(done.json["evaluations"])


# ----- comparing


def test_comparisons_say_which_layers_differ(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        for number, named in enumerate(({}, {"normalisation": ["text"]}, {"normalisation": list(Layer)})):
            rows = [prediction(f"Head/{n}.png", p_abnormal=0.1 * n) for n in range(6)]
            measured(writer, f"r{number}", rows, protocol={"prompt": "detailed", **named},
                     protocol_fingerprint=f"way-{len(named) and number}")  # fmt: skip
    notes = " ".join(api.compare(workspace, [1, 2]).notes)
    assert "layers of normalisation differ: text, spelling, meaning (run 1), text (run 2)" in notes
    # One that was stored before layers had a name was measured with all of them.
    assert "layers of normalisation" not in " ".join(api.compare(workspace, [1, 3]).notes)


def test_a_comparison_reads_answers_with_the_layers_of_their_evaluations(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    meant = ["aorta, liver", "stomach, liver"] * 20
    with Writer.open(workspace) as writer:
        for name, said in (("right", meant), ("misspelt", [each.replace("liver", "livr") for each in meant])):
            rows = predictions(meant, [Said(each) for each in said], "Q1")
            measured(writer, name, rows, question="Q1", protocol={"prompt": "detailed", "normalisation": ["text"]})
    (pair,) = api.compare(workspace, [1, 2], question="Q1").pairs
    f2 = next(each for each in pair.differences if each.name == "f2")
    assert f2.value == pytest.approx(-0.5)


def test_common_images_are_scored_anew_with_the_layers_of_their_evaluation(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    meant = ["aorta, liver", "stomach, liver"] * 20
    misspelt = [Said(each.replace("liver", "livr")) for each in meant]
    with Writer.open(workspace) as writer:
        for name, count in (("whole", 40), ("part", 30)):
            rows = predictions(meant[:count], misspelt[:count], "Q1")
            measured(writer, name, rows, question="Q1", cases=name,
                     protocol={"prompt": "detailed", "normalisation": ["text"]})  # fmt: skip
    found = api.compare(workspace, [1, 2], question="Q1", common=True)
    anew = {each.name: each.value for each in found.subjects[0].scores if each.scope == "all"}
    assert found.n == 30
    assert anew["f2"] == pytest.approx(0.5)  # "livr" would be the liver, were the layer of spelling not off
