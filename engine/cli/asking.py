"""`sonotune ask`: one question about one image, the answer as it comes, and what it is worth."""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from engine import api
from engine.cli.console import RESEARCH_NOTE, print_json, say
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError
from engine.questions.vocabulary import NORMALITY
from engine.text import one_line, plain

LABEL_CELLS = 13
MOST_TOKENS = 8192

Run = Annotated[str | None, typer.Argument(metavar="[RUN]", help="Number or name of the run.")]
Image = Annotated[str, typer.Option("--image", metavar="FILE|DATASET:PATH", help="PNG or JPEG, or one of a dataset.")]
Question = Annotated[str, typer.Option("--question", help="Q1 to Q8, report, or a question in your own words.")]
Wording = Annotated[str | None, typer.Option("--prompt", help="Wording of the question [default: the run's].")]
Base = Annotated[str | None, typer.Option("--base", metavar="MODEL", help="Ask this untuned model instead of a run.")]
Limit = Annotated[
    int | None, typer.Option("--max-new-tokens", min=1, max=MOST_TOKENS, help="Longest answer [default: the recipe's].")
]
Device = Annotated[str, typer.Option(help="auto, cpu, or shared: a GPU even where a job is at work on it.")]


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(ask)


def ask(
    context: typer.Context,
    run: Run = None,
    image: Image = ...,  # type: ignore[assignment]  # typer's mark of what must be given
    question: Question = NORMALITY,
    prompt: Wording = None,
    base: Base = None,
    max_new_tokens: Limit = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask a run's adapter, or the untuned model, about one image. Ctrl+C ends the answer."""
    if device not in api.ASK_DEVICES:
        raise UsageError(f"There is no device {device}", next_step=f"Choose: {', '.join(api.ASK_DEVICES)}.")
    workspace = workspace_of(context)
    shown = api.ask_image(workspace, image)
    events: queue.SimpleQueue[api.AskEvent] = queue.SimpleQueue()
    session = api.AskSession(workspace, run, base, deliver=events.put, device=device)
    asked = api.ask_question(session.subject, question, prompt)
    stream = not as_json and sys.stdout.isatty()
    try:
        session.start()
        _say_who(session)
        number = session.ask(shown, asked, max_new_tokens)
        read = _follow(events, lambda: session.cancel(number), stream)
    finally:
        session.close()
    if as_json:
        print_json(as_document(session.subject, read))
    else:
        _print(read, streamed=stream)
    if read.answer.cancelled:
        raise typer.Exit(1)


def _say_who(session: api.AskSession) -> None:
    if session.place.note:
        say(session.place.note, "yellow")
    say(f"Loading {session.subject.name} on {session.place.device} ...", "dim")


def _follow(events: queue.SimpleQueue[api.AskEvent], cancel: Callable[[], None], stream: bool) -> api.ReadAnswer:
    """Wait for the answer; with `stream`, show it as it comes.

    Raises:
        SonotuneError: why there is none.
        KeyboardInterrupt: before there was anything to cancel, or for the second time.
    """
    loaded = interrupted = False
    while True:
        try:
            event = events.get()
        except KeyboardInterrupt:
            if interrupted or not loaded:
                raise
            interrupted = True
            cancel()
            continue
        if isinstance(event, api.AskFailed):
            raise event.error
        if isinstance(event, api.AskAnswered):
            return event.read
        if isinstance(event, api.AskLoaded):
            loaded = True
            say(f"Ready after {event.seconds:.1f} s on {event.device}.", "dim")
        elif stream:
            sys.stdout.write(plain(event.text))
            sys.stdout.flush()


def _print(read: api.ReadAnswer, streamed: bool) -> None:
    """The answer, where it has not been shown yet, and what is to be known of it."""
    text = "" if streamed else plain(read.answer.text)
    lines = [text, "", *(f"{label:{LABEL_CELLS}}{words}" for label, words in facts(read)), "", RESEARCH_NOTE]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def facts(read: api.ReadAnswer) -> list[tuple[str, str]]:
    """What is to be known of an answer, as labels and words fit for a terminal."""
    answer, found = read.answer, [("question", one_line(read.question.title))]
    where = read.image.path if read.image.dataset is None else f"{read.image.dataset}:{read.image.path}"
    found.append(("image", one_line(where) + (f" ({read.image.split})" if read.image.split else "")))
    if read.said is not None:
        found.append(("read as", _value(read.said.value)))
    if read.target is not None and read.meant is not None and read.outcome is not None:
        found.append(("target", f"{one_line(read.target)} ({_value(read.meant.value)})"))
        found.append(("outcome", read.outcome.replace("_", " ")))
    if read.sections:
        right = [name for name, outcome in read.sections.items() if outcome == "right"]
        found.append(("sections", f"{len(right)} of {len(read.sections)} right: {', '.join(right) or 'none'}"))
    if answer.p_abnormal is not None:
        found.append(("P(abnormal)", f"{answer.p_abnormal:.3f}, among {len(answer.probabilities)} answers"))
    found.append(("speed", speed(answer)))
    return [*found, *(("note", one_line(note)) for note in read.notes)]


def _value(value: str) -> str:
    """What was read, on one line; that of a report has a line for each section."""
    return one_line(value.replace("\n", "; "))


def speed(answer: api.Answered) -> str:
    """Tokens, tokens a second and the time to the first one."""
    words = f"{answer.tokens} tokens"
    if answer.tokens_per_second is not None:
        words += f", {answer.tokens_per_second:.1f} tokens/s"
    if answer.first_token_seconds is not None:
        words += f", the first after {answer.first_token_seconds:.2f} s"
    return words


def as_document(subject: api.AskSubject, read: api.ReadAnswer) -> dict[str, Any]:
    """Everything as JSON takes it; texts are raw."""
    answer, image = read.answer, read.image
    return {
        "run": subject.run_id,
        "name": subject.name,
        "model": subject.model,
        "quantization": subject.quantization,
        "image": {"file": image.file, "dataset": image.dataset, "path": image.path, "split": image.split},
        "question": read.question.question,
        "prompt": read.question.variant or None,
        "prompt_text": read.question.text,
        "image_size": subject.image_size,
        "text": answer.text,
        "cut_off": answer.cut_off,
        "cancelled": answer.cancelled,
        "tokens": answer.tokens,
        "seconds": answer.seconds,
        "first_token_seconds": answer.first_token_seconds,
        "tokens_per_second": answer.tokens_per_second,
        "read_as": None if read.said is None else read.said.value,
        "read_status": None if read.said is None else read.said.status,
        "target": read.target,
        "target_read_as": None if read.meant is None else read.meant.value,
        "outcome": read.outcome,
        "sections": dict(read.sections),
        "p_abnormal": answer.p_abnormal,
        "probabilities": dict(answer.probabilities),
        "notes": read.notes,
        "research_note": RESEARCH_NOTE,
    }
