"""`make lock`: pins every package that Crossbook is run with, tested with and compared with.

One resolution of everything that `pyproject.toml` and `requirements/page.in` admit, for every
platform and every Python from `requires-python` on, becomes one file for each purpose, whole and
with hashes. Every package gets the newest version that fits. Needs uv and the package index. No
file names the index. The clients of other projects, which `requirements/clients/NAME.in` names in
one version, are no part of that: each is resolved alone, for an environment of its own.

`--changed` only prints the packages installed in other versions than the pinned ones.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from importlib import metadata
from itertools import chain
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = "requirements"
CLIENTS_FOLDER: Final = "requirements/clients"
NPM_FOLDERS: Final = ("bench", "tests/clients/npm")

_UV: Final = Path(sys.executable).parent / "uv"
_PINNED: Final = re.compile(r"^([a-z0-9][a-z0-9.-]*)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)

PROGRAM: Final = "program"
"""Stands for the needs of the program itself; other names are extras of `pyproject.toml`."""

FILES: Final = {
    "runtime": (PROGRAM,),
    "postgres": (PROGRAM, "postgres"),
    "development": (PROGRAM, "dev", "research", "gym", "testing"),
    "docs": ("docs",),
    "peers": ("peers",),
    "peers-compiled": ("peers-compiled",),
    "lock": ("lock",),
}
"""Every file, and what it is made for, but that of the page: of the package there one file is
used, and it is installed without what it needs."""


def requirements_of(project: dict[str, Any], extra: str) -> list[str]:
    """The requirements of an extra in `pyproject.toml`; build requirements belong to the
    program."""
    if extra != PROGRAM:
        return list(project["project"]["optional-dependencies"][extra])
    return [*project["project"]["dependencies"], *project["build-system"]["requires"]]


def pins_in(text: str) -> dict[str, set[str]]:
    """The versions pinned in a file's text, by package: one for each platform that needs its own.

    >>> pins_in("psycopg[binary]==3.3.9 ; os_name == 'nt'")
    {'psycopg': {'3.3.9'}}
    """
    found: dict[str, set[str]] = {}
    for name, version in _PINNED.findall(text):
        found.setdefault(name, set()).add(version)
    return found


def changed() -> list[str]:
    """The packages installed here in another version than any pinned one."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / FOLDER).glob("*.txt")))
    pinned = pins_in(text)
    found = []
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.name).lower()
        versions = pinned.get(name, set())
        if versions and distribution.version not in versions:
            found.append(f"{name} {distribution.version}, pinned {' or '.join(sorted(versions))}")
    return sorted(found)


def main() -> None:
    """Write every file anew."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    python = project["project"]["requires-python"].removeprefix(">=")
    wanted = {
        name: [line for extra in extras for line in requirements_of(project, extra)]
        for name, extras in FILES.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.txt"
        whole.write_text(_resolved(chain.from_iterable(wanted.values()), python))
        pinned = {
            name: _resolved(lines, python, "--constraint", str(whole))
            for name, lines in wanted.items()
        }
    page = (ROOT / FOLDER / "page.in").read_text().splitlines()
    pinned["page"] = _resolved(page, python, "--no-deps")
    for path in sorted((ROOT / CLIENTS_FOLDER).glob("*.in")):
        pinned[f"clients/{path.stem}"] = _resolved(path.read_text().splitlines(), python)
    for name, pins in pinned.items():
        (ROOT / FOLDER / f"{name}.txt").write_text(f"# Written by `make lock`.\n{pins}")
    for folder in NPM_FOLDERS:
        _lock_npm(ROOT / folder)


def _resolved(wanted: Iterable[str], python: str, *options: str) -> str:
    """The pins of all that `wanted` needs, each with its hashes."""
    done = subprocess.run(
        [str(_UV), "pip", "compile", "-", "--quiet", "--universal", "--python-version", python,
         "--generate-hashes", "--no-annotate", "--no-header", "--no-config", *options],
        input="\n".join(wanted), text=True, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    return done.stdout


def _lock_npm(folder: Path) -> None:
    """Versions and hashes of what comes from npm, without the addresses npm would add."""
    npm = shutil.which("npm")
    if npm is None:
        print(f"there is no npm here: {folder.name}/package-lock.json stays as it is")
        return
    (folder / "package-lock.json").unlink(missing_ok=True)
    subprocess.run(
        [npm, "install", "--package-lock-only", "--omit-lockfile-registry-resolved",
         "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=folder, check=True,
    )  # fmt: skip
    file = folder / "package-lock.json"
    document = json.loads(file.read_text())
    for package in document["packages"].values():
        package.pop("funding", None)
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["--changed"]:
        print("\n".join(changed()) or "every installed version is a pinned one")
    else:
        main()
