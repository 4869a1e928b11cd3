"""`python -m engine.training.measuring RECIPE.json --workspace DIR`: measures what a few steps of a recipe really take.

A process of its own, beside the queue, as the asking process is: it writes nothing into the workspace, says each part
of its work as a line (`engine.training.measure_memory.wire`) and ends. `engine.api.MemoryMeasurement` starts it, looks
that no job has the card, and keeps the result; whoever starts it by hand looks for himself.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.data.manifest import open_dataset
from engine.errors import SonotuneError
from engine.private_files import keep_files_private
from engine.recipe import Recipe, recipe_from_json
from engine.training.backends import UNSLOTH
from engine.training.measure_memory.wire import MeasureFailed, MeasureMessage, MeasureStage, encode
from engine.training.model_files import resolve_model
from engine.training.start import choose_for_this_machine, computation_on, prepare_environment
from engine.types import Split
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.training.measure_memory.probe import Say

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure once; 0 when there is a result, also one of too little memory, 1 when there is none."""
    parser = argparse.ArgumentParser("python -m engine.training.measuring", description="Measure a recipe's memory.")
    parser.add_argument("recipe", type=Path, help="the recipe as JSON")
    parser.add_argument("--workspace", required=True, help="folder with runs.db and datasets/")
    parser.add_argument("--watched", action="store_true", help="end when the standard input ends")
    given = parser.parse_args(arguments)
    workspace = Workspace.find(given.workspace)
    prepare_environment()
    if given.watched:
        threading.Thread(target=_end_with_input, name="watch", daemon=True).start()
    say = _sender(_own_output())
    try:
        recipe = recipe_from_json(given.recipe.read_text(encoding="utf-8"), given.recipe.name)
        _measure(workspace, recipe, say)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - told to whoever measures
        say(_failed(error))
        return 1
    return 0


def _measure(workspace: Workspace, recipe: Recipe, say: Say) -> None:
    say(MeasureStage("starting"))
    dataset = open_dataset(workspace, recipe.data.dataset)
    source = resolve_model(recipe.model.id, workspace.root)
    device, choice = choose_for_this_machine(recipe, source)
    if choice.backend == UNSLOTH:
        # Before trl, transformers and peft, which it changes.
        import unsloth  # noqa: F401
    computation = computation_on(workspace, recipe, dataset, source, device, choice)
    from engine.training.measure_memory.probe import Probe, measure

    say(measure(Probe(recipe, source, computation, device, dataset.cases(Split.TRAIN)), say))


def _failed(error: Exception) -> MeasureFailed:
    """The error as the user is told of it; its traceback goes to the standard error."""
    if isinstance(error, SonotuneError):
        return MeasureFailed(error.title, error.reason, error.next_step)
    sys.stderr.write(traceback.format_exc())
    return MeasureFailed("The recipe could not be measured", f"{type(error).__name__}: {error}")


def _own_output() -> BinaryIO:
    """The standard output for messages alone: whatever a library prints goes to the standard error instead."""
    stream = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return stream


def _sender(stream: BinaryIO) -> Say:
    def say(message: MeasureMessage) -> None:
        try:
            stream.write(encode(message))
        except BrokenPipeError:
            os._exit(0)  # nobody is there to be told

    return say


def _end_with_input() -> None:
    """End at once, whatever is going on, when whoever holds the other end of the standard input is gone."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    keep_files_private()
    sys.exit(main())
