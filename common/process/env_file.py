"""Names and lines of `.env` and the environment, as far as pydantic-settings passes over them.

A `.env` may be shared with docker compose and other tools: names of theirs are told, and refused
only when they look like a setting that is misspelt.
"""

import io
import os
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream
from msgspec import Struct, field

from crossbook.common.errors import ConfigError
from crossbook.common.text import utf8_text

ENV_FILE: Final = Path(".env")
"""In the working folder."""

ENVIRONMENT_ONLY: Final = frozenset({"MATCHER_BUILD", "CROSSBOOK_CRASH_AT"})
"""Read while modules are imported, before there are settings."""

_LIKENESS: Final = 0.8
"""From which on one name is taken for another misspelt; 1 is the same."""

_PREFIX: Final = "CROSSBOOK_"
_OF_COMPOSE: Final = ("COMPOSE_", "DOCKER_")
"""What docker compose itself reads from `.env`."""


class Names(Struct):
    """What was found: `values` by upper-case name, and one line each for `faults` that must be
    mended, for `remarks` on names like a setting's, and for `strangers` in the file, like none."""

    values: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


def read_names(known: Collection[str], path: Path = ENV_FILE) -> Names:
    """The names of the file, if there is one, and of the environment, against the known ones.

    Raises `ConfigError` when the file cannot be read or is not UTF-8.
    """
    names = Names()
    _take_file(names, known, path)
    _take_environment(names, known, os.environ)
    return names


def _take_file(names: Names, known: Collection[str], path: Path) -> None:
    try:
        text = utf8_text(path.read_bytes(), str(path))
    except (FileNotFoundError, IsADirectoryError):
        return
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    lines: dict[str, int] = {}
    strangers: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        line = _line_of(binding)
        where = f"{path}: line {line}"
        if binding.error:
            names.faults.append(f"{where} is not NAME=VALUE")
        if binding.key is None:
            continue
        name = binding.key.upper()
        if name in known or name in ENVIRONMENT_ONLY:
            names.faults += _faults_of_known(where, name, binding.value, lines.get(name))
            names.values[name] = binding.value or ""
        elif not name.startswith(_OF_COMPOSE):
            strangers[name] = where
        lines.setdefault(name, line)
    for name, where in strangers.items():
        meant = _meant(name, known)
        if meant and meant not in names.values and meant not in _upper(os.environ):
            names.faults.append(
                f"{where}: {name} is no setting; {meant} is: correct it, or set {meant} as well if "
                f"{name} belongs to another program"
            )
        elif meant:
            names.remarks.append(f"{where}: {name} is no setting ({meant} is): ignored")
        else:
            names.strangers.append(f"{where}: {name} is no setting: ignored")


def _faults_of_known(where: str, name: str, value: str | None, before: int | None) -> list[str]:
    if name in ENVIRONMENT_ONLY:
        return [f"{where}: {name} is read from the environment only"]
    if before is not None:
        return [f"{where}: {name} is set in line {before} already"]
    return [] if value is not None else [f"{where}: {name} has no =VALUE"]


def _take_environment(names: Names, known: Collection[str], environment: Mapping[str, str]) -> None:
    """Other programs have their names there: one that looks like ours is told, not refused."""
    seen: set[str] = set()
    for given in environment:
        name = given.upper()
        if name in known:
            if name in seen:
                names.faults.append(f"{name} is in the environment in upper and lower case")
            seen.add(name)
            names.values[name] = environment[given]
    for given in environment:
        meant = "" if given.upper() in known or given in ENVIRONMENT_ONLY else _meant(given, known)
        if meant and meant not in seen:
            names.remarks.append(f"{given} of the environment is no setting ({meant} is): ignored")


def _meant(name: str, known: Collection[str]) -> str:
    """The setting that a name is a misspelling of; empty if it is like none."""
    found = get_close_matches(name.upper().removeprefix(_PREFIX), known, 1, _LIKENESS)
    return found[0] if found else ""


def _upper(environment: Mapping[str, str]) -> set[str]:
    return {name.upper() for name in environment}


def _line_of(binding: Binding) -> int:
    """Where a statement stands: what is parsed begins with the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
