"""`make test-pythons`: a part of the fast tests with every other supported Python found here.

The versions are those of the classifiers in `pyproject.toml`. Each gets an environment of its own
in `build/pythons`, with what the lock pins and these tests need. The parts are tried one after
another as long as there is time, the first in any case. A Python whose environment takes all the
time is passed over by name.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "build" / "pythons"

PARTS: Final = (
    "tests/crossbook/testing/test_exchange.py",
    "tests/crossbook/launch",
    "tests/publisher",
    "tests/matcher",
    "tests/recorder",
    "tests/common",
)
"""What is tried: a whole exchange first."""

LIBRARIES: Final = frozenset(
    {"attrs", "hypothesis", "iniconfig", "packaging", "pluggy", "psutil", "pygments", "pytest",
     "pytest-timeout"}
)  # fmt: skip
"""What these tests need besides the program."""

SECONDS: Final = 90.0
"""Time for all Pythons together, in which the last part begun may still end."""

_CLASSIFIER: Final = "Programming Language :: Python :: "
_PIN: Final = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^]]*\])?==.*(?:\n {4}.*)*\n", re.MULTILINE)
_CHECK: Final = "import sys, venv; print('{}.{}'.format(*sys.version_info))"


def versions() -> list[str]:
    """Every Python that is supported, such as `3.11`, oldest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [
        each.removeprefix(_CLASSIFIER)
        for each in project["classifiers"]
        if each.startswith(f"{_CLASSIFIER}3.")
    ]


def interpreter(version: str) -> str | None:
    """The path of an interpreter of this version that can make environments; None without one."""
    return next((each for each in _candidates(version) if _is(each, version)), None)


def _candidates(version: str) -> Iterator[str]:
    """Paths in the order of preference: that of the shell, then those of pyenv, newest first."""
    found = shutil.which(f"python{version}")
    if found is not None:
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = pyenv.glob(f"versions/{version}.*/bin/python{version}")
    yield from map(str, sorted(installed, key=_patch, reverse=True))


def _patch(path: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", path.parents[1].name)))


def _is(path: str, version: str) -> bool:
    # A shim of pyenv is there for versions that are not chosen, and fails.
    ran = subprocess.run([path, "-c", _CHECK], capture_output=True, text=True, check=False)
    return ran.stdout.strip() == version


def pins(runtime: str, development: str) -> str:
    """The pins of the program and of `LIBRARIES`, with their hashes, from the two files."""
    wanted = {found[1] for found in _PIN.finditer(runtime)} | LIBRARIES
    return "".join(found[0] for found in _PIN.finditer(development) if found[1] in wanted)


def environment(version: str, path: str, seconds: float) -> Path | None:
    """The interpreter of the environment of a version, made where it is missing or old; None where
    that takes longer."""
    folder = FOLDER / version
    wanted = pins(
        (ROOT / "requirements/runtime.txt").read_text(),
        (ROOT / "requirements/development.txt").read_text(),
    )
    python, stamp = folder / "bin" / "python", folder / "pins.txt"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([path, "-m", "venv", "--without-pip", str(folder)], check=True)
    listed = folder / "wanted.txt"
    listed.write_text(wanted)
    try:
        # The pip of this environment, and no bytecode of modules that nothing imports.
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-compile",
             "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r", str(listed)],
            check=True, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None
    (place,) = folder.glob("lib/python*/site-packages")
    (place / "source.pth").write_text(f"{ROOT}\n")
    listed.rename(stamp)
    return python


def try_parts(
    run: Callable[[str], int], until_s: float, now_s: Callable[[], float] = time.monotonic
) -> tuple[list[str], list[str]]:
    """The parts that were tried and those of them that failed; none begins after `until_s` but the
    first."""
    tried: list[str] = []
    failed: list[str] = []
    for part in PARTS:
        if tried and now_s() >= until_s:
            break
        tried.append(part)
        if run(part):
            failed.append(part)
    return tried, failed


def _tests_of(python: Path) -> Callable[[str], int]:
    settings = {**os.environ, "MATCHER_BUILD": "pure"}

    def run(part: str) -> int:
        command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", part]
        return subprocess.run(command, cwd=ROOT, env=settings, check=False).returncode

    return run


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every other Python; 1 where a test failed, 0 also where there is no other Python."""
    parser = argparse.ArgumentParser(prog="python -m tools.pythons", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time for all together")
    until_s = time.monotonic() + parser.parse_args(arguments).seconds
    own = "{}.{}".format(*sys.version_info)
    others = {each: interpreter(each) for each in versions() if each != own}
    for version, path in others.items():
        if path is None:
            print(f"Python {version}: skipped, there is none here")
    found = {version: path for version, path in others.items() if path is not None}
    status = 0
    for place, (version, path) in enumerate(found.items()):
        began_s = time.monotonic()
        share_s = max(0.0, until_s - began_s) / (len(found) - place)
        python = environment(version, path, share_s)
        if python is None:
            print(f"Python {version}: skipped, its environment was not made in {share_s:.0f} s")
            continue
        tried, failed = try_parts(_tests_of(python), began_s + share_s)
        status |= bool(failed)
        outcome = f"failed in {', '.join(failed)}" if failed else "sound"
        took_s = time.monotonic() - began_s
        print(
            f"Python {version}: {outcome}; {len(tried)} of {len(PARTS)} parts in {took_s:.0f} s",
            flush=True,
        )
    return status


if __name__ == "__main__":
    sys.exit(main())
