"""What people attach to runs: names, tags and notes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.api.reading import open_reader
from engine.errors import UsageError
from engine.store.records import Note
from engine.store.writer import Writer
from engine.text import one_line, without_controls
from engine.workspace import Workspace

LONGEST_TAG = 40
MOST_TAGS = 20
"""A run with more tags is found under none of them."""
LONGEST_NOTE = 5_000


def rename_run(workspace: Workspace, run: int | str, name: str) -> str:
    """Give a run another name; its folder and its recipe stay. Returns a sentence that says so.

    Raises:
        UsageError: no run may have this name (the rule is that of recipes).
        JobError: there is no such run, or another run has that name.
    """
    from engine.recipe import check_name  # pydantic, which tags and notes do without

    name = name.strip()
    check_name(name)
    run_id = _run_id(workspace, run)
    with Writer.open(workspace) as writer:
        before = writer.rename_run(run_id, name)
    if before == name:
        return f"Run {run_id} is named {name} already."
    return f"Run {run_id} is named {name} now; it was {before}. Its folder keeps its name."


def tag_run(workspace: Workspace, run: int | str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> list[str]:
    """Give a run tags and take others away, all of it or nothing.

    Args:
        workspace: where the run is recorded.
        run: number or name of the run.
        add: tags of 1 to 40 printable characters, without commas and without spaces at the ends; it may have them.
        remove: tags that it has.

    Returns:
        The tags that it has now, in alphabetical order.

    Raises:
        JobError: there is no such run.
        UsageError: with all problems at once; nothing was changed.
    """
    wanted, unwanted = list(dict.fromkeys(add)), list(dict.fromkeys(remove))
    run_id = _run_id(workspace, run)
    result: set[str] = set()

    def change(present: Collection[str]) -> Collection[str]:
        result.update(present)
        result.difference_update(unwanted)
        result.update(wanted)
        problems = _tag_problems(present, wanted, unwanted, len(result))
        if problems:
            raise UsageError(
                f"The tags of run {run_id} were not changed", "\n".join(f"- {problem}" for problem in problems)
            )
        return result

    with Writer.open(workspace) as writer:
        writer.change_tags(run_id, change)
    return sorted(result)


def _tag_problems(present: Collection[str], add: list[str], remove: list[str], count: int) -> list[str]:
    problems = [f"{_quoted(tag)}: {problem}" for tag in add if (problem := _tag_problem(tag))]
    problems += [f"{_quoted(tag)}: to be added and to be removed" for tag in add if tag in remove]
    problems += [f"{_quoted(tag)}: the run has no such tag" for tag in remove if tag not in present and tag not in add]
    if count > MOST_TAGS:
        problems.append(f"it would have {count} tags; at most {MOST_TAGS} are kept")
    return problems


def _quoted(tag: str) -> str:
    text = one_line(tag)
    return f'"{text if len(text) <= LONGEST_TAG else text[: LONGEST_TAG - 1] + "…"}"'


def _tag_problem(tag: str) -> str:
    """What is wrong with a tag; "" where nothing is."""
    if not 1 <= len(tag) <= LONGEST_TAG:
        return f"{len(tag)} characters; a tag has 1 to {LONGEST_TAG}"
    if not tag.isprintable():
        return "has characters that cannot be printed"
    if tag != tag.strip():
        return "begins or ends with a space"
    return "has a comma, which separates tags" if "," in tag else ""


def add_note(workspace: Workspace, run: int | str, text: str) -> int:
    """Attach a note to a run; control characters are left out, line breaks stay. Returns the number of the note.

    Raises:
        JobError: there is no such run.
        UsageError: nothing is left of the text, or it has more than 5,000 characters.
    """
    kept = without_controls(text).strip()
    if not 1 <= len(kept) <= LONGEST_NOTE:
        raise UsageError(
            f"The note has {len(kept)} characters", f"A note has 1 to {LONGEST_NOTE}.", "Nothing was written."
        )
    run_id = _run_id(workspace, run)
    with Writer.open(workspace) as writer:
        return writer.add_note(run_id, kept)


def notes(workspace: Workspace, run: int | str) -> list[Note]:
    """Notes on a run, oldest first; their text is untrusted. JobError where there is no such run."""
    with open_reader(workspace) as reader:
        return reader.notes(reader.run(run).id)


def _run_id(workspace: Workspace, run: int | str) -> int:
    with open_reader(workspace) as reader:
        return reader.run(run).id
