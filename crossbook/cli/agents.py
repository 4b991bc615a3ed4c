"""Agents of one's own on the command line: `module:Class:parameter=value`, and files of agents."""

import os
import pkgutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from crossbook.common.errors import BAD_BYTES, ConfigError
from crossbook.common.text import utf8_text
from crossbook.simulator.agent import Agent
from crossbook.simulator.parameters import parameters_of
from crossbook.simulator.population import BUILT_IN, AgentChoice, failed_at


class AgentEntry(Struct, forbid_unknown_fields=True, rename={"agent": "class"}):
    """One [[agent]] of a file: `class` is a built-in kind or module:Class."""

    agent: str
    name: str = ""
    count: int = 1
    parameters: dict[str, Any] = {}


class AgentsFile(Struct, forbid_unknown_fields=True):
    """A file of agents: parameters of the built-in kinds by name, and further agents."""

    kinds: dict[str, dict[str, Any]] = {}
    agent: list[AgentEntry] = []


def read_agents_file(path: Path) -> tuple[dict[str, dict[str, Any]], list[AgentChoice]]:
    """Parameters of the built-in kinds and the choices of a file; raises `ConfigError`."""
    where = f"agents file {path}"
    try:
        document = msgspec.toml.decode(utf8_text(path.read_bytes(), where), type=AgentsFile)
    except OSError as error:
        raise ConfigError(f"{where}: {error.strerror}") from error
    except (*BAD_BYTES, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error
    choices = [
        AgentChoice(agent_class(each.agent), each.parameters, each.name, each.count)
        for each in document.agent
    ]
    return document.kinds, choices


def agent_choice(text: str) -> AgentChoice:
    """The agent of an option: KIND or MODULE:CLASS, then :PARAMETER=VALUE,... if any is given.

    >>> agent_choice("maker:levels=3,lean=1").parameters
    {'levels': '3', 'lean': '1'}
    """
    parts = text.split(":")
    words = 1 if parts[0] in BUILT_IN else 2
    place, rest = ":".join(parts[:words]), ":".join(parts[words:])
    given = {}
    for pair in rest.split(",") if rest else ():
        name, mark, value = pair.partition("=")
        if not name or not mark:
            raise ConfigError(f"agent {place}: {pair!r} is not PARAMETER=VALUE")
        given[name.strip()] = value.strip()
    return AgentChoice(agent_class(place), given)


def kind_values(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Parameters of the built-in kinds from KIND.PARAMETER=VALUE.

    >>> kind_values(["maker.levels=3", "maker.lean=1"])
    {'maker': {'levels': '3', 'lean': '1'}}
    """
    kinds: dict[str, dict[str, Any]] = {}
    for text in texts:
        place, mark, value = text.partition("=")
        kind, dot, name = place.partition(".")
        if not (mark and dot and name):
            raise ConfigError(f"parameter {text!r} is not KIND.PARAMETER=VALUE")
        kinds.setdefault(kind.strip(), {})[name.strip()] = value.strip()
    return kinds


def agent_class(place: str) -> type[Agent]:
    """A built-in kind, or the class that MODULE:CLASS names in the current folder or among what is
    installed. Raises `ConfigError`, also when the module cannot be imported."""
    if place in BUILT_IN:
        return BUILT_IN[place]
    module, _, name = place.partition(":")
    folder = os.getcwd()
    if not module or not name or "/" in module or module.endswith(".py"):
        stem = module.rpartition("/")[2].removesuffix(".py") or "module"
        raise ConfigError(
            f"agent {place!r} is no built-in kind ({', '.join(BUILT_IN)}), and no MODULE:CLASS "
            f"such as {stem}:Quoter for class Quoter in {stem}.py of the current folder"
        )
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = pkgutil.resolve_name(f"{module}:{name}")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"agent {place}: {module} imports {error.name}: {error}") from error
        raise ConfigError(f"agent {place}: there is no module {module} in {folder}") from error
    except AttributeError as error:
        if module in sys.modules and not hasattr(sys.modules[module], name.partition(".")[0]):
            raise ConfigError(f"agent {place}: {_classes(module)}") from error
        raise ConfigError(f"agent {place}: {failed_at(error)}: {error!r}") from error
    except SyntaxError as error:
        fault = f"{module}, line {error.lineno}: {error.msg}"
        raise ConfigError(f"agent {place}: {fault}") from error
    except Exception as error:
        raise ConfigError(f"agent {place}: {failed_at(error)}: {error!r}") from error
    if not (isinstance(found, type) and issubclass(found, Agent)) or found is Agent:
        raise ConfigError(f"agent {place} is no class derived from crossbook.simulator.agent.Agent")
    return found


def _classes(module: str) -> str:
    """The remark that a module has no class of some name."""
    names = [
        name
        for name, value in vars(sys.modules[module]).items()
        if isinstance(value, type) and issubclass(value, Agent) and value.__module__ == module
    ]
    return f"module {module} has no such class; there are: {', '.join(names) or 'none'}"


def explanation(kinds: Sequence[type[Agent]]) -> RenderableType:
    """Purpose and parameters of classes of agents."""
    parts: list[RenderableType] = []
    for kind in kinds:
        purpose = " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        for name in ("  parameter", "default", "allowed", "meaning"):
            table.add_column(name, header_style="dim")
        for each in parameters_of(kind):
            table.add_row(f"  {each.name}", str(each.default), each.allowed, each.text)
        parts += [Text(f"{kind.kind}: {purpose}"), table, Text("")]
    return Group(*parts[:-1])


def explanation_facts(kinds: Sequence[type[Agent]]) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        kind.kind: [msgspec.to_builtins(each) for each in parameters_of(kind)] for kind in kinds
    }
