"""A session script in its client's environment, one step at a time."""

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from typing import Any, Final, Self

import pytest

from tools import clients

STEP_S: Final = 30.0
"""Longest step, if a test gives no other time."""

END_S: Final = 2.0
"""Longest time in which a script ends by itself, once its input does."""

NOWHERE: Final = "http://127.0.0.1:9"
"""A proxy at the discard port of loopback: what a client sends to any other host than the
exchange fails at once."""


class ClientError(Exception):
    """A client raised an exception: its class, the classes that it derives from, and its text.

    `retry_after_s` is what the exception shows of the header `Retry-After`, if anything.
    """

    def __init__(
        self, name: str, classes: Sequence[str], text: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name
        self.classes = tuple(classes)
        self.text = text
        self.retry_after_s = retry_after_s


class Conversation:
    """A running session script. A step that fails at the client raises `ClientError`.

    `client` names the environment, `script` a module of `tests/clients/sessions`, or a file there
    that ends in `.js`. Skips the test where the environment is not installed.
    """

    def __init__(self, client: str, script: str, host: str, *arguments: str) -> None:
        if reason := clients.absence(client):
            pytest.skip(f"{client}: {reason}")
        self.script = script
        self._errors = tempfile.TemporaryFile(mode="w+")  # noqa: SIM115
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [*_command(client, script), "--host", host, *arguments],
            cwd=clients.ROOT, env=client_environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, text=True, bufsize=1,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, step: str, timeout_s: float = STEP_S, **arguments: Any) -> Any:
        """The result of one step; raises `AssertionError` where the script ends or takes longer."""
        assert self._process.stdin is not None
        request = json.dumps({"step": step, "arguments": arguments})
        try:
            self._process.stdin.write(f"{request}\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=timeout_s)
        except (OSError, queue.Empty):
            line = ""
        if not line:
            raise AssertionError(f"{self.script}: no answer to {request}\n{self.errors()}")
        answer = json.loads(line)
        assert answer["step"] == step, answer
        if error := answer.get("error"):
            raise ClientError(
                error["class"], error["classes"], error["text"], error.get("retry_after_s")
            )
        return answer.get("result")

    def errors(self, limit: int = 6_000) -> str:
        """The end of what the script printed on standard error."""
        self._errors.seek(0)
        return self._errors.read()[-limit:]

    def close(self) -> None:
        """End the script: by the end of its input, and by SIGKILL where that does not do."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            self._process.wait(END_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(END_S)
        self._reader.join(END_S)
        self._process.stdout.close()
        self._errors.close()

    def _read(self) -> None:
        """Pass the lines of steps on; a client may print others."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{"step"'):
                self._lines.put(line)
        self._lines.put("")


def _command(client: str, script: str) -> list[str]:
    if client == clients.NPM:
        return [clients.interpreter(client), f"tests/clients/sessions/{script}"]
    return [clients.interpreter(client), "-m", f"tests.clients.sessions.{script}"]


def client_environment() -> dict[str, str]:
    """This environment, without the libraries and proxies of this process."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and not name.lower().endswith("_proxy")
    }
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    local = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")
    modules = clients.PLACE / clients.NPM / "node_modules"
    return {**kept, **proxies, **local, "NODE_PATH": str(modules), "PYTHONUNBUFFERED": "1"}
