"""engine.api is lazy: its two lists must name the same things, and every one of them must exist."""

from __future__ import annotations

import ast
import inspect
import pkgutil

from engine import api


def names_for_type_checkers() -> set[str]:
    guard = next(node for node in ast.parse(inspect.getsource(api)).body if isinstance(node, ast.If))
    return {
        alias.asname or alias.name for node in guard.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_both_lists_name_the_same_things() -> None:
    assert names_for_type_checkers() == set(api.__all__)
    assert len(api.__all__) > 40


def test_every_name_can_be_had() -> None:
    for name in api.__all__:
        assert getattr(api, name) is not None


def test_no_name_is_also_that_of_a_module() -> None:
    # Importing such a module would put it in the place of the name.
    modules = {module.name for module in pkgutil.iter_modules(api.__path__)}
    assert len(modules) > 5
    assert modules & set(api.__all__) == set()
