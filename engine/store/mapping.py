"""Dataclasses to rows and back: a record has one field a column, with the same name."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")
Convert = Callable[[Any], Any]


_COLUMNS: dict[type, tuple[str, ...]] = {}
_CONVERTERS: dict[type, tuple[Convert | None, ...]] = {}


def columns(record: type) -> tuple[str, ...]:
    """Column names of a record type, in the order of its fields."""
    if record not in _COLUMNS:
        _COLUMNS[record] = tuple(field.name for field in fields(record))
    return _COLUMNS[record]


def from_row(record: type[Record], row: Sequence[Any]) -> Record:
    """Build `record` from a row whose values stand in the order of `columns(record)`."""
    return record(
        *(value if convert is None else convert(value) for value, convert in zip(row, _converters(record), strict=True))
    )


def to_row(values: object) -> dict[str, Any]:
    """Column values of a record instance."""
    return {name: to_column(getattr(values, name)) for name in columns(type(values))}


def to_column(value: object) -> Any:
    """One Python value as SQLite stores it: enums by value, mappings as JSON, everything else as it is."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return json.dumps(dict(value), ensure_ascii=False, sort_keys=True)
    return value


def _converters(record: type) -> tuple[Convert | None, ...]:
    if record not in _CONVERTERS:
        hints = get_type_hints(record)
        _CONVERTERS[record] = tuple(_converter(hints[name]) for name in columns(record))
    return _CONVERTERS[record]


def _converter(hint: Any) -> Convert | None:
    options = [option for option in get_args(hint) if option is not type(None)]
    optional = type(None) in get_args(hint)
    base = options[0] if optional else hint
    convert: Convert | None = None
    if get_origin(base) is not None:
        convert = json.loads
    elif isinstance(base, type) and (issubclass(base, Enum) or base is bool):
        convert = base
    elif base is float and not optional:
        return _number
    if convert is None or not optional:
        return convert
    return _or_none(convert)


def _number(value: float | None) -> float:
    # SQLite has no NaN and stores NULL for it.
    return math.nan if value is None else value


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def select(table: str, names: Sequence[str], rest: str = "") -> str:
    """A SELECT of the named columns; all parts are literals or field names of this package, never data."""
    return f"SELECT {', '.join(names)} FROM {table} {rest}"  # noqa: S608


def insert(table: str, names: Sequence[str], *, replace: bool = False) -> str:
    """An INSERT with named parameters; see `select` for what may be passed."""
    verb = "INSERT OR REPLACE" if replace else "INSERT"
    return f"{verb} INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"


def update(table: str, names: Sequence[str], where: str) -> str:
    """An UPDATE with named parameters; see `select` for what may be passed.

    Columns `peak_*` only rise: a job that was resumed has the peak of all its attempts, not of the last process.
    """
    return f"UPDATE {table} SET {', '.join(_assignment(name) for name in names)} WHERE {where}"  # noqa: S608


def _assignment(name: str) -> str:
    if not name.startswith("peak_"):
        return f"{name} = :{name}"
    return f"{name} = COALESCE(MAX({name}, :{name}), :{name}, {name})"  # MAX of a NULL is NULL
