"""Faults of `.env` and the environment that pydantic-settings does not report.

A `.env` may be shared with docker compose and other tools: their names are logged, and refused only
where they look like a misspelt setting.
"""

import io
import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Final

from dotenv.parser import Binding, parse_stream
from msgspec import Struct, field

from crossbook.common.errors import ConfigError
from crossbook.common.text import utf8_text

ENV_FILE: Final = Path(".env")
"""In the working folder."""

ENVIRONMENT_ONLY: Final = frozenset({"MATCHER_BUILD", "CROSSBOOK_CRASH_AT"})
"""Read while modules are imported, before settings are loaded."""

_LIKENESS: Final = 0.8
"""Likeness from which a name counts as another one misspelt; 1 means equal."""

_ANSWERS_KEPT: Final = 1_024
"""Most names of which is remembered what they resemble."""

_PREFIX: Final = "CROSSBOOK_"
_OF_COMPOSE: Final = ("COMPOSE_", "DOCKER_")
"""Prefixes of the names that docker compose itself reads from `.env`."""


class Names(Struct):
    """Names found: `values` by upper-case name, and one line for each fault, remark and stranger.

    `faults` prevent a start, `remarks` are on names like a setting's, `unknown` are names of the
    file that resemble no setting."""

    values: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read_names(known: frozenset[str], path: Path = ENV_FILE) -> Names:
    """Names of the file, if there is one, and of the environment, compared with the known ones.

    Raises `ConfigError` when the file cannot be read or is not UTF-8.
    """
    names = Names()
    _add_file(names, known, path)
    _add_environment(names, known, os.environ)
    return names


def _add_file(names: Names, known: frozenset[str], path: Path) -> None:
    try:
        text = utf8_text(path.read_bytes(), str(path))
    except (FileNotFoundError, IsADirectoryError):
        return
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    lines: dict[str, int] = {}
    unknown: dict[str, str] = {}
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
            unknown[name] = where
        lines.setdefault(name, line)
    for name, where in unknown.items():
        setting = _resembled(name, known)
        if setting and setting not in names.values and setting not in _upper(os.environ):
            names.faults.append(
                f"{where}: {name} is no setting; {setting} is: correct it, or set {setting} as "
                f"well if {name} belongs to another program"
            )
        elif setting:
            names.remarks.append(f"{where}: {name} is no setting ({setting} is): ignored")
        else:
            names.unknown.append(f"{where}: {name} is no setting: ignored")


def _faults_of_known(where: str, name: str, value: str | None, before: int | None) -> list[str]:
    if name in ENVIRONMENT_ONLY:
        return [f"{where}: {name} is read from the environment only"]
    if before is not None:
        return [f"{where}: {name} is set in line {before} already"]
    return [] if value is not None else [f"{where}: {name} has no =VALUE"]


def _add_environment(names: Names, known: frozenset[str], environment: Mapping[str, str]) -> None:
    """Other programs have names there too, so one that resembles a setting is no fault but a
    remark."""
    seen: set[str] = set()
    for given in environment:
        name = given.upper()
        if name in known:
            if name in seen:
                names.faults.append(f"{name} is in the environment in upper and lower case")
            seen.add(name)
            names.values[name] = environment[given]
    for given in environment:
        setting = (
            "" if given.upper() in known or given in ENVIRONMENT_ONLY else _resembled(given, known)
        )
        if setting and setting not in seen:
            names.remarks.append(
                f"{given} of the environment is no setting ({setting} is): ignored"
            )


@lru_cache(_ANSWERS_KEPT)
def _resembled(name: str, known: frozenset[str]) -> str:
    """The setting that a name resembles; empty if it resembles none.

    Costs a comparison with every setting: a large environment would take most of a start, and a
    process that forks others has made it before.
    """
    plain = name.upper().removeprefix(_PREFIX)
    found = get_close_matches(plain, known, 1, _LIKENESS)
    if not found:
        # Two letters that changed places are much of a short name: ATUH.
        found = [setting for setting in known if sorted(setting) == sorted(plain)]
    return found[0] if found else ""


def _upper(environment: Mapping[str, str]) -> set[str]:
    return {name.upper() for name in environment}


def _line_of(binding: Binding) -> int:
    """The line of a statement; the parser's text begins with the empty lines before it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
