"""A fault inside the real process, at an exact moment; the product has no hooks for it.

SONOTUNE_FAULT is a JSON file: `witness` (a file that takes a line for each transaction after it was committed) and
`faults`, a list of objects with

- `target`: `module:attribute.path` of a callable; wrapped when its module has been imported,
- `inside`: another one; calls count only while it runs ("" for always),
- `at`: which call it is, from 1; `times`: how many calls from then on (-1: all),
- `when`: before or after the call,
- `do`: kill, term, hup, enospc, memory, cuda memory, nan, cut, uncached, sleep, full database,
- `once`: a file that is made when it strikes; where it is there already, the fault is over,
- `after`: the number of another fault; processes that start before it has struck are spared,
- `process`: a word that the process's command line must hold.
"""

from __future__ import annotations

import errno
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

Wrapper = Callable[[Callable[..., Any]], Callable[..., Any]]
_wrappers: dict[str, list[tuple[str, Wrapper]]] = {}
_depth: dict[str, int] = {}
_ALWAYS = 10**9


def install(file: str) -> None:
    """Prepare what the file says."""
    orders = json.loads(Path(file).read_text(encoding="utf-8"))
    command = " ".join(sys.orig_argv)
    for number, fault in enumerate(orders["faults"]):
        if fault.get("process", "") not in command or not _is_due(fault, orders["faults"]):
            continue
        inside = fault.get("inside", "")
        if inside and inside not in _depth:
            _depth[inside] = 0
            _wrap(inside, _counting(inside))
        _wrap(fault["target"], _struck(fault, number))
    if any(fault["do"] == "full database" for fault in orders["faults"]):
        connect = sqlite3.connect
        sqlite3.connect = lambda *given, **named: connect(*given, **{**named, "factory": _Connection})  # type: ignore
    if orders.get("witness"):
        _wrap("engine.store.writer_recording:RecordingWrites.record", _witness(orders["witness"]))
    sys.meta_path.insert(0, _Finder())
    for name in [name for name in _wrappers if name in sys.modules]:
        _apply(sys.modules[name])


def _is_due(fault: dict[str, Any], faults: Sequence[dict[str, Any]]) -> bool:
    return "after" not in fault or Path(faults[fault["after"]]["once"]).exists()


def _wrap(target: str, wrapper: Wrapper) -> None:
    module, _, path = target.partition(":")
    _wrappers.setdefault(module, []).append((path, wrapper))


def _apply(module: ModuleType) -> None:
    for path, wrapper in _wrappers.pop(module.__name__, []):
        *owners, name = path.split(".")
        owner: Any = module
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, wrapper(getattr(owner, name)))


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps what a module defines as soon as it has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in _wrappers:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                _after_loading(spec.loader)
                return spec
        return None


def _after_loading(loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        _apply(module)

    loader.exec_module = exec_module


def _counting(inside: str) -> Wrapper:
    def wrapper(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            _depth[inside] += 1
            try:
                return call(*given, **named)
            finally:
                _depth[inside] -= 1

        return counted

    return wrapper


def _struck(fault: dict[str, Any], number: int) -> Wrapper:
    count = 0
    inside, when, at = fault.get("inside", ""), fault.get("when", "before"), fault.get("at", 1)
    times = fault.get("times", 1)
    last = _ALWAYS if times < 0 else at + times - 1

    def wrapper(call: Callable[..., Any]) -> Callable[..., Any]:
        def struck(*given: Any, **named: Any) -> Any:
            nonlocal count
            if inside and not _depth[inside]:
                return call(*given, **named)
            count += 1
            strikes = at <= count <= last and _still_to_come(fault, at == count)
            if strikes and when == "before":
                _strike(fault)
            result = call(*given, **named)
            if strikes and when == "after":
                if fault["do"] == "nan":
                    return result * float("nan")
                if fault["do"] == "uncached":
                    given[0].cached = False
                    return result
                _strike(fault)
            return result

        return struck

    return wrapper


def _still_to_come(fault: dict[str, Any], first: bool) -> bool:
    """Whether it has not struck in an earlier process; the mark is made by the call that it strikes first."""
    once = fault.get("once")
    if not once or not first:
        return not once or Path(f"{once}.{os.getpid()}").exists()
    try:
        os.close(os.open(once, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    os.close(os.open(f"{once}.{os.getpid()}", os.O_CREAT | os.O_WRONLY))
    return True


def _strike(fault: dict[str, Any]) -> None:
    do = fault["do"]
    if do in ("kill", "term", "hup"):
        os.kill(os.getpid(), {"kill": signal.SIGKILL, "term": signal.SIGTERM, "hup": signal.SIGHUP}[do])
    elif do == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), fault.get("file", "an injected fault"))
    elif do == "memory":
        raise MemoryError("an injected fault")
    elif do == "cuda memory":
        import torch

        raise torch.OutOfMemoryError("CUDA out of memory (an injected fault)")
    elif do == "cut":
        for file in fault["files"]:
            os.truncate(file, 200)
    elif do == "sleep":
        time.sleep(fault["seconds"])
    elif do == "full database":
        _fill(fault["seconds"])
    else:
        raise ValueError(f"there is no fault {do}")


_connections: list[sqlite3.Connection] = []
_full_until = 0.0


class _Connection(sqlite3.Connection):
    """SQLite's own, which may be told that there is no room for another page."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **{**named, "check_same_thread": False})
        _connections.append(self)
        if time.monotonic() < _full_until:
            self.execute("PRAGMA max_page_count = 1")


def _fill(seconds: float) -> None:
    """No database of this process may grow for a while."""
    global _full_until  # noqa: PLW0603 - of this process
    _full_until = time.monotonic() + seconds

    def limit(pages: int) -> None:
        for connection in list(_connections):
            try:
                connection.execute(f"PRAGMA max_page_count = {pages}")
            except sqlite3.ProgrammingError:  # closed meanwhile
                _connections.remove(connection)

    limit(1)
    threading.Timer(seconds, limit, (2**30,)).start()


def _witness(file: str) -> Wrapper:
    """Tell the witness of each transaction of a job after it was committed."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def wrapper(call: Callable[..., Any]) -> Callable[..., Any]:
        def record(self: Any, kind: str, job_id: int, entries: Any, *given: Any, **named: Any) -> Any:
            written = call(self, kind, job_id, entries, *given, **named)
            if written:
                told = [{"kind": str(kind), "job": job_id, **_told(entry)} for entry in entries]
                os.write(descriptor, "".join(json.dumps(each) + "\n" for each in told).encode())
            return written

        return record

    return wrapper


def _told(entry: Any) -> dict[str, Any]:
    name = type(entry).__name__
    if name == "Measured":
        return {"step": entry.step, "values": dict(entry.values)}
    if name == "Happened":
        return {"event": entry.kind, "detail": entry.detail}
    if name == "Answered":
        return {"paths": [each.path for each in entry.predictions]}
    return {}
