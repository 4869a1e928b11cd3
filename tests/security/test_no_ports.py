"""Nothing of sonotune listens. The one exception: the ranks of a run on several devices speak over the loopback interface
(tests/training/test_distributed.py looks at them)."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import psutil

from engine.jobs.process import process_start

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "tests" / "engine"))
from store_helpers import end_process, wait_until  # noqa: E402


def sockets(process: psutil.Process) -> list[str]:
    """Internet sockets of a process and of all that it started, open in any state."""
    found = []
    for each in (process, *process.children(recursive=True)):
        try:
            found += [f"{each.pid} {one.status} {one.laddr}" for one in each.net_connections("inet")]
        except psutil.NoSuchProcess:
            continue
    return found


def test_the_worker_opens_no_port(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "engine.jobs", "--workspace", str(tmp_path), "--stay"], env=environment
    )
    start = process_start(child.pid)
    try:
        wait_until((tmp_path / "worker.lock").exists, "the worker is at work", 60)
        time.sleep(1.0)
        assert child.poll() is None
        assert sockets(psutil.Process(child.pid)) == []
    finally:
        end_process(child.pid, start)
        child.wait()


def test_a_listening_process_would_be_seen(tmp_path: Path) -> None:
    """The test above can fail."""
    code = "import socket, time; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        assert "LISTEN" in sockets(psutil.Process(child.pid))[0]
    finally:
        child.kill()
        child.wait()


def test_nothing_of_ours_makes_a_server() -> None:
    """No module of engine or tui opens a socket, or serves anything."""
    for file in [*(REPOSITORY / "engine").rglob("*.py"), *(REPOSITORY / "tui").rglob("*.py")]:
        text = file.read_text(encoding="utf-8")
        if not re.search(r"socket|server|flask|fastapi|uvicorn|aiohttp|grpc|xmlrpc", text):
            continue
        tree = ast.parse(text)
        names = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        serving = {
            "socket.socket",
            "socket.create_server",
            "socket.socketpair",
            "asyncio.start_server",
            "asyncio.start_unix_server",
        }
        assert not names & serving, file
        imported = {
            each.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for each in node.names
        }
        imported |= {
            (node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        }
        assert not imported & {"socketserver", "xmlrpc", "flask", "fastapi", "uvicorn", "aiohttp", "grpc"}, file
