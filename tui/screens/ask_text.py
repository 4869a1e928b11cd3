"""What the Ask screen says in words: whom, what, the answer and what it is worth."""

from __future__ import annotations

from engine import api
from tui.screens.ask_talk import Exchange, Talk
from tui.text import bar, counted, cut
from tui.widgets.lines import Paragraph

LABEL_CELLS = 12
BAR_CELLS = 16
NAME_CELLS = 60
MARKS = {"right": ("✓ right", "good"), "wrong": ("✗ wrong", "bad")}
RESEARCH = "Research only, not for clinical use."
NOTHING_YET: tuple[Paragraph, ...] = (
    [("enter", "accent"), (" asks the question about the image.", "dim")],
    [("← →", "accent"), ("   other images        ", "dim"), ("[ ]", "accent"), (" other questions", "dim")],
    [("t", "accent"), ("     your own words      ", "dim"), ("o", "accent"), ("   another model", "dim")],
    [],
    [("A single answer is a look, not a measurement: the leaderboard has the figures. " + RESEARCH, "dim")],
)


def whom(talk: Talk) -> list[Paragraph]:
    """The model, and whether it is ready."""
    subject, wanted = talk.subject, talk.whom
    if subject is not None:
        head: Paragraph = (
            [("untuned ", "dim"), (cut(subject.model, NAME_CELLS), "bold")]
            if subject.run_id is None
            else [
                (f"run {subject.run_id} ", "dim"),
                (cut(subject.name, NAME_CELLS), "bold"),
                (f" on {subject.model.rpartition('/')[2]}", "dim"),
            ]
        )
    else:
        head = [(f"run {wanted.run}" if wanted.run is not None else cut(wanted.model or "", NAME_CELLS), "bold")]
    return [head, *_state(talk)]


def _state(talk: Talk) -> list[Paragraph]:
    if talk.error is not None:
        return [[("✗ ", "bad"), (talk.error.title, "bad")]]
    device, note = talk.place
    told: list[Paragraph] = [[("! ", "warn"), (note, "warn")]] if note and talk.subject is not None else []
    if talk.loaded is not None:
        return [
            [("● ready ", "good"), (f"on {talk.loaded.device}, loaded in {talk.loaded.seconds:.1f} s", "dim")],
            *told,
        ]
    seconds = talk.loading_seconds
    if seconds is None:
        return []
    words = f"on {device} " if talk.subject is not None else ""
    return [[("◌ loading ", "warn"), (f"{words}… {int(seconds)} s", "dim")], *told]


def question(asked: api.AskQuestion | None) -> list[Paragraph]:
    """The question that enter would ask."""
    if asked is None:
        return [[("…", "dim")]]
    if asked.question is None:
        return [[("own words ", "accent"), (asked.text, "text")]]
    return [[(f"{asked.title} ", "accent"), (asked.text, "text")]]


def answer(exchange: Exchange | None, talk: Talk, here: bool = True) -> list[Paragraph]:
    """An answer as far as it has come, and what is known of it.

    Args:
        exchange: the question; None: nothing has been asked.
        talk: the conversation.
        here: it is about the picture and the question that are on the screen.
    """
    if exchange is None:
        return _why_not(talk.error) if talk.error is not None else list(NOTHING_YET)
    paragraphs: list[Paragraph] = [] if here else [_about(exchange)]
    paragraphs += [[(line, "bold")] for line in exchange.text.split("\n")] if exchange.text else []
    if exchange.open:
        return [*paragraphs, [(_waiting(exchange, talk), "warn")]]
    paragraphs += [[]] if paragraphs else []
    if exchange.error is not None:
        return [*paragraphs, *_why_not(exchange.error)]
    if exchange.read is None:
        return paragraphs
    return [*paragraphs, *_facts(exchange.read), *_notes(exchange.read), [(RESEARCH, "dim")]]


def _about(exchange: Exchange) -> Paragraph:
    """Which question was answered, where the screen shows another one by now."""
    name = exchange.image.path.rpartition("/")[2]
    return [
        (f"{exchange.number} ", "dim"),
        (cut(exchange.question.title, NAME_CELLS), "accent"),
        (f" about {name}", "warn"),
    ]


def _waiting(exchange: Exchange, talk: Talk) -> str:
    if talk.stopping:
        return "stopping …"
    if talk.loaded is None:
        return "asked as soon as the model is loaded · esc takes it back"
    return "answering … · esc stops" if exchange.text else "looking at the image … · esc stops"


def _why_not(error: api.SonotuneError) -> list[Paragraph]:
    found: list[Paragraph] = [[("✗ ", "bad"), (error.title, "bad")]]
    found += [[("  ", "text"), (line, "text")] for line in error.reason.split("\n") if line.strip()]
    return [*found, [("→ ", "accent"), (error.next_step, "accent")]] if error.next_step else found


def _label(name: str) -> tuple[str, str]:
    return f"{name:{LABEL_CELLS}}", "dim"


def _facts(read: api.ReadAnswer) -> list[Paragraph]:
    found = _sections(read) if read.sections else _reading(read)
    chance = read.answer.p_abnormal
    if chance is not None:
        filled = bar(chance, BAR_CELLS).rstrip()
        rest = "·" * (BAR_CELLS - len(filled))
        found.append([_label("P(abnormal)"), (f"{chance:.3f} ", "text"), (filled, "accent"), (rest, "track")])
    return [*found, [_label("speed"), (speed(read.answer), "dim")]]


def _reading(read: api.ReadAnswer) -> list[Paragraph]:
    found: list[Paragraph] = []
    if read.said is not None:
        found.append([_label("read as"), (one_value(read.said.value), "text")])
    if read.target is not None and read.meant is not None:
        found.append([_label("annotated"), (one_value(read.target), "text")])
    if read.outcome is not None:
        found.append([_label("outcome"), outcome_words(read.outcome)])
    return found


def _sections(read: api.ReadAnswer) -> list[Paragraph]:
    """A report, section by section: what was written, and where it is not right, what is annotated."""
    right = sum(outcome == "right" for outcome in read.sections.values())
    found: list[Paragraph] = [[_label("sections"), (f"{right} of {len(read.sections)} right", "text")]]
    for name, outcome in read.sections.items():
        words, tone = outcome_words(outcome)
        annotated = "" if outcome == "right" else f"  annotated: {read.image.answers.get(name, '')}"
        found.append([(f"  {name} ", "accent"), (words, tone), (annotated, "dim")])
    return found


def outcome_words(outcome: str) -> tuple[str, str]:
    """What became of an answer, with a mark, and its tone."""
    return MARKS.get(outcome, (f"? {outcome.replace('_', ' ')}", "warn"))


def one_value(value: str) -> str:
    """What was read, on one line; a report has a line for each section."""
    return value.replace("\n", "; ")


def speed(answered: api.Answered) -> str:
    """Tokens, tokens a second, time to the first one."""
    words = [counted(answered.tokens, "token")]
    if answered.tokens_per_second is not None:
        words.append(f"{answered.tokens_per_second:.0f}/s")
    if answered.first_token_seconds is not None:
        words.append(f"first {answered.first_token_seconds:.2f} s")
    return ", ".join(words)


def _notes(read: api.ReadAnswer) -> list[Paragraph]:
    return [[("! ", "warn"), (note, "warn")] for note in read.notes]
