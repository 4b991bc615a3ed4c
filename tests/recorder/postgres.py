"""A PostgreSQL server for the tests, run from the installed programs and removed afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.system.exchange import select_nothing

START_SECONDS = 60.0
STOP_SECONDS = 20.0
USER = "crossbook"
MISSING = "no PostgreSQL server is installed (initdb and postgres in /usr/lib/postgresql/*/bin)"


def programs() -> Path | None:
    """The folder of the newest installed server's programs."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    named = shutil.which("initdb")
    if named is not None:
        found.append(Path(named).resolve().parent)
    usable = [folder for folder in found if (folder / "postgres").exists()]
    return max(usable, key=lambda folder: str(folder.parent).rjust(80), default=None)


def _other_user() -> dict[str, Any]:
    """The user that runs the server, because PostgreSQL refuses root; empty without root."""
    if os.geteuid():
        return {}
    names = [entry.pw_name for entry in pwd.getpwall()]
    account = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


class Server:
    """A running server, which listens on a socket in its own folder only."""

    def __init__(self, bin_folder: Path, folder: Path) -> None:
        self._bin = bin_folder
        self._folder = folder
        self._user = _other_user()
        if self._user:
            os.chown(folder, self._user["user"], self._user["group"])
        self._run("initdb", "-D", "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """The `DATABASE_URL` of this server."""
        return f"postgresql://{USER}:not-asked-for@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start the server and return once it answers."""
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", "data", "-k", self._folder, "-h", "", "-F"],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                **self._user,
            )
        deadline = time.monotonic() + START_SECONDS
        while self._run("pg_isready", "-h", str(self._folder), "-q", check=False):
            assert self.process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, (self._folder / "log").read_text()
            select_nothing(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        """End the server: fast (SIGINT), or as a crash would (SIGQUIT)."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(STOP_SECONDS)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._bin / program), *arguments]
        ran = subprocess.run(
            command, cwd=self._folder, capture_output=True, timeout=START_SECONDS, **self._user
        )
        assert not check or not ran.returncode, ran.stderr.decode()
        return ran.returncode


@contextmanager
def running(bin_folder: Path) -> Iterator[Server]:
    """A server in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="crossbook-pg-"))
    server = None
    try:
        server = Server(bin_folder, folder)
        yield server
    finally:
        if server is not None and server.process is not None and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
