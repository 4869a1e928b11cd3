"""Comparisons: their numbers against scipy, scikit-learn and statsmodels, and who may be compared with whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from compare_helpers import ABNORMAL, NORMAL, VIEWS, Said, guesses, measured, paths, predictions, targets
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, fbeta_score, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from store_helpers import add_evaluation, add_run

from engine import api
from engine.comparison.loading import load_outputs
from engine.comparison.pairs import compare_pairs
from engine.comparison.subjects import Candidate, find_subjects
from engine.errors import JobError, UsageError
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import BLANK, IMPORTED, Prediction, Reference, Split

MEANT = targets(120, abnormal=4)
SECTIONS = (
    "Anatomical Structures",
    "Fetal Orientation",
    "Imaging Plane",
    "Biometric Measurements",
    "Gestational Age",
    "Image Quality",
    "Normality Assessment",
    "Clinical Recommendations",
)
ALWAYS = [Said(NORMAL, 0.25)] * 120


@pytest.fixture
def workspace(tmp_path: Path) -> api.Workspace:
    return api.Workspace(tmp_path)


@pytest.fixture
def writer(workspace: api.Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


def skilled(seed: int, skill: float = 0.4) -> list[Prediction]:
    return predictions(MEANT, guesses(MEANT, seed, skill=skill))


def called(rows: Sequence[Prediction], threshold: float = 0.5) -> list[bool]:
    return [(row.p_abnormal or 0.0) >= threshold for row in rows]


# ----- numbers


@given(seed=st.integers(0, 10_000), skill=st.floats(0.0, 0.9))
@settings(max_examples=8, deadline=None)
def test_numbers_are_those_of_scikit_learn_and_statsmodels(
    seed: int, skill: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    found_at = api.Workspace(tmp_path_factory.mktemp("compare"))
    rows = [skilled(seed), skilled(seed + 1, skill), skilled(seed + 2, skill)]
    thresholds = (0.5, 0.4, 0.6)
    with Writer.open(found_at) as writer:
        for number, (each, threshold) in enumerate(zip(rows, thresholds, strict=True)):
            measured(writer, f"run-{number}", each, threshold=threshold)
    found = api.compare(found_at, [1, 2, 3])
    truth = np.array([target == ABNORMAL for target in MEANT])
    said = [np.array(called(each, threshold)) for each, threshold in zip(rows, thresholds, strict=True)]
    for pair in found.pairs:
        other = pair.subject
        named = {each.name: each for each in pair.differences}
        balanced = [balanced_accuracy_score(truth, each) for each in said]
        areas = [roc_auc_score(truth, [row.p_abnormal for row in each]) for each in rows]
        assert named["balanced_accuracy"].value == pytest.approx(balanced[other] - balanced[0])
        assert named["auroc"].value == pytest.approx(areas[other] - areas[0])
        assert named["auroc"].low <= named["auroc"].value <= named["auroc"].high
        right = [each == truth for each in said]
        table = [[np.sum(right[0] & right[other]), np.sum(right[0] & ~right[other])]]
        table.append([np.sum(~right[0] & right[other]), np.sum(~right[0] & ~right[other])])
        assert pair.mcnemar_p == pytest.approx(mcnemar(table, exact=True).pvalue)
        where = np.array(paths(120))
        assert {case.path for case in pair.fixed} == set(where[~right[0] & right[other]])
        assert {case.path for case in pair.broken} == set(where[right[0] & ~right[other]])
        assert [view.n for view in pair.views] == [40, 40, 40]
        assert sum(view.right_after for view in pair.views) == right[other].sum()
        assert sum(view.fixed - view.broken for view in pair.views) == right[other].sum() - right[0].sum()
    holm = multipletests([pair.p for pair in found.pairs], method="holm")[1]
    assert [pair.p_adjusted for pair in found.pairs] == pytest.approx(list(holm))


def test_the_verdict_is_plain_and_follows_the_declared_measure(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "weak", skilled(1, 0.2))
    measured(writer, "strong", skilled(2, 0.95))
    measured(writer, "weak too", skilled(3, 0.2))
    found = api.compare(workspace, ["weak", "strong", "weak too"])
    better, same = found.pairs
    assert better.standing is api.Standing.BETTER
    assert api.verdict_line(found, better).startswith("run 2 (strong) is better than run 1 (weak): balanced accuracy +")
    assert f"{len(better.fixed)} fixed, {len(better.broken)} broken" in better.verdict
    assert same.standing is api.Standing.SAME
    assert api.verdict_line(found, same).startswith("run 3 (weak too): not distinguishable: ")
    assert "Holm, 2 comparisons" in same.verdict
    backwards = api.compare(workspace, [2, 1]).pairs[0]
    assert backwards.standing is api.Standing.WORSE
    assert [case.path for case in backwards.fixed] == [case.path for case in better.broken]
    assert backwards.mcnemar_p == better.mcnemar_p


def test_many_comparisons_need_a_clearer_difference(workspace: api.Workspace, writer: Writer) -> None:
    # 6 fixed and 0 broken: p = 0.03 alone, 0.09 as one of three.
    wrong = [Said(ABNORMAL if place in range(1, 13, 2) else MEANT[place]) for place in range(120)]
    measured(writer, "base line", predictions(MEANT, wrong), threshold=None)
    for name in ("a", "b", "c"):
        measured(writer, name, predictions(MEANT, [Said(target) for target in MEANT]), threshold=None)
    alone = api.compare(workspace, [1, 2]).pairs[0]
    assert (len(alone.fixed), len(alone.broken), alone.standing) == (6, 0, api.Standing.BETTER)
    assert alone.p == pytest.approx(2 * 0.5**6)
    together = api.compare(workspace, [1, 2, 3, 4]).pairs
    assert [pair.standing for pair in together] == [api.Standing.SAME] * 3
    assert together[0].p_adjusted == pytest.approx(3 * 2 * 0.5**6)


def test_a_changed_case_holds_what_both_said(workspace: api.Workspace, writer: Writer) -> None:
    said = [Said(target, 0.9 if target == ABNORMAL else 0.1) for target in MEANT]
    worse = [Said("\x1b[2J nonsense", 0.8), *said[1:4], Said("ERROR: API error 500"), *said[5:]]
    worse[1] = Said(ABNORMAL, 0.7)
    measured(writer, "good", predictions(MEANT, said))
    measured(writer, "bad", predictions(MEANT, worse))
    found = api.compare(workspace, [1, 2])
    broken = {case.path: case for case in found.pairs[0].broken}
    assert set(broken) == {paths(120)[1], paths(120)[4]}  # P(abnormal) decides: nonsense with 0.8 is still right
    assert broken[paths(120)[1]].after == api.ComparedAnswer(ABNORMAL, api.Outcome.WRONG, 0.7)
    assert broken[paths(120)[1]].before.p_abnormal == 0.1
    assert broken[paths(120)[4]].after.outcome == api.Outcome.ERROR
    assert found.subjects[1].outcomes["error"] == 1
    assert "run 2: serving errors: 1, without an answer: 1, of 120 outputs; they count as not right." in found.notes


def test_where_one_has_no_probabilities_the_texts_decide(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "with", skilled(1))
    measured(writer, "texts", predictions(MEANT, [Said(each.output) for each in guesses(MEANT, 2, skill=0.9)]))
    found = api.compare(workspace, [1, 2])
    assert found.pairs[0].primary == "text_balanced_accuracy"
    assert "auroc" not in {each.name for each in found.pairs[0].differences}
    assert "generated text" in found.decision
    assert "text_balanced_accuracy" in api.compared_measures(found)


def test_without_abnormal_cases_nothing_is_decided_and_it_says_so(workspace: api.Workspace, writer: Writer) -> None:
    meant = [NORMAL] * 30
    for number in (1, 2):
        measured(writer, f"run-{number}", predictions(meant, guesses(meant, number, skill=0.3)))
    pair = api.compare(workspace, [1, 2]).pairs[0]
    assert (pair.standing, pair.p) == (api.Standing.UNKNOWN, None)
    assert "none of 30 images is abnormal" in pair.verdict
    assert pair.fixed or pair.broken


# ----- other questions


def test_q1_is_decided_by_the_mean_f2_of_its_images(workspace: api.Workspace, writer: Writer) -> None:
    words = ["aorta", "liver", "stomach", "umbilical vein"]
    meant = [", ".join(words[: 1 + place % 4]) for place in range(60)]
    poor = [Said("liver") for _ in meant]
    good = [Said(target if place % 5 else "aorta") for place, target in enumerate(meant)]
    measured(writer, "poor", predictions(meant, poor, "Q1"), question="Q1")
    measured(writer, "good", predictions(meant, good, "Q1"), question="Q1")

    def indicators(answers: Sequence[str]) -> list[list[bool]]:
        return [[word in answer.split(", ") for word in words] for answer in answers]

    pair = api.compare(workspace, [1, 2]).pairs[0]
    expected = [
        fbeta_score(indicators(meant), indicators([each.output for each in said]), beta=2, average="samples")
        for said in (poor, good)
    ]
    assert pair.differences[0].name == pair.primary == "f2"
    assert (pair.differences[0].first, pair.differences[0].second) == pytest.approx(tuple(expected))
    assert pair.standing is api.Standing.BETTER
    assert len(pair.fixed) == sum(
        answer.output == target != "liver" for answer, target in zip(good, meant, strict=True)
    )


def test_reports_are_compared_by_their_sections(workspace: api.Workspace, writer: Writer) -> None:
    def report(structures: str, quality: str) -> str:
        answers = (structures, "Cephalic presentation", "Trans-thalamic view", "BPD and HC", "20-25 weeks", quality)
        texts = (*answers, NORMAL, "Follow up")
        return "\n".join(f"{name}: {text}" for name, text in zip(SECTIONS, texts, strict=True))

    meant = [report("liver", "Good") for _ in range(40)]
    measured(writer, "a", predictions(meant, [Said(report("aorta", "Low"))] * 40, "report"), question="report")
    measured(writer, "b", predictions(meant, [Said(report("liver", "Good"))] * 40, "report"), question="report")
    found = api.compare(workspace, [1, 2])
    pair = found.pairs[0]
    assert (found.question, pair.primary, pair.standing) == ("report", "section_accuracy", api.Standing.BETTER)
    assert pair.differences[0].value == pytest.approx(2 / 8)
    assert (len(pair.fixed), sum(view.fixed for view in pair.views)) == (40, 40)
    assert {view.view for view in pair.views} == set(VIEWS)


# ----- which images


def test_other_images_are_refused_with_counts_and_the_way_out(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "whole", skilled(1))
    measured(writer, "part", skilled(2)[:50], cases="cases-2")
    with pytest.raises(api.OtherImagesError) as refused:
        api.compare(workspace, [1, 2])
    assert "different images" in refused.value.title
    for words in ("run 1 (whole): 120 images", "run 2 (part): 50 images", "In common, with the same targets: 50"):
        assert words in refused.value.reason
    assert "sonotune compare 1 2 --question Q7 --split validation --measure" in refused.value.next_step
    assert "--common" in refused.value.next_step


def test_common_images_are_compared_loudly_and_scored_anew(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "whole", skilled(1))
    measured(writer, "part", skilled(2)[:50], cases="cases-2")
    found = api.compare(workspace, [1, 2], common=True)
    assert (found.n, found.pairs[0].n, found.cases_fingerprint) == (50, 50, "")
    assert found.notes[0].startswith("DIFFERENT IMAGES: only the 50 ")
    score = found.subjects[0].score("accuracy")
    assert score is not None
    assert score.n == 50
    assert found.subjects[0].measured == 120


def test_images_with_another_target_are_not_common(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "before", skilled(1))
    flipped = [ABNORMAL if target == NORMAL else NORMAL for target in MEANT[:3]] + MEANT[3:]
    measured(writer, "after", predictions(flipped, guesses(flipped, 2, skill=0.4)), cases="cases-2")
    assert api.compare(workspace, [1, 2], common=True).n == 117


def test_nothing_in_common_is_refused_even_so(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "one", skilled(1)[:40])
    measured(writer, "other", skilled(2)[60:], cases="cases-2")
    with pytest.raises(api.OtherImagesError, match="different images") as refused:
        api.compare(workspace, [1, 2], common=True)
    assert "In common, with the same targets: 0" in refused.value.reason
    assert "--common" not in refused.value.next_step


def test_imported_predictions_of_other_images_are_to_be_imported(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "ours", skilled(1))
    other = add_run(writer, "theirs", kind=IMPORTED)
    measured(writer, other, skilled(2)[:50], cases="cases-2")
    with pytest.raises(api.OtherImagesError) as refused:
        api.compare(workspace, [1, other])
    assert "sonotune predictions import" in refused.value.next_step


def test_imported_runs_are_compared_and_have_no_recipe(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "ours", skilled(1))
    other = add_run(writer, "theirs", kind=IMPORTED)
    measured(writer, other, skilled(2))
    pair = api.compare(workspace, ["theirs", 1]).pairs[0]
    assert pair.recipe is None
    assert "imported" in pair.recipe_note


# ----- which evaluations


def test_validation_comes_first_then_what_is_measured_in_the_same_way_then_the_newest(
    workspace: api.Workspace, writer: Writer
) -> None:
    first = measured(writer, "a", skilled(1))
    measured(writer, 1, skilled(1), split=Split.TEST, cases="cases-test")
    measured(writer, "b", skilled(2))
    measured(writer, 2, skilled(2), split=Split.TEST, cases="cases-test", protocol_fingerprint="other")
    newer = measured(writer, 2, skilled(3))
    found = api.compare(workspace, [1, 2])
    assert [each.evaluation for each in found.subjects] == [first, newer]
    assert found.others == (("Q7", "test"),)
    assert not [note for note in found.notes if "same way" in note]
    tested = api.compare(workspace, [1, 2], split=Split.TEST)
    assert tested.split is Split.TEST
    assert any("Not measured in the same way" in note for note in tested.notes)


@pytest.mark.parametrize(
    "validation",
    [
        {"question": "Q5"},
        {"protocol_fingerprint": "other"},
        {},
    ],
)
def test_the_test_split_is_taken_only_where_it_is_asked_for_or_there_is_nothing_else(
    workspace: api.Workspace, writer: Writer, validation: dict[str, str]
) -> None:
    """However well the test split would fit: measured alike, and for Q7."""
    for name, seed in (("a", 1), ("b", 2)):
        measured(writer, name, skilled(seed), split=Split.TEST, cases="cases-test")
    assert api.compare(workspace, [1, 2]).split is Split.TEST
    rows = predictions(["15-20"] * 12, [Said("15-20")] * 12, "Q5") if "question" in validation else skilled(3)
    measured(writer, 1, rows, question=validation.get("question", "Q7"))
    measured(writer, 2, rows, **validation)  # type: ignore[arg-type]
    assert api.compare(workspace, [1, 2]).split is Split.VALIDATION
    assert api.compare(workspace, [1, 2], split=Split.TEST).split is Split.TEST


def test_validation_on_other_images_is_no_reason_to_look_at_the_test_split(
    workspace: api.Workspace, writer: Writer
) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        measured(writer, name, skilled(seed), split=Split.TEST, cases="cases-test")
        measured(writer, seed, skilled(seed), cases=f"cases-{seed}")
    with pytest.raises(api.OtherImagesError) as refused:
        api.compare(workspace, [1, 2])
    assert refused.value.split is Split.VALIDATION


def test_differing_protocols_are_named(workspace: api.Workspace, writer: Writer) -> None:
    ways = (
        {"prompt": "detailed", "prompt_text": "A", "versions": {"parser": 1}, "batch": 4, "candidates": ["a"]},
        {"prompt": "simple", "prompt_text": "B", "versions": {"parser": 2}, "batch": 8, "candidates": ["a", "b"]},
    )
    for number, way in enumerate(ways):
        measured(writer, f"run-{number}", skilled(number), protocol=way, protocol_fingerprint=f"way-{number}")
    notes = " ".join(api.compare(workspace, [1, 2]).notes)
    assert "prompts differ: detailed (run 1), simple (run 2)" in notes
    assert "version of the parser differ: 1 (run 1), 2 (run 2)" in notes
    assert "candidate answers differ: 1 of them (run 1), 2 of them (run 2)" in notes
    assert "wording" not in notes
    assert "batch" not in notes


def test_grey_images_are_no_evaluation_to_compare(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "a", skilled(1))
    measured(writer, "b", skilled(2))
    grey = measured(writer, 2, skilled(3), degradation=BLANK)
    assert grey not in [each.evaluation for each in api.compare(workspace, [1, 2]).subjects]
    with pytest.raises(JobError, match=f"Evaluation {grey} can't be compared"):
        api.compare(workspace, [1, f"evaluation:{grey}"])


def test_what_was_not_measured_is_said_with_the_command(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "a", skilled(1))
    add_run(writer, "b")
    with pytest.raises(JobError, match="not measured on Q7 on validation") as refused:
        api.compare(workspace, [1, 2], question="Q7", split=Split.VALIDATION)
    assert "`sonotune evaluate 2 --question Q7 --split validation`" in refused.value.next_step


def test_no_question_in_common(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "a", skilled(1))
    measured(writer, "b", skilled(2), split=Split.TEST)
    with pytest.raises(JobError, match="no question and split in common") as refused:
        api.compare(workspace, [1, 2])
    assert "run 2 (b): Q7 on test" in refused.value.reason


# ----- who is meant


def test_references_are_subjects(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "tuned", skilled(1, 0.9))
    for reference in Reference:
        measured(writer, reference, predictions(MEANT, ALWAYS))
    found = api.compare(workspace, [1, *Reference])
    assert [each.short for each in found.subjects] == ["run 1", *Reference]
    assert {pair.standing for pair in found.pairs} == {api.Standing.WORSE}
    assert found.pairs[0].recipe is None
    assert "no recipe" in found.pairs[0].recipe_note


def test_a_reference_wins_over_a_run_of_its_name_and_a_number_means_the_run(
    workspace: api.Workspace, writer: Writer
) -> None:
    measured(writer, "majority", skilled(1))
    measured(writer, Reference.MAJORITY, predictions(MEANT, ALWAYS))
    found = api.compare(workspace, [1, "majority"])
    assert [each.run for each in found.subjects] == [1, None]


def test_base_is_the_model_that_the_runs_were_tuned_from(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "tuned", skilled(1))
    own = measured(writer, Reference.BASE, skilled(2))
    other = measured(writer, Reference.BASE, skilled(3))
    with writer._transaction() as connection:
        connection.execute("UPDATE evaluations SET model = 'other/model' WHERE id = ?", (other,))
    assert api.compare(workspace, [1, "base"]).subjects[1].evaluation == own
    assert api.compare(workspace, [1, "base:other/model"]).subjects[1].evaluation == other
    assert api.compare(workspace, ["base:assets/base-model", "base:other/model"]).subjects[0].evaluation == own
    with pytest.raises(UsageError, match="Several untuned models") as refused:
        api.compare(workspace, ["base", f"evaluation:{own}"])
    assert "base:other/model" in refused.value.next_step


def test_a_base_in_the_quantization_of_the_run(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "tuned", skilled(1))
    with writer._transaction() as connection:
        connection.execute("UPDATE runs SET quantization = '4bit' WHERE id = 1")
    four = measured(writer, Reference.BASE, skilled(2), protocol={"quantization": "4bit"})
    measured(writer, Reference.BASE, skilled(3), protocol={"quantization": "none"})
    assert api.compare(workspace, [1, "base"]).subjects[1].evaluation == four


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "One subject alone"),
        ([1], "One subject alone"),
        ([1, "a"], "named twice"),
        (["majority", "majority"], "named twice"),
        (["evaluation:1", "evaluation:1"], "named twice"),
        ([1, "evaluation:x"], "names no evaluation"),
    ],
)
def test_words_that_say_nothing_to_compare(
    words: list[int | str], message: str, workspace: api.Workspace, writer: Writer
) -> None:
    measured(writer, "a", skilled(1))
    measured(writer, Reference.MAJORITY, predictions(MEANT, ALWAYS))
    with pytest.raises(UsageError, match=message):
        api.compare(workspace, words)


def test_unknown_subjects_and_evaluations_that_have_not_ended(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "a", skilled(1))
    waiting = add_evaluation(writer, 1)
    for word, message in ((99, "no run 99"), ("evaluation:99", "no evaluation 99"), ("base", "not measured")):
        with pytest.raises(JobError, match=message):
            api.compare(workspace, [1, word])
    with pytest.raises(JobError, match="can't be compared"):
        api.compare(workspace, [1, f"evaluation:{waiting}"])


def test_recipes_are_held_against_each_other(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "a", skilled(1))
    measured(writer, "b", skilled(2), recipe={"lora": {"r": 32}, "description": "another"})
    measured(writer, "c", skilled(3))
    with writer._transaction() as connection:
        connection.execute("UPDATE runs SET recipe = '{' WHERE id = 3")
    pairs = api.compare(workspace, [1, 2, 3]).pairs
    assert pairs[0].recipe == (("lora.r", 16, 32),)
    assert pairs[1].recipe is None
    assert "recipe of run 3" in pairs[1].recipe_note


# ----- scale


def test_the_order_of_subjects_and_seeds_change_no_figure(workspace: api.Workspace, writer: Writer) -> None:
    measured(writer, "a", skilled(1))
    measured(writer, "b", skilled(2, 0.8))
    there, again, back = (api.compare(workspace, words).pairs[0] for words in ([1, 2], [1, 2], [2, 1]))
    assert there == again
    assert [each.value for each in there.differences] == pytest.approx([-each.value for each in back.differences])
    assert there.p == pytest.approx(back.p)


def test_a_cut_of_the_outputs_is_compared_as_it_is(workspace: api.Workspace, writer: Writer) -> None:
    """The parts fit together without the store's figures: the same images give the same pair."""
    measured(writer, "a", skilled(1))
    measured(writer, "b", skilled(2))
    with Reader(workspace) as reader:
        found: list[Candidate] = find_subjects(reader, [1, 2])
        loaded = load_outputs(reader, found, [each.evaluations[-1] for each in found])
    assert compare_pairs("Q7", loaded)[0] == api.compare(workspace, [1, 2]).pairs[0]
