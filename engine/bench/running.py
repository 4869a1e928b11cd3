"""Runs a benchmark: data and model once, then one process a side, and what they came to. Light."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.bench.choosing import BenchRequest, side_plans
from engine.bench.data import import_data, write_data
from engine.bench.plan import DATASET, SidePlan, SideResult
from engine.errors import SonotuneError, UsageError
from engine.training.model_files import repository_root, resolve_model
from engine.workspace import Workspace

Tell = Callable[[str], None]
MARK = ">> "
"""As `engine.bench.sides.process` marks lines for the person in front of the screen."""
RANDOM = "random"
"""Weights that are made here."""
LOG_TAIL_LINES = 3


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What all sides came to, in the order in which they were asked for."""

    request: BenchRequest
    sides: Sequence[SideResult]
    folder: Path
    """Where logs and, if kept, model and images lie."""

    def ratio(self, side: SideResult, to: str) -> float | None:
        """Samples a second of a side over those of the side named `to`; None where one of them has none."""
        other = next((each for each in self.sides if each.side == to), None)
        if other is None or not other.samples_per_second or side.samples_per_second is None:
            return None
        return side.samples_per_second / other.samples_per_second

    @property
    def same_answers(self) -> str | None:
        """How many answers of the sides agree, in words; None where fewer than two sides answered."""
        answered = [side.answers for side in self.sides if side.answers]
        if len(answered) < 2 or len({len(answers) for answers in answered}) > 1:
            return None
        alike = sum(len(set(those)) == 1 for those in zip(*answered, strict=True))
        return f"{alike} of {len(answered[0])}"


def run_bench(request: BenchRequest, tell: Tell) -> BenchResult:
    """Run all sides of a request, one after the other; a side that fails is a result with its reason.

    Args:
        request: what is compared.
        tell: hears what is being done.

    Raises:
        SonotuneError: images or model cannot be made.
    """
    with _folder(request.keep) as folder:
        workspace = Workspace(folder / "workspace")
        count = request.image_count
        tell(f"{count} images of 800x600, seed {request.seed}")
        chat = write_data(folder / f"data-{count}-{request.seed}", count, request.seed)
        import_data(workspace, DATASET, chat)
        model, adapter = _model(request, folder, tell)
        results = [
            _run_side(plan, folder, request.timeout, tell)
            for plan in side_plans(request, str(workspace.root), model, adapter)
        ]
        return BenchResult(request, _one_row_a_side(request, results), folder)


def _one_row_a_side(request: BenchRequest, results: Sequence[SideResult]) -> list[SideResult]:
    """The fastest result of each side that was asked for: `unsloth-best` has a process for each precision."""
    rows = []
    for side in request.sides:
        those = [result for result in results if result.side == side]
        best = max(those, key=lambda result: result.samples_per_second or 0)
        tried = [{**dict(each), **_shared(one)} for one in those for each in one.tried]
        failed = [{"failure": one.failure} for one in those if one.failure and one is not best]
        rows.append(replace(best, tried=[*tried, *failed]))
    return rows


def _shared(result: SideResult) -> dict[str, Any]:
    """Settings that all attempts of a process have in common, and others of its side have not."""
    return {key: result.settings[key] for key in ("precision", "gradient_checkpointing") if key in result.settings}


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep = keep.expanduser().resolve()
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="sonotune-bench-") as folder:
        yield Path(folder)


def _model(request: BenchRequest, folder: Path, tell: Tell) -> tuple[str, str]:
    """Folders of the base model and of the adapter, made where they are missing."""
    models = folder / "models"
    models.mkdir(exist_ok=True)
    base = models / f"{request.model}-random"
    words = ["-m", "engine.bench.model", request.model, str(base)]
    if request.weights != RANDOM:
        base = Path(resolve_model(request.weights, Path.cwd()))
        if not base.is_dir():
            raise UsageError(
                f"There is no folder {request.weights}", "A benchmark fetches nothing.", "Give a folder, or `random`."
            )
        words += ["--base", str(base)]
    adapter = models / adapter_name(base)
    if request.kind == "evaluate":
        words += ["--adapter", str(adapter)]
    if not (base / "config.json").is_file() or (request.kind == "evaluate" and not adapter.is_dir()):
        tell(f"Writing {request.model} into {models}")
        code, last = run_process(words, folder / "model.log", request.timeout, tell)
        if code != 0:
            raise SonotuneError(
                "The model of the benchmark could not be made", " ".join(last), f"Its log is {folder / 'model.log'}."
            )
    return str(base), str(adapter) if request.kind == "evaluate" else ""


def adapter_name(base: Path) -> str:
    """Folder of the adapter of a base; two bases in folders of one name have adapters of their own."""
    return f"{base.name}-{hashlib.sha256(str(base.resolve()).encode()).hexdigest()[:12]}-adapter"


def _run_side(plan: SidePlan, folder: Path, timeout: float, tell: Tell) -> SideResult:
    plan_file, result_file = folder / f"{plan.name}.plan.json", folder / f"{plan.name}.result.json"
    plan.write(plan_file)
    result_file.unlink(missing_ok=True)
    words = ["-m", module_of(plan.side), str(plan_file), str(result_file)]
    code, last = run_process(words, folder / f"{plan.name}.log", timeout, tell)
    result = SideResult.read(result_file) if result_file.is_file() else None
    if result is not None and (code == 0 or result.failure is not None):
        return result
    why = f"not done after {timeout:g} s" if code is None else f"ended with code {code}: {' '.join(last)[-300:]}"
    # What it had published by then is what it came to.
    return SideResult(plan.side, failure=why) if result is None else result.ended_early(why)


def first_card(environment: Mapping[str, str]) -> str:
    """What CUDA_VISIBLE_DEVICES must hold for one card: the first of those that are visible.

    In a process that sees several, a Hugging Face trainer spreads the model over all of them without being asked.
    """
    return environment.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0].strip()


def module_of(side: str) -> str:
    """The module that is the process of a side."""
    name = "unsloth" if side.startswith("unsloth") else side.replace("-", "_")
    return f"engine.bench.sides.{name}"


def run_process(words: Sequence[str], log: Path, timeout: float, tell: Tell) -> tuple[int | None, list[str]]:
    """Run a Python process to its end on one GPU at most, its output into `log`.

    Returns:
        Its exit code (None: it was ended after `timeout` seconds), and the last lines that it printed.
    """
    # Run from anywhere: the checkout is on the path by name.
    path = os.pathsep.join(filter(None, (str(repository_root()), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
    environment["CUDA_VISIBLE_DEVICES"] = first_card(os.environ)
    last: list[str] = []
    with (
        log.open("w", encoding="utf-8") as lines,
        subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        ) as process,
    ):
        ended = threading.Timer(timeout, process.kill)
        ended.start()
        try:
            for line in process.stdout or ():
                lines.write(line)
                if line.startswith(MARK):
                    tell(line.removeprefix(MARK).rstrip())
                elif line.strip():
                    last = [*last, line.strip()][-LOG_TAIL_LINES:]
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        finally:
            late = not ended.is_alive()
            ended.cancel()
    return (None if late and code < 0 else code), last
