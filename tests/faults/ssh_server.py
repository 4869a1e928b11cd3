"""An OpenSSH server on loopback for one try, and a link to it that can be frozen."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

_PROGRAMS = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/lib/ssh/sshd")
PRIVILEGES = Path("/run/sshd")
"""Where a server that runs as root drops its privileges; its service makes the folder otherwise."""
_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
PermitRootLogin prohibit-password
ClientAliveInterval 1
ClientAliveCountMax 2
PrintMotd no
LogLevel INFO
"""


def program() -> str | None:
    """The server's path; None where it is not installed."""
    return shutil.which("sshd") or next((path for path in _PROGRAMS if Path(path).exists()), None)


def missing() -> str:
    """Why no server can be started here; "" where one can."""
    if program() is None:
        return "there is no OpenSSH server: install it (Debian: apt-get install openssh-server); it need not be started"
    if shutil.which("ssh") is None:
        return "there is no OpenSSH client: install it (Debian: apt-get install openssh-client)"
    return ""


class SshServer:
    """A server with keys of its own; a context manager that ends it and all of its sessions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        self.port = free_port()
        (folder / "config").write_text(_CONFIG.format(port=self.port, folder=folder))
        if os.getuid() == 0:
            PRIVILEGES.mkdir(mode=0o755, exist_ok=True)
        with (folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [str(program()), "-D", "-e", "-f", str(folder / "config")], stdin=subprocess.DEVNULL, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError as error:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"sshd does not answer: {(self.folder / 'log.txt').read_text()}") from error
                time.sleep(0.05)
            else:
                return

    def __enter__(self) -> SshServer:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.sessions():
            os.kill(pid, 9)
        self.process.kill()
        self.process.wait()

    def client(self, words: Sequence[str], *, terminal: bool, port: int | None = None) -> list[str]:
        """The command of a client that carries out `words` on the server."""
        options = {
            "UserKnownHostsFile": os.devnull,
            "StrictHostKeyChecking": "no",
            "IdentitiesOnly": "yes",
            "ServerAliveInterval": "0",
            "LogLevel": "ERROR",
        }
        settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        place = ["-p", str(port or self.port), "-i", str(self.folder / "user"), f"{getpass.getuser()}@127.0.0.1"]
        return ["ssh", "-F", "none", *(["-t"] if terminal else []), *settings, *place, *words]

    def sessions(self) -> list[int]:
        """The server's processes of the connections that are open now."""
        return children(self.process.pid)


def children(pid: int) -> list[int]:
    """Processes that this one has started and not collected."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(each) for each in found.split()]


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Link:
    """A relay between client and server; once frozen it takes and passes on nothing, and closes nothing."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        source.settimeout(0.05)
        while not self.frozen.is_set():
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            target.sendall(data)
        if not self.frozen.is_set():
            target.close()

    def close(self) -> None:
        """End it."""
        for each in (self._listener, *self._sockets):
            each.close()
