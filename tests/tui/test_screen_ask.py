"""The Ask screen, with a stand-in for the model: every key, every state, hostile answers."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from ask_helpers import add_trained, asked_workspace
from cli_helpers import no_worker
from data_helpers import png_bytes
from store_helpers import raw
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input
from tui_helpers import HOSTILE, screen_text, until, widget_text, workbench

from engine import api
from engine.api.asking import AskAnswered, AskFailed, AskLoaded, AskToken
from engine.ask.reading import Threshold, read
from engine.ask.wire import Answered
from engine.errors import JobError
from engine.store.writer import Writer
from engine.types import IMPORTED
from engine.workspace import Workspace
from tui.dialogs.choose import Choose
from tui.dialogs.prompt import Prompt
from tui.screens.ask import AskScreen
from tui.screens.ask_choosing import AskChoosing
from tui.screens.ask_history import HistoryTable
from tui.screens.ask_picture import AskPicture
from tui.screens.ask_talk import Whom
from tui.screens.help import HelpScreen
from tui.widgets.lines import Lines

pytestmark = pytest.mark.usefixtures("brisk")
SIZES = [(80, 24), (200, 50), (40, 10)]


class FakeSession:
    """Answers when the test says so."""

    def __init__(self, workspace: Workspace, whom: Whom, deliver: Callable[[Any], None]) -> None:
        self.subject = api.ask_subject(workspace, whom.run, whom.model)
        self.whom, self.deliver = whom, deliver
        self.place_words = ("cpu", "")
        self.asked: list[tuple[api.AskImage, api.AskQuestion]] = []
        self.cancelled: list[int] = []
        self.started, self.closed = False, threading.Event()

    def start(self) -> None:
        self.started = True

    def ask(self, image: api.AskImage, question: api.AskQuestion) -> int:
        self.asked.append((image, question))
        return len(self.asked)

    def cancel(self, ask: int) -> None:
        self.cancelled.append(ask)

    def close(self) -> None:
        self.closed.set()

    # ----- what the test lets it say

    def loads(self) -> None:
        self.deliver(AskLoaded(1.25, "cpu"))

    def says(self, *pieces: str) -> None:
        for piece in pieces:
            self.deliver(AskToken(len(self.asked), piece))

    def ends(self, text: str, **changes: Any) -> None:
        values = {"tokens": 5, "cut_off": False, "cancelled": False, "seconds": 0.9, "first_token_seconds": 0.1}
        answered = Answered(len(self.asked), text, **{**values, **changes})
        image, question = self.asked[-1]
        self.deliver(AskAnswered(len(self.asked), read(self.subject, image, question, answered, Threshold(0.5, 3))))

    def fails(self, *, whole: bool = False) -> None:
        error = JobError("It did [b]not[/b] work", "The reason.\nIts second line.", "Do this now.")
        self.deliver(AskFailed(None if whole else len(self.asked), error))


class Sight:
    """The screen as a user sees it."""

    def __init__(self, pilot: Pilot[Any], sessions: list[FakeSession]) -> None:
        self.pilot, self.sessions = pilot, sessions

    @property
    def screen(self) -> AskScreen:
        return next(screen for screen in self.pilot.app.screen_stack if isinstance(screen, AskScreen))

    @property
    def model(self) -> FakeSession:
        return self.sessions[-1]

    def lines(self, name: str) -> str:
        return widget_text(self.screen.query_one(f"#{name}", Lines))

    @property
    def answer(self) -> str:
        return self.lines("answer")

    @property
    def facts(self) -> str:
        return screen_text(self.pilot.app).splitlines()[1]

    @property
    def history(self) -> str:
        return widget_text(self.screen.query_one(HistoryTable))

    @property
    def drawn(self) -> str:
        wish = self.screen.query_one(AskPicture).drawn
        return "" if wish is None else wish.path

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def until(self, holds: Callable[[], object], what: str) -> None:
        await until(self.pilot, holds, what)

    async def dialog(self, kind: type[Any]) -> Any:
        await self.until(lambda: isinstance(self.pilot.app.screen, kind), kind.__name__)
        return self.pilot.app.screen

    async def ask(self) -> None:
        count = len(self.model.asked)
        await self.press("enter")
        await self.until(lambda: len(self.model.asked) > count, "the question is asked")

    async def answered(self, text: str, **changes: Any) -> None:
        """Ask, and let the model answer at once."""
        await self.ask()
        self.model.ends(text, **changes)
        await self.until(lambda: self.screen._talk.current is None, "the answer has come")

    def toasts(self) -> str:
        return "\n".join(f"{each.title} {each.message}" for each in self.pilot.app._notifications)


def flat(text: str) -> str:
    """Wrapped text on one line."""
    return " ".join(text.replace("┃", " ").split())


@pytest.fixture
def workspace(tmp_path: Path) -> Any:
    found = asked_workspace(tmp_path)
    with no_worker(found):
        yield found


@asynccontextmanager
async def opened(
    workspace: Workspace, size: tuple[int, int] = (80, 24), ready: bool = True, make: Any = FakeSession, **whom: Any
) -> AsyncIterator[Sight]:
    sessions: list[FakeSession] = []

    def made(*arguments: Any) -> FakeSession:
        sessions.append(make(*arguments))
        return sessions[-1]

    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=size, notifications=True) as pilot:
        app.push_screen(AskScreen(**(whom or {"run": 1}), make=made))
        await until(pilot, lambda: any(each.query("#whom") for each in app.screen_stack), "the screen is open")
        sight = Sight(pilot, sessions)
        if ready:
            await sight.until(lambda: sight.sessions and sight.screen._choice, "the model and the images are there")
            sight.model.loads()
            await sight.until(lambda: sight.screen._talk.loaded, "the model is loaded")
        yield sight


# ----- one question


async def test_an_answer_streams_in_and_is_held_against_the_annotation(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        assert "run 1 tuned on base-model" in sight.lines("whom")
        assert "● ready on cpu, loaded in 1.2 s" in sight.lines("whom")
        assert "Q7 detailed Normality / Abnormality" in sight.lines("question")
        assert "Research" in sight.answer and "fetal · Femur_" in sight.facts and "validation 1/" in sight.facts
        await sight.ask()
        image, question = sight.model.asked[0]
        assert (image.split, question.title) == ("validation", "Q7 detailed")
        await sight.until(lambda: "looking at the image" in sight.answer, "it waits")
        sight.model.says("Within", " normal")
        await sight.until(lambda: "Within normal" in sight.answer, "the first words")
        assert "answering … · esc stops" in sight.answer and "read as" not in sight.answer
        sight.model.ends("Within normal limits", p_abnormal=0.25)
        await sight.until(lambda: "Within normal limits" in sight.answer, "the whole answer")
        right = api.listed_image(workspace, sight.screen._choice.items[0].id).answers["Q7"].startswith("Normal")
        for words in ("read as     normal", "annotated", "P(abnormal) 0.250 ████····", "5 tokens, 5/s, first 0.10 s"):
            assert words in sight.answer
        assert ("✓ right" if right else "✗ wrong") in sight.answer
        await sight.press(*["shift+down"] * 12)
        assert "it counts as" in sight.answer and "Research only" in sight.answer
        assert "1 " in sight.history and "Q7 detailed" in sight.history and "normal" in sight.history


async def test_a_question_asked_while_the_model_loads_waits_for_it(workspace: Workspace) -> None:
    async with opened(workspace, ready=False) as sight:
        await sight.until(lambda: sight.sessions and sight.screen._choice, "known, not loaded")
        assert "◌ loading on cpu … 0 s" in sight.lines("whom")
        await sight.ask()
        await sight.until(lambda: "as soon as the model is loaded" in sight.answer, "it waits")
        sight.model.loads()
        sight.model.ends("Normal")
        await sight.until(lambda: "read as" in sight.answer, "answered")


async def test_the_loading_time_is_told_while_it_passes(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    async with opened(workspace, ready=False) as sight:
        await sight.until(lambda: sight.sessions, "a session")
        monkeypatch.setattr(sight.screen._talk, "_clock", lambda: now[0])
        sight.screen._talk._since = 58.0
        sight.screen._ticked()
        await sight.until(lambda: "… 42 s" in sight.lines("whom"), "the time")


async def test_esc_stops_the_answer_first_and_leaves_then(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.ask()
        sight.model.says("half an")
        await sight.until(lambda: "half an" in sight.answer, "streaming")
        await sight.press("enter")
        assert "One question at a time" in sight.toasts() and len(sight.model.asked) == 1
        await sight.press("escape", "escape")
        await sight.until(lambda: sight.model.cancelled == [1], "cancelled once")
        await sight.until(lambda: "stopping …" in sight.answer, "it says so")
        sight.model.ends("half an", cancelled=True)
        await sight.until(lambda: "not the whole answer" in sight.answer, "what there is stays")
        session = sight.model
        await sight.press("escape")
        await sight.until(lambda: not isinstance(sight.pilot.app.screen, AskScreen), "left")
        await sight.until(session.closed.is_set, "the process ends with the screen")


async def test_a_question_that_fails_says_why_and_the_next_one_is_answered(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.ask()
        sight.model.fails()
        await sight.until(lambda: "✗ It did [b]not[/b] work" in sight.answer, "the error")
        assert "Its second line." in sight.answer and "→ Do this now." in sight.answer
        assert "failed" in sight.history
        await sight.answered("Normal")
        assert "read as     normal" in sight.answer


async def test_a_model_that_dies_says_why_and_can_be_opened_again(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.ask()
        sight.model.fails(whole=True)
        await sight.until(lambda: "✗ It did" in sight.lines("whom"), "the error")
        assert "Do this now." in sight.answer
        await sight.press("enter")
        assert len(sight.model.asked) == 1 and "It did" in sight.toasts()
        await sight.press("o")
        await sight.dialog(Choose)
        await sight.press("enter")
        await sight.until(lambda: len(sight.sessions) == 2, "opened again")
        sight.model.loads()
        await sight.until(lambda: "● ready" in sight.lines("whom"), "ready again")


async def test_answers_that_would_steer_the_terminal_do_not(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.ask()
        sight.model.says("\x1b", "[2J", HOSTILE)
        await sight.until(lambda: "wwww" in sight.answer and "[red]x[/red]" in sight.history, "shown as it is")
        sight.model.ends("\x1b[2J" + HOSTILE)
        await sight.until(lambda: "[2J\N{REPLACEMENT CHARACTER}[2J" not in sight.history, "ended")
        assert "[red]x[/red]" in sight.answer
        text = screen_text(sight.pilot.app)
        assert not {each for each in text if ord(each) < 32 and each != "\n"} and "\u202e" not in text


async def test_a_report_is_read_section_by_section(workspace: Workspace) -> None:
    async with opened(workspace, size=(200, 50)) as sight:
        sight.screen.set_question(api.ask_question(sight.model.subject, "report"))
        await sight.ask()
        answers = dict(sight.model.asked[0][0].answers)
        sight.model.ends(f"Imaging Plane: {answers['Q3']}\nImage Quality: Low image quality")
        await sight.until(lambda: "1 of 8 right" in sight.answer, "the sections")
        assert "Q3 ✓ right" in sight.answer and f"Q6 ✗ wrong  annotated: {answers['Q6']}" in sight.answer
        assert "Q1 ? unparseable" in sight.answer


# ----- images


async def test_the_arrows_step_through_the_images_and_s_through_the_splits(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        items = sight.screen._choice.items
        assert len(items) > 1 and {item.split for item in items} == {"validation"}
        await sight.until(lambda: sight.drawn == items[0].path, "the first picture")
        for key, place in (("right", 1), ("l", min(2, len(items) - 1)), ("left", 1), ("h", 0), ("left", 0)):
            if key == "l" and len(items) == 2:
                continue
            if key == "left" and place == 1 and len(items) == 2:
                continue
            await sight.press(key)
            await sight.until(lambda place=place: sight.drawn == items[place].path, f"{key}: picture {place}")
        for split in ("test", "train", "all", "validation"):
            await sight.press("s")
            await sight.until(lambda split=split: sight.screen._choice.split == split, split)
        await sight.answered("Normal")
        assert sight.model.asked[0][0].path == items[0].path


async def test_an_answer_about_another_image_says_so(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        first = sight.screen._choice.items[0].path.rpartition("/")[2]
        await sight.answered("Normal")
        assert f"about {first}" not in sight.answer
        await sight.press("right")
        await sight.until(lambda: f"1 Q7 detailed about {first}" in sight.answer, "it is about the first")
        await sight.press("left")
        await sight.until(lambda: f"about {first}" not in sight.answer, "and here again")


async def test_looking_back_shows_the_answer_with_its_picture(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        items = sight.screen._choice.items
        await sight.answered("Normal")
        await sight.press("right")
        await sight.answered("Abnormal VSD")
        assert "Abnormal VSD" in sight.answer
        await sight.press("up")
        await sight.until(lambda: "read as     normal" in sight.answer, "the first answer")
        await sight.until(lambda: sight.drawn == items[0].path, "the first picture")
        await sight.press("end")
        await sight.until(lambda: "Abnormal VSD" in sight.answer, "the last answer")
        await sight.until(lambda: sight.drawn == items[1].path, "the second picture")


async def test_an_image_can_be_named(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "scan.png"
    file.write_bytes(png_bytes(9))
    async with opened(workspace) as sight:
        await sight.press("i")
        (await sight.dialog(Prompt)).query_one(Input).value = str(file)
        await sight.press("enter")
        await sight.until(lambda: sight.drawn == "scan.png", "the file is drawn")
        assert "file · scan.png" in sight.facts
        await sight.answered("Normal")
        assert sight.model.asked[0][0].file == file.resolve() and "annotated" not in sight.answer
        await sight.press("right")
        await sight.until(lambda: sight.drawn.startswith("Femur/"), "back to the list")
        await sight.press("i")
        (await sight.dialog(Prompt)).query_one(Input).value = "fetal:Femur/Femur_019.png"
        await sight.press("enter")
        await sight.until(lambda: sight.drawn == "Femur/Femur_019.png", "one of the dataset")
        await sight.press("i")
        (await sight.dialog(Prompt)).query_one(Input).value = str(tmp_path / "none.png")
        await sight.press("enter")
        await sight.until(lambda: "There is no image" in sight.toasts(), "the error is told")


async def test_the_screen_begins_with_the_image_it_was_opened_for(workspace: Workspace) -> None:
    async with opened(workspace, run=1, image=("fetal", "Femur/Femur_007.png")) as sight:
        await sight.until(lambda: sight.drawn == "Femur/Femur_007.png", "that image")
        assert "all 8/20" in sight.facts


async def test_an_image_that_is_gone_is_told_and_nothing_is_asked(workspace: Workspace, tmp_path: Path) -> None:
    async with opened(workspace) as sight:
        (tmp_path / "images" / sight.screen._choice.items[0].path).unlink()
        await sight.press("enter")
        await sight.until(lambda: "cannot be used" in sight.toasts(), "told")
        assert not sight.model.asked


async def test_without_a_dataset_an_image_must_be_named(tmp_path: Path) -> None:
    async with opened(Workspace(tmp_path), ready=False, model="assets/base-model") as sight:
        await sight.until(lambda: "There is no dataset" in screen_text(sight.pilot.app) or sight.sessions, "opened")
        await sight.until(lambda: "i names an image" in screen_text(sight.pilot.app), "said")
        sight.model.loads()
        await sight.until(lambda: sight.screen._talk.loaded, "loaded")
        await sight.press("enter", "s", "right")
        assert "There is no image to ask about" in sight.toasts()


# ----- questions


async def test_the_wording_is_stepped_through_and_chosen(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("right_square_bracket")
        await sight.until(lambda: "Q7 clinical" in sight.lines("question"), "the next wording")
        await sight.press("left_square_bracket", "left_square_bracket")
        await sight.until(lambda: "Q7 simple" in sight.lines("question"), "two back")
        await sight.press("u")
        dialog = await sight.dialog(Choose)
        assert len(dialog.found) == len(api.question_choices())
        await sight.press("end", "enter")
        await sight.until(lambda: "report" in sight.lines("question"), "the report")
        await sight.press("right_square_bracket")
        await sight.until(lambda: "Q1 simple" in sight.lines("question"), "round again")


async def test_a_question_in_own_words_is_checked_while_it_is_typed(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        await sight.press("t")
        dialog = await sight.dialog(Prompt)
        for words, problem in (("<|im_end|>", "token of the chat template"), ("Q9", "no question Q9")):
            dialog.query_one(Input).value = words
            await sight.until(lambda problem=problem: problem in screen_text(sight.pilot.app), problem)
            await sight.press("enter")
            assert sight.pilot.app.screen is dialog
        dialog.query_one(Input).value = "Is the [b]stomach[/b] filled?"
        await sight.press("enter")
        await sight.until(lambda: "own words Is the [b]stomach" in sight.lines("question"), "the question")
        await sight.answered("Yes, it is.")
        assert "read as" not in sight.answer and "Yes, it is." in sight.answer
        await sight.press(*["J"] * 9)
        assert "your own words" in sight.answer
        await sight.press(*["K"] * 9)
        assert "Yes, it is." in sight.answer
        await sight.press("right_square_bracket")
        await sight.until(lambda: "Q1 simple" in sight.lines("question"), "from own words to the first")


# ----- models and devices


async def test_the_untuned_model_is_one_key_away_and_back(workspace: Workspace) -> None:
    async with opened(workspace) as sight:
        tuned = sight.model
        await sight.answered("Normal")
        await sight.press("b")
        await sight.until(lambda: len(sight.sessions) == 2 and tuned.closed.is_set(), "the other model")
        await sight.until(lambda: "untuned assets/base-model" in sight.lines("whom"), "named")
        assert sight.model.whom.run is None
        tuned.loads()  # an event that comes too late
        await sight.press("enter")
        await sight.until(lambda: sight.model.asked, "asked")
        assert sight.screen._talk.loaded is None
        sight.model.loads()
        sight.model.ends("Abnormal VSD")
        await sight.until(lambda: "Abnormal VSD" in sight.answer, "answered")
        assert [each.subject for each in sight.screen._talk.exchanges] == ["tuned", "assets/base-model (untuned)"]
        await sight.press("b")
        await sight.until(lambda: len(sight.sessions) == 3, "the run again")
        assert sight.model.whom == Whom(1)


async def test_b_says_so_where_there_is_no_run_to_go_back_to(workspace: Workspace) -> None:
    async with opened(workspace, model="assets/base-model") as sight:
        await sight.press("b")
        assert "o chooses a run" in sight.toasts()


async def test_another_run_is_chosen_among_those_that_can_be_asked(workspace: Workspace) -> None:
    with Writer.open(workspace) as writer:
        add_trained(workspace, writer, "still queued", adapter=False)
    async with opened(workspace) as sight:
        await sight.press("o")
        dialog = await sight.dialog(Choose)
        assert [option.key for option in dialog.found] == [("run", 1), ("model", "assets/base-model")]
        await sight.press("down", "enter")
        await sight.until(lambda: sight.model.whom == Whom(None, "assets/base-model"), "the untuned model")


async def test_a_run_that_cannot_be_asked_says_why(workspace: Workspace) -> None:
    with raw(workspace) as database:
        database.execute("UPDATE runs SET kind = ? WHERE id = 1", (IMPORTED,))
    async with opened(workspace, ready=False) as sight:
        await sight.until(lambda: "✗ Run 1 cannot be asked" in sight.lines("whom"), "told")
        assert "imported from another tool" in flat(sight.answer)
        await sight.press("t", "b", "enter")
        assert "The model is not known yet." in sight.toasts() and "cannot be asked" in sight.toasts()


async def test_with_every_gpu_at_work_the_user_decides(workspace: Workspace) -> None:
    class Busy(FakeSession):
        def __init__(self, place: Workspace, whom: Whom, deliver: Callable[[Any], None]) -> None:
            if whom.device == "auto":
                raise api.BusyDeviceError("A job is at work on the only GPU", "Run 7 (big) has cuda:0.", "Wait.")
            super().__init__(place, whom, deliver)
            self.place_words = ("cuda:0", "Run 7 (big) is at work on cuda:0 too.")

    async with opened(workspace, ready=False, make=Busy) as sight:
        await sight.dialog(Choose)
        await sight.until(lambda: "Run 7 (big)" in sight.toasts(), "told which job")
        await sight.press("escape")
        await sight.until(lambda: "✗ A job is at work" in sight.lines("whom"), "not opened")
        sight.screen.open_talk(Whom(1))
        dialog = await sight.dialog(Choose)
        assert [option.key for option in dialog.found] == ["cpu", "shared"]
        await sight.press("down", "enter")
        await sight.until(lambda: sight.sessions, "opened all the same")
        assert sight.model.whom.device == "shared"
        await sight.until(
            lambda: "at work on cuda:0 too" in sight.lines("whom").replace("\n", " "), "the warning stays"
        )


async def test_a_session_that_was_made_too_late_is_let_go(workspace: Workspace) -> None:
    held, sessions = threading.Event(), []

    def slow(*arguments: Any) -> FakeSession:
        held.wait(20)
        sessions.append(FakeSession(*arguments))
        return sessions[-1]

    app = workbench(workspace)
    async with app.run_test(size=(80, 24)) as pilot:
        app.push_screen(AskScreen(1, make=slow))
        await until(pilot, lambda: getattr(getattr(app.screen, "_talk", None), "_opening", None), "it opens")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, AskScreen), "left")
        held.set()
        await until(pilot, lambda: sessions and sessions[0].closed.is_set(), "let go")


# ----- the frame


async def test_the_key_a_asks_the_run_under_the_cursor(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_for: list[Whom] = []
    monkeypatch.setattr(AskScreen, "open_talk", lambda self, whom: opened_for.append(whom))
    app = workbench(workspace)
    app.poller._poll = 0.02
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "tuned" in screen_text(app), "the list of runs")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen) and opened_for, "the screen")
        assert opened_for == [Whom(1)]
        await pilot.press("escape", "enter")
        await until(pilot, lambda: "gradient" in screen_text(app) or "loss" in screen_text(app), "the run screen")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen), "from the run too")


@pytest.mark.parametrize("size", SIZES)
async def test_it_can_be_used_in_every_size(workspace: Workspace, size: tuple[int, int]) -> None:
    async with opened(workspace, size=size) as sight:
        await sight.answered("Within normal limits", p_abnormal=0.9)
        text = screen_text(sight.pilot.app)
        assert "Within normal limits" in text
        assert all(len(line) <= size[0] for line in text.splitlines())
        if size[1] >= 24:
            assert "read as" in text and "outcome" in text and "P(abnormal)" in text and "enter ask" in text


async def test_every_key_has_a_name_and_stands_in_the_help(workspace: Workspace) -> None:
    bindings = [each for each in (*AskScreen.BINDINGS, *AskChoosing.BINDINGS) if isinstance(each, Binding)]
    assert all(each.id and each.id.startswith("ask.") for each in bindings)
    assert len({each.id for each in bindings}) == len(bindings)
    async with opened(workspace, size=(200, 50)) as sight:
        await sight.press("question_mark")
        await sight.dialog(HelpScreen)
        text = screen_text(sight.pilot.app)
        assert [each.id for each in bindings if str(each.id) not in text] == []
