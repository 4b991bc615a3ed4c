"""`make clients`: clients of other projects, unmodified, each in an environment of its own.

`requirements/clients/NAME.txt` pins what one Python client needs, which is installed into
`build/clients/NAME`. All clients from npm are in `build/clients/npm`. An environment is made anew
when its pins change. Where one cannot be made its reason is kept, and the others are made.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
PINS: Final = ROOT / "requirements" / "clients"
NPM_PINS: Final = ROOT / "tests" / "clients" / "npm"
PLACE: Final = ROOT / "build" / "clients"
NPM: Final = "npm"
"""The name of the one environment that is Node's."""

BY_HAND: Final = {
    "hummingbot": "it is installed by hand, by docs/guide/binance/hummingbot.md: its release needs "
    "pandas-ta, which has none for Python 3.11"
}
"""Environments that nothing here can make, and why; one that is there is used."""

NPM_FILES: Final = ("package.json", "package-lock.json")
TIMEOUT_S: Final = 900
"""Longest installation of one environment."""

_REASON_MAX: Final = 300


def names() -> list[str]:
    """Every environment."""
    return [*sorted(path.stem for path in PINS.glob("*.txt")), NPM]


def interpreter(name: str) -> str:
    """The program that runs scripts in an environment."""
    return "node" if name == NPM else str(PLACE / name / "bin" / "python")


def absence(name: str) -> str:
    """Why an environment cannot be used; empty where it is installed with the pins of today."""
    if name in BY_HAND:
        return "" if Path(interpreter(name)).is_file() else BY_HAND[name]
    if name == NPM and shutil.which("node") is None:
        return "there is no node on this machine"
    stamp = _stamp(name)
    if stamp.is_file() and stamp.read_text() == _digest(name):
        return ""
    kept = _kept_reason(name)
    if kept.is_file():
        return kept.read_text()
    return "not installed: `make clients` does"


def install(name: str) -> str:
    """Make an environment unless it is there; returns the reason why it cannot be made."""
    if not absence(name):
        return ""
    _kept_reason(name).unlink(missing_ok=True)
    shutil.rmtree(PLACE / name, ignore_errors=True)
    (PLACE / name).mkdir(parents=True)
    reason = ""
    for command in _commands(name):
        if reason := _failure(command):
            _kept_reason(name).write_text(reason)
            return reason
    _stamp(name).write_text(_digest(name))
    return ""


def _commands(name: str) -> list[list[str]]:
    place = PLACE / name
    if name == NPM:
        for file in NPM_FILES:
            shutil.copy(NPM_PINS / file, place)
        return [["npm", "ci", "--prefix", str(place), "--ignore-scripts", "--no-audit",
                 "--no-fund", "--loglevel=error"]]  # fmt: skip
    pip = [interpreter(name), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    return [
        [sys.executable, "-m", "venv", str(place)],
        [*pip, "--no-deps", "--require-hashes", "-r", str(PINS / f"{name}.txt")],
    ]


def _failure(command: Sequence[str]) -> str:
    """The end of what a command that fails prints; empty where it succeeds."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it cannot be installed: {error}"[:_REASON_MAX]
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"it cannot be installed: {' '.join(lines[-2:])}"[:_REASON_MAX]


def _digest(name: str) -> str:
    """Changes with the pins, and with the Python that an environment is made of."""
    files = [NPM_PINS / each for each in NPM_FILES] if name == NPM else [PINS / f"{name}.txt"]
    digest = hashlib.sha256(b"" if name == NPM else sys.version.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _stamp(name: str) -> Path:
    return PLACE / name / ".installed"


def _kept_reason(name: str) -> Path:
    return PLACE / f"{name}.missing"


def main(wanted: Sequence[str]) -> None:
    """Install these environments, or all; prints those that cannot be had."""
    if unknown := set(wanted) - set(names()):
        sys.exit(f"there is no client {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    for name in wanted or names():
        if absence(name):
            print(f"installing {name} into {(PLACE / name).relative_to(ROOT)}", flush=True)
        if reason := install(name):
            print(f"{name}: {reason}; going on without it", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
