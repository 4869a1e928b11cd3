from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "pandas",
    "unsloth",
    "textual",
    "sqlite_utils",
    "scipy",
    "sklearn",
)
LIGHT_MODULES = (
    "engine.api",
    "engine.store.reader",
    "engine.jobs.worker",
    "engine.recipe",
    "engine.questions.parsing",
    "engine.cli",
)
NOT_BEFORE_THE_FIRST_PAINT = (
    "numpy",
    "PIL",
    "pydantic",
    "pyarrow",
    "scipy",
    "sklearn",
    "sqlite_utils",
    "torch",
    "pandas",
    "typer",
    "psutil",
    "sqlite3",
    "engine.store",
)

PROBE = """
import importlib, importlib.abc, json, pkgutil, sys

wanted, forbidden, everything = json.loads(sys.argv[1])
importers = {}

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in forbidden and name not in importers:
            chain, frame = [], sys._getframe(1)
            while frame is not None:
                module = frame.f_globals.get("__name__", "")
                if not module.startswith(("importlib", "_frozen", "__main__")):
                    chain.append(f"{module}:{frame.f_lineno}")
                frame = frame.f_back
            importers[name] = " <- ".join(chain)
        return None

sys.meta_path.insert(0, Watch())
module = importlib.import_module(wanted)
if everything:
    for each in pkgutil.walk_packages(module.__path__, wanted + "."):
        importlib.import_module(each.name)
print(json.dumps({name: importers.get(name, "?") for name in forbidden if name in sys.modules}))
"""


def imported(module: str, forbidden: tuple[str, ...], *, everything: bool = False, path: Path = REPOSITORY) -> object:
    """Which of the forbidden modules an import brings into a fresh interpreter, each with the lines that did it."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(path)}
    result = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps([module, forbidden, everything])],
        capture_output=True,
        text=True,
        env=environment,
        cwd=path,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.parametrize("module", LIGHT_MODULES)
def test_light_modules_import_nothing_heavy(module: str) -> None:
    assert imported(module, HEAVY) == {}


@pytest.mark.parametrize("module", ["tui.app", "tui.screens.runs", "tui.driver", "tui.guard", "tui.leaving"])
def test_the_workbench_paints_before_it_loads_anything_heavy(module: str) -> None:
    assert imported(module, NOT_BEFORE_THE_FIRST_PAINT) == {}


def test_the_way_to_the_workbench_loads_no_other_command() -> None:
    assert imported("engine.cli.entry", ("typer", "click", "rich", "textual", "engine.cli.app", "engine.api")) == {}


@pytest.mark.parametrize("package", ["engine.questions", "engine.scoring", "engine.filtering"])
def test_questions_and_scoring_know_neither_database_nor_model(package: str) -> None:
    assert imported(package, ("sqlite3", "torch", "transformers"), everything=True) == {}


def test_the_probe_names_who_imports_what_is_forbidden(tmp_path: Path) -> None:
    (tmp_path / "outer.py").write_text("import inner\n")
    (tmp_path / "inner.py").write_text("\nimport wave\n")
    assert imported("outer", ("wave", "sunau"), path=tmp_path) == {"wave": "inner:2 <- outer:1"}


def engine_files() -> list[Path]:
    return sorted((REPOSITORY / "engine").rglob("*.py"))


def imports_of(source: str) -> Iterator[str]:
    """Absolute names of all modules that a source imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or ""


def imports_screens(source: str) -> bool:
    return any(name.partition(".")[0] == "tui" for name in imports_of(source))


def test_no_part_of_the_engine_but_the_command_line_imports_the_screens() -> None:
    files = engine_files()
    assert len(files) > 50
    cli = REPOSITORY / "engine" / "cli"
    guilty = [file for file in files if not file.is_relative_to(cli) and imports_screens(file.read_text())]
    assert [str(file.relative_to(REPOSITORY)) for file in guilty] == []


def test_one_function_of_the_command_line_opens_the_screens() -> None:
    functions = [
        (file.name, node.name)
        for file in sorted((REPOSITORY / "engine" / "cli").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        and imports_screens(ast.unparse(node))
    ]
    outside = [file for file in (REPOSITORY / "engine" / "cli").rglob("*.py") if imports_screens(top_level(file))]
    assert functions == [("entry.py", "_open_workbench")]
    assert outside == []


def top_level(file: Path) -> str:
    """The statements of a module that run when it is imported."""
    statements = ast.parse(file.read_text()).body
    return "\n".join(ast.unparse(each) for each in statements if not isinstance(each, ast.FunctionDef | ast.ClassDef))


def engine_beside_api(source: str) -> list[str]:
    """Imports of the engine other than `engine.api` and `from engine import api`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] == "engine"]
            found += [name for name in names if name != "engine.api"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "engine":
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [name for name in names if name != "engine.api" and node.module != "engine.api"]
    return found


def test_the_screens_know_the_engine_as_its_api_alone() -> None:
    files = sorted((REPOSITORY / "tui").rglob("*.py"))
    assert len(files) > 30
    guilty = {str(file.relative_to(REPOSITORY)): engine_beside_api(file.read_text()) for file in files}
    assert {file: names for file, names in guilty.items() if names} == {}


def test_other_ways_to_the_engine_are_seen() -> None:
    good = "from engine import api\nfrom engine.api import Live\nimport engine.api\nimport engines\n"
    assert engine_beside_api(good) == []
    bad = "from engine import api, store\ndef f():\n    from engine.api.live import Live\n    import engine\n"
    assert engine_beside_api(bad) == ["engine.store", "engine.api.live.Live", "engine"]


def test_imports_inside_functions_are_seen() -> None:
    assert imports_screens("def start():\n    from tui.app import App\n")
    assert not imports_screens("import tuition\nfrom . import tui\n")


def test_the_contracts_of_import_linter_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def commands(group: Any, prefix: str = "") -> Iterator[str]:
    """Full names of all sub-commands: `launch`, `data import`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def undocumented(readme: str, names: list[str]) -> list[str]:
    """Commands that stand nowhere as `sonotune NAME` or at the start of code.

    Those of a group may stand alone, such as `check`, on a line that names the group.
    """
    missing = []
    for name in names:
        group, _, last = name.rpartition(" ")
        lines = readme.splitlines()
        grouped = [line for line in lines if group and f"`sonotune {group} " in line]
        full = any(re.search(rf"(sonotune |`){re.escape(name)}(?![\w-])", line) for line in lines)
        if not full and not any(re.search(rf"`{re.escape(last)}(?![\w-])", line) for line in grouped):
            missing.append(name)
    return missing


def test_every_command_is_in_the_readme() -> None:
    from engine.cli.app import app

    names = sorted(commands(typer.main.get_command(app)))
    assert {"launch", "data import", "worker"} <= set(names)
    readme = REPOSITORY / "README.md"
    if not readme.exists():
        pytest.skip("README.md does not exist yet")
    assert undocumented(readme.read_text(), names) == []


def test_a_command_that_is_only_mentioned_in_passing_counts_as_undocumented() -> None:
    readme = "`sonotune data import FILE`, `check` and `launch RECIPE`;\nthen `show` it; `sonotune log-file`."
    names = ["data import", "data check", "data show", "launch", "log", "runs"]
    assert undocumented(readme, names) == ["data show", "log", "runs"]
