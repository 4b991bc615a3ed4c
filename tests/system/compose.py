"""docker-compose.yml and Dockerfile run without containers: the services' own commands and
environment as processes of this machine.

Only the container's part differs: host names become loopback, ports free ones, the image's folders
a temporary one.
"""

import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, Self

import yaml

from tests.system.exchange import REPOSITORY, free_ports, process_environment

COMPOSE: Final = REPOSITORY / "docker-compose.yml"
DOCKERFILE: Final = REPOSITORY / "Dockerfile"
PROGRAM_FOLDER: Final = "/opt/crossbook"
STATE_FOLDER: Final = "/var/lib/crossbook"


def services() -> dict[str, dict[str, Any]]:
    """The services of the file, anchors resolved."""
    document: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(COMPOSE.read_text())
    return document["services"]


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments on one line."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.split("\n"))
            if word]  # fmt: skip


def seconds(text: str) -> float:
    """A duration such as `30s`."""
    found = re.fullmatch(r"(\d+)s", text)
    assert found, text
    return float(found[1])


class Composition:
    """The services of the file, each startable by its name. A temporary `folder` replaces the
    volumes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._services = services()
        text = yaml.safe_dump(self._services)
        inside = sorted(set(re.findall(r"tcp://[\w.]+:(\d+)|API_PORT: '(\d+)'", text)))
        numbers = sorted({number for pair in inside for number in pair if number})
        self.ports = dict(zip(numbers, free_ports(len(numbers)), strict=True))

    def __enter__(self) -> Self:
        for name in ("data", "history"):
            (self.folder / name).mkdir()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(10)

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service by image and file, adapted to this machine."""
        image: dict[str, str] = {}
        for word, rest in instructions():
            if word == "ENV":
                for setting in rest.split():
                    key, _, value = setting.partition("=")
                    image[key] = value
        given = {**image, **self._services[name].get("environment", {})}
        return process_environment({key: self._fitting(value) for key, value in given.items()})

    def start(self, name: str) -> None:
        """Start a service."""
        with self._log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self._words(self._services[name]["command"]),
                cwd=self.folder,
                env=self.environment(name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def healthy(self, name: str) -> bool:
        """Whether the service's own health check succeeds within its time."""
        check = self._services[name]["healthcheck"]
        assert check["test"][0] == "CMD"
        ran = subprocess.run(
            self._words(check["test"][1:]),
            cwd=self.folder,
            env=self.environment(name),
            capture_output=True,
            timeout=4 * seconds(check["timeout"]),
            check=False,
        )
        assert ran.returncode in (0, 1), ran.stderr
        return ran.returncode == 0

    def stop(self, name: str) -> int:
        """Stop a service as `docker compose stop` does; its exit status."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds(self._services[name]["stop_grace_period"]))
        finally:
            process.kill()

    def kill(self, name: str) -> None:
        """Kill a service."""
        process = self.running.pop(name)
        process.kill()
        process.wait(10)

    def address(self, port: str) -> str:
        """The address of a port of the file on this machine."""
        return f"127.0.0.1:{self.ports[port]}"

    def log(self, name: str) -> str:
        """The output of a service."""
        return self._log(name).read_text(errors="replace")

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _words(self, command: list[str]) -> list[str]:
        program = {"python": [sys.executable], "crossbook": [sys.executable, "-m", "crossbook"]}
        return [*program[command[0]], *command[1:]]

    def _fitting(self, value: str) -> str:
        for name in (*self._services, "0.0.0.0"):
            value = re.sub(rf"(^|//){re.escape(name)}(:|$)", r"\g<1>127.0.0.1\2", value)
        for port, free in self.ports.items():
            value = re.sub(rf"(:|^){port}$", rf"\g<1>{free}", value)
        value = value.replace(STATE_FOLDER, str(self.folder))
        return value.replace(PROGRAM_FOLDER, str(REPOSITORY))
