"""Fuzz target: recipes and studies from TOML files, from mappings, and with what --set lays over them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from fuzzing import HERE, SCRATCH, Target, staying_inside
from hostile import DAMAGE, PIECE, TEXT, VALUES, damaged, json_bytes, usually
from hypothesis import strategies as st

from engine.errors import SonotuneError
from engine.recipe import load_recipe, parse_recipe, recipe_from_json, recipe_to_toml
from engine.recipe.fields import field_text, field_value, recipe_fields
from engine.study.reading import parse_study

ASSETS = HERE.parents[1] / "assets"
RECIPES = tuple(file.read_bytes() for file in sorted((ASSETS / "recipes").glob("*.toml")))
STUDIES = tuple(file.read_bytes() for file in sorted((ASSETS / "studies").glob("*.toml")))
KEYS = tuple(field.key for field in recipe_fields())

NEVER_SHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that terminals obey, or break lines at."""

TOML_PIECES = (
    "\n", "=", '"', "'''", "[", "]", "[[", "[data]", "[training]\nsteps = 1", "[a.b.c]", "name = 1", "1979-05-27T07:32:00Z", "inf",
    "nan", "0xFFFF", "9" * 400, "{a = {b = 1}}", "# \x00", '"\\uD800"', '"\\U0010FFFF"', "[" * 2000, "a." * 400 + "a = 1", "\ufeff", "\r",
)  # fmt: skip
BIT = st.one_of(st.sampled_from(TOML_PIECES), PIECE, TEXT).map(lambda text: text.encode("utf-8", "surrogatepass"))
VALUE = st.one_of(
    st.sampled_from(("1", "0", "-1", "true", "nan", "inf", '"Q7"', '["Q7"]', "[]", "none", "2e-3", "1e999")), TEXT
)
OVERRIDE = st.one_of(st.builds("{}={}".format, usually(st.sampled_from(KEYS), TEXT), VALUE), TEXT)


def edited(files: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """A file of the repository with things put in, cut out or cut off."""
    places = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 30), BIT), max_size=3)
    return st.builds(_edit, st.sampled_from(files), places)


def _edit(data: bytes, places: list[tuple[int, int, bytes]]) -> bytes:
    for place, out, put_in in places:
        at = place % (len(data) + 1)
        data = data[:at] + put_in + data[at + out :]
    return data


SECTION = st.sampled_from(("data", "model", "lora", "training", "evaluation", "name", "description", "x"))
MAPPING = st.dictionaries(
    usually(SECTION, TEXT), st.one_of(VALUES, st.dictionaries(st.sampled_from([key.rpartition(".")[2] for key in KEYS]), VALUES, max_size=4)), max_size=5
)  # fmt: skip
INPUTS = st.one_of(
    st.tuples(st.just("recipe"), edited(RECIPES), st.lists(OVERRIDE, max_size=3)),
    st.tuples(st.just("set"), st.sampled_from(RECIPES), st.lists(OVERRIDE, min_size=1, max_size=4)),
    st.tuples(st.just("mapping"), MAPPING, st.lists(OVERRIDE, max_size=2)),
    st.tuples(st.just("json"), st.one_of(json_bytes(MAPPING), st.builds(damaged, json_bytes(MAPPING), st.integers(0, 50), DAMAGE)), st.none()),
    st.tuples(st.just("study"), edited(STUDIES), st.none()),
    st.tuples(st.just("form"), st.sampled_from(recipe_fields()), TEXT),
)  # fmt: skip


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sonotune-fuzz-", dir=SCRATCH))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def check(given: tuple[Any, ...]) -> None:
    """Read one recipe, study or field of a form; what is read can be written and read again."""
    kind, what, more = given
    try:
        recipe = _read(kind, what, more)
    except SonotuneError as error:
        assert error.title
        assert error.reason
        told = str(error)
        told.encode("utf-8")
        assert not [each for each in told if unicodedata.category(each) in NEVER_SHOWN and each != "\n"], repr(told)
        assert len(told) < 40_000
        return
    if recipe is not None:
        assert parse_recipe(_as_mapping(recipe_to_toml(recipe)), "again") == recipe


def _read(kind: str, what: Any, more: Any) -> Any:
    if kind in ("recipe", "set"):
        file = _folder() / "recipe.toml"
        file.write_bytes(what)
        with staying_inside(readable=(_folder(),)):
            return load_recipe(file, more)
    if kind == "mapping":
        return parse_recipe(what, "a mapping", more)
    if kind == "json":
        return recipe_from_json(what.decode("utf-8", "surrogatepass" if more else "replace"))
    if kind == "study":
        parse_study(what.decode("utf-8", "replace"), "a study")
        return None
    field_text(field_value(what, more))
    return None


def _as_mapping(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


FOUND: tuple[Any, ...] = (
    # A quoted key with a dot in it was taken for a section; the empty key of a section for a field.
    ("mapping", {"x.png": 1, "a.b": {}, "": 2}, []),
    ("set", RECIPES[-1], ['""=1', "data.=1"]),
    ("mapping", {"data": {"": 1, "x.y": 2}}, []),
    # Half a surrogate pair in a key: pydantic names no place.
    ("mapping", {"\ud800": 1}, []),
    # 8-bit controls of the file in the list of a study's own words.
    ("study", STUDIES[-1].replace(b'varies = ["', b'varies = ["da\xc2\x9bx", "'), None),
)
TARGET = Target("recipes", INPUTS, check, FOUND)
