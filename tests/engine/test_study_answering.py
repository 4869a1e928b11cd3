"""The word of an answer, and what a study has answered in a line for each of its decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_helpers import control_characters
from compare_helpers import targets
from study_analysis_helpers import Lab, arms, from_probabilities, skilled, studied
from study_result_helpers import hostile, incomplete, rich

from engine.api.study_history import rule_warning
from engine.study.answering import WORDS, answer_word, by_ask, declared_late, summaries
from engine.study.results import Answer, Estimate, StudyResult

SHOWN_UP, SHOWN_DOWN, NOT_SHOWN = (0.01, 0.2, 0.01), (-0.2, -0.01, 0.01), (-0.1, 0.2, 0.3)


def answer(kind: str, word: str, question: str = "Q7", arm: str = "a", than: str = "none", ask: str = "?") -> Answer:
    """An answer of that kind that comes to that word."""
    low, high, p = {"better": SHOWN_UP, "worse": SHOWN_DOWN, "not distinguishable": NOT_SHOWN}.get(word, SHOWN_UP)
    if kind == "better" and word == "no":
        low, high, p = SHOWN_DOWN
    found = None if word == "waiting" else Estimate((low + high) / 2, low, high, 50)
    holds = {"yes": True, "better": True, "no": False, "worse": False}.get(word)
    tested = p if kind in ("better", "each") and found is not None else None
    return Answer(ask, kind, question, "auroc", arm, than, "", holds, found, tested, tested, waiting=word == "waiting")


def lines(*answers: Answer) -> tuple[str, ...]:
    return summaries(result(*answers))


def result(*answers: Answer) -> StudyResult:
    return replace(rich(), answers=answers)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("better", ("yes", "no", "not distinguishable", "waiting")),
        ("each", ("better", "worse", "no", "not distinguishable", "waiting")),
        ("non_inferior", ("yes", "no", "cannot be decided", "waiting")),
        ("at_least", ("yes", "no", "cannot be decided", "waiting")),
    ],
)
def test_every_kind_has_its_words(kind: str, words: tuple[str, ...]) -> None:
    assert tuple(answer_word(answer(kind, word)) for word in words) == words
    assert set(words) <= set(WORDS)


def test_a_figure_that_is_undefined_is_not_waited_for() -> None:
    """Both lack a difference: only one of them will ever have it."""
    undefined = replace(answer("better", "waiting"), waiting=False)
    assert answer_word(undefined) == "cannot be decided"
    assert answer_word(
        replace(answer("better", "yes"), difference=Estimate(0.1, float("nan"), 0.2, 5), holds=None)
    ) == ("cannot be decided")


def test_one_answer_is_told_with_both_sides() -> None:
    assert lines(answer("better", "yes", arm="tuned", than="majority_by_view")) == (
        "tuned against majority by view: yes",
    )
    assert lines(answer("at_least", "no", arm="2B", than="")) == ("2B: no",)


def test_of_any_arm_those_that_differ_are_named_and_the_others_counted() -> None:
    same = [answer("each", "not distinguishable", arm=f"arm {place}") for place in range(6)]
    assert lines(*same) == ("none of 6 arms is distinguishable from none",)
    assert lines(same[0]) == ("arm 0 is not distinguishable from none",)
    mixed = [answer("each", "worse", arm="focal loss"), *same[:4], answer("each", "better", arm="weighted loss")]
    assert lines(*mixed) == ("weighted loss better, focal loss worse, 4 not distinguishable (against none)",)
    many = [answer("each", "worse", arm=f"arm {place}") for place in range(5)]
    assert lines(*many, answer("each", "waiting"), answer("each", "no", arm="x")) == (
        "arm 0 worse, arm 1 worse, arm 2 worse, 2 more worse, x not better, 1 waiting (against none)",
    )
    other = [answer("each", "better", "Q6", arm="b"), answer("each", "worse", "Q6", arm="c")]
    assert lines(*same, *other) == (
        "Q7: none of 6 arms is distinguishable from none; Q6: b better, c worse (against none)",
    )


def test_a_decision_that_is_asked_for_each_question_is_one_line() -> None:
    words = {"Q1": "yes", "Q2": "cannot be decided", "Q3": "yes", "Q4": "yes", "Q6": "no", "Q8": "waiting"}
    found = [
        answer("non_inferior", word, question, f"{question} alone", "all", f"Is it worse for {question} alone?")
        for question, word in words.items()
    ]
    other = answer("non_inferior", "yes", "Q7", "b", "a", "Is b worse than a?")
    assert lines(*found, other) == (
        "yes for Q1 Q3 Q4, no for Q6, not decided for Q2, waiting for Q8",
        "b against a: yes",
    )
    assert len(by_ask((*found, other))) == 7, "each question is asked in words of its own"


def test_what_is_asked_of_several_arms_stands_once() -> None:
    found = by_ask(rich().answers)
    assert list(found) == list(dict.fromkeys(each.ask for each in rich().answers))
    assert [len(answers) for answers in found.values()] == [1, 2, 1, 1, 1, 1, 1]


def test_lines_hold_no_control_characters() -> None:
    text = "".join(summaries(hostile()))
    assert "alert" in text and not control_characters(text)
    assert summaries(replace(rich(), answers=())) == ()
    assert "1 waiting" in summaries(incomplete())[1]


def test_a_rule_that_was_declared_late_is_known_by_its_warning() -> None:
    undeclared: Any = SimpleNamespace(launches=())
    given = rule_warning(undeclared, 2)
    assert declared_late(replace(rich(), warnings=("Another.", given)))
    assert declared_late(replace(rich(), warnings=("The rule of decision was changed on 2026-11-02.",)))
    assert not declared_late(replace(rich(), warnings=("Only 4 abnormal cases.",)))


# ----- as the analysis gives them


@pytest.fixture
def lab(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(tmp_path, request.param)
    yield made
    made.writer.close()


DECLARED = arms("old", "new") + "\n".join(
    f'\n[[decide]]\nask = "{kind}"\nkind = "{kind}"\narm = "new"\nfigure = "accuracy"\n{words}'
    for kind, words in (
        ("non_inferior", 'than = "old"\nmargin = 0.12'), ("at_least", "threshold = 0.7"), ("better", 'than = "old"'),
    )
)  # fmt: skip


@studied(DECLARED)
def test_the_analysis_says_what_an_interval_is_held_against_and_what_is_waited_for(lab: Lab) -> None:
    meant = targets(120, abnormal=4)
    lab.measure("old", from_probabilities(meant, skilled(meant, 1, 2.0)))
    begun = lab.result().answers
    assert [answer_word(each) for each in begun] == ["waiting"] * 3
    assert [each.bound for each in begun] == [-0.12, 0.7, None]
    lab.measure("new", from_probabilities(meant, skilled(meant, 1, 2.0)))
    done = lab.result().answers
    assert [each.bound for each in done] == [-0.12, 0.7, None]
    assert [answer_word(each) for each in done] == ["yes", "yes", "not distinguishable"], "the same answers twice"
