"""Who may import whom. A breach is mended by changing the code, or this file with a reason.

Every module of the six packages stands in exactly one of the lists below; a new file that stands
in none fails here until somebody decides what it is.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("common", "crossbook", "gateway", "matcher", "publisher", "recorder")

MAY_IMPORT: Final = {
    "common": {"common"},
    "crossbook": {"crossbook", "common"},
    "gateway": {"gateway", "common"},
    "matcher": {"matcher", "common"},
    "publisher": {"publisher", "common"},
    "recorder": {"recorder", "common"},
}
"""Packages of ours that each package may import."""

PURE: Final = {
    "common",
    "common.admin",
    "common.auction",
    "common.candles",
    "common.codec",
    "common.commands",
    "common.depth",
    "common.entry",
    "common.errors",
    "common.events",
    "common.explain",
    "common.feed",
    "common.feed_follower",
    "common.feed_group",
    "common.feed_line",
    "common.history",
    "common.instruments",
    "common.local_book",
    "common.metrics",
    "common.programs",
    "common.refusal",
    "common.rounding",
    "common.rules",
    "common.sequence",
    "common.shards",
    "common.stream",
    "common.sync",
    "common.tally",
    "common.text",
    "common.types",
    "crossbook.asked",
    "crossbook.calls",
    "crossbook.errors",
    "crossbook.plain_book",
    "crossbook.recording",
    "crossbook.recovery",
    "crossbook.replay_check",
    "crossbook.replay_reference",
    "crossbook.replay_requests",
    "crossbook.request",
    "crossbook.session",
    "crossbook.simulator",
    "crossbook.simulator.chance",
    "crossbook.simulator.desk",
    "crossbook.simulator.flow",
    "crossbook.simulator.fundamental",
    "crossbook.simulator.makers",
    "crossbook.simulator.market",
    "crossbook.simulator.statistics",
    "crossbook.simulator.traders",
    "gateway",
    "gateway.admission",
    "gateway.bodies",
    "gateway.board",
    "gateway.catch_up",
    "gateway.channel",
    "gateway.desk",
    "gateway.documents",
    "gateway.expositions",
    "gateway.front_desk",
    "gateway.history_link",
    "gateway.hosts",
    "gateway.identity",
    "gateway.joint_answer",
    "gateway.link",
    "gateway.local_sessions",
    "gateway.market_state",
    "gateway.market_stream",
    "gateway.problem",
    "gateway.query",
    "gateway.readiness",
    "gateway.render",
    "gateway.reports",
    "gateway.session",
    "gateway.sharded_desk",
    "gateway.stream",
    "gateway.stream_frame",
    "gateway.streams",
    "gateway.trade_tape",
    "gateway.translate",
    "matcher",
    "matcher.accounts",
    "matcher.administration",
    "matcher.amendment",
    "matcher.answers",
    "matcher.auction",
    "matcher.book",
    "matcher.dedupe",
    "matcher.election",
    "matcher.engine",
    "matcher.fees",
    "matcher.history",
    "matcher.invariants",
    "matcher.listing",
    "matcher.means",
    "matcher.order",
    "matcher.prevention",
    "matcher.record",
    "matcher.segment",
    "matcher.sequencer",
    "matcher.snapshot",
    "matcher.special",
    "matcher.special_terms",
    "matcher.sweep",
    "matcher.terms",
    "matcher.timekeeper",
    "matcher.timers",
    "matcher.triggers",
    "publisher",
    "publisher.depth",
    "publisher.feed",
    "publisher.history",
    "publisher.market",
    "publisher.market_state",
    "publisher.past",
    "publisher.replica",
    "publisher.snapshots",
    "publisher.statistics",
    "publisher.ticker",
    "recorder",
    "recorder.digest",
    "recorder.replica",
}
"""Bytes, numbers and messages only: no socket, file, clock, randomness or log."""

NET: Final = {
    "common.sockets",
    "crossbook.admin_client",
    "crossbook.async_client",
    "crossbook.client",
    "crossbook.market_data",
    "crossbook.process_probe",
    "crossbook.recent_trades",
    "crossbook.simulator.runner",
    "gateway.history_socket",
    "gateway.line",
    "gateway.market_feed",
    "gateway.probes",
    "gateway.websocket",
}
"""May import zmq. So may every `service` and `__main__`."""

EDGE: Final = {
    "common.address",
    "common.claim",
    "common.clock",
    "common.config",
    "common.crash",
    "common.durable",
    "common.env_file",
    "common.exposition",
    "common.log",
    "common.open_files",
    "common.private",
    "common.scheduling",
    "common.startup",
    "crossbook",
    "crossbook.admin_shards",
    "crossbook.cli",
    "crossbook.commands_admin",
    "crossbook.commands_backup",
    "crossbook.commands_check",
    "crossbook.commands_clock",
    "crossbook.commands_journal",
    "crossbook.commands_market",
    "crossbook.commands_orders",
    "crossbook.commands_replay",
    "crossbook.commands_run",
    "crossbook.commands_simulate",
    "crossbook.commands_statistics",
    "crossbook.console",
    "crossbook.csv_file",
    "crossbook.ladder",
    "crossbook.lobster",
    "crossbook.lobster_book",
    "crossbook.options",
    "crossbook.recording_files",
    "crossbook.rendering",
    "crossbook.replay",
    "crossbook.replay_report",
    "crossbook.replay_venue",
    "crossbook.sample_flow",
    "crossbook.simulator.display",
    "crossbook.supervisor",
    "crossbook.terminal",
    "crossbook.watching",
    "gateway.entrance",
    "gateway.http_connection",
    "gateway.http_counter",
    "gateway.http_server",
    "gateway.book_waits",
    "gateway.lookup",
    "gateway.metrics",
    "gateway.operations",
    "gateway.order_route",
    "gateway.order_stream",
    "gateway.page_routes",
    "gateway.past",
    "gateway.request_body",
    "gateway.rest",
    "gateway.rest_market",
    "gateway.rest_orders",
    "gateway.trading",
    "gateway.stream_loop",
    "gateway.stream_router",
    "matcher.backup",
    "matcher.disk",
    "matcher.journal",
    "matcher.metrics",
    "matcher.print",
    "matcher.recovery",
    "matcher.snapshot_process",
    "matcher.snapshot_store",
    "matcher.snapshotter",
    "matcher.verify",
    "publisher.metrics",
    "recorder.bulk",
    "recorder.database",
    "recorder.metrics",
    "recorder.questions",
    "recorder.retention",
    "recorder.store",
    "recorder.sums",
    "recorder.tables",
}
"""Touch the machine (clock, settings, terminal, files, database), or something that does, but no
socket of their own."""

READS_CONFIG: Final = {
    "common.startup",
    "crossbook.commands_backup",
    "crossbook.commands_journal",
    "crossbook.commands_market",
    "crossbook.commands_orders",
    "crossbook.commands_replay",
    "crossbook.commands_run",
    "crossbook.commands_statistics",
    "crossbook.options",
    "crossbook.process_probe",
    "crossbook.watching",
}
"""Modules besides `__main__` that read the settings: what every `__main__` does first, and the
command line, which is one."""

PURE_LIBRARIES: Final = {
    "__future__", "abc", "array", "bisect", "collections", "contextlib", "dataclasses", "datetime",
    "enum", "functools", "hashlib", "heapq", "itertools", "msgspec", "operator", "re",
    "sortedcontainers", "string", "struct", "typing", "zlib",
}  # fmt: skip
"""All that a pure module may import from outside."""

PURE_EXCEPTIONS: Final = {
    ("matcher", "os"): "chooses once, as it is imported, between the source and a compiled build",
    ("matcher", "pathlib"): "the same",
    ("matcher", "sys"): "the same",
    ("common.instruments", "pathlib"): "reads its TOML file, given as an argument, at start",
    ("common.rules", "pathlib"): "reads the same file",
    ("gateway.admission", "urllib"): "decodes percent-encoding; no request is made",
    ("gateway.query", "urllib"): "the same",
    ("gateway.hosts", "ipaddress"): "brings the text of an address into its one form",
    ("crossbook.request", "decimal"): "users may give prices as Decimal; they leave as text",
    ("crossbook.simulator.chance", "math"): "the square root, which IEEE 754 defines exactly",
    ("crossbook.simulator.fundamental", "math"): "the same",
}

NEVER: Final = {"zmq.asyncio", "importlib", "pickle", "marshal"}
"""Slow on hot sockets, hides imports from this test, executes what it decodes."""


class Module(Struct, frozen=True):
    """One source file: its dotted name and every dotted name it imports."""

    name: str
    imports: frozenset[str]

    @property
    def package(self) -> str:
        """The top-level package."""
        return self.name.partition(".")[0]

    @property
    def last(self) -> str:
        """The file's own name."""
        return self.name.rpartition(".")[2]

    def tops(self) -> set[str]:
        """Top-level names imported."""
        return {name.partition(".")[0] for name in self.imports}


def read_modules(root: Path, packages: Iterable[str]) -> list[Module]:
    """Every module under `packages`, with what it imports; conditional imports count too."""
    modules = []
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            base = parts[:-1]
            modules.append(Module(name, frozenset(_imports(path.read_text(), base))))
    return modules


def _imports(source: str, package: tuple[str, ...]) -> Iterable[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join(filter(None, (*above, node.module)))
            yield origin
            # `from common import codec` imports a module, `from x import Name` a name: both are
            # listed, and only the ones that are modules match a rule.
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield "importlib"


def breaches(modules: list[Module]) -> list[str]:
    """One line for each import and each module that breaks a rule."""
    found = []
    known = PURE | NET | EDGE
    names = {module.name for module in modules}
    for module in modules:
        ours = {name for name in module.imports if name in names}
        is_main = module.last == "__main__"
        is_service = module.last == "service"
        if module.name in known and (is_main or is_service):
            found.append(f"{module.name}: classified by its name, remove it from the lists")
        if module.name not in known and not is_main and not is_service:
            found.append(f"{module.name}: unclassified; say in {Path(__file__).name} what it is")
        if foreign := (module.tops() & set(PACKAGES)) - MAY_IMPORT[module.package]:
            found.append(f"{module.name}: may not import {sorted(foreign)}")
        if outside := module.tops() & {"tests", "bench", "tools"}:
            found.append(f"{module.name}: may not import {sorted(outside)}")
        if never := {name for name in module.imports if name in NEVER}:
            found.append(f"{module.name}: may not import {sorted(never)}")
        if "zmq" in module.tops() and not (module.name in NET or is_main or is_service):
            found.append(f"{module.name}: may not import zmq")
        if "common.config" in ours and not (is_main or module.name in READS_CONFIG):
            found.append(f"{module.name}: may not read common.config")
        if not is_main:
            found += _imports_a_shell(module, ours)
        if module.name in PURE:
            found += _impurities(module, ours)
    return found


def _imports_a_shell(module: Module, ours: Iterable[str]) -> list[str]:
    shells = [name for name in ours if name.rpartition(".")[2] in ("service", "__main__")]
    return [f"{module.name}: may not import {name}" for name in sorted(shells)]


def _impurities(module: Module, ours: set[str]) -> list[str]:
    outside = module.tops() - set(PACKAGES) - PURE_LIBRARIES
    allowed = {top for name, top in PURE_EXCEPTIONS if name == module.name}
    return [
        f"{module.name}: is pure and may not import {name}"
        for name in sorted((outside - allowed) | (ours - PURE))
    ]


def test_every_import_is_allowed() -> None:
    found = breaches(read_modules(ROOT, PACKAGES))
    assert not found, "\n".join(found)


def test_every_listed_module_exists_in_one_list_only() -> None:
    names = {module.name for module in read_modules(ROOT, PACKAGES)}
    assert not (PURE | NET | EDGE | READS_CONFIG) - names
    assert not (PURE & NET) | (PURE & EDGE) | (NET & EDGE)
    assert {name for name, _ in PURE_EXCEPTIONS} <= PURE


def test_services_are_imported_by_their_main_and_system_tests_only() -> None:
    found = []
    for module in read_modules(ROOT, ("bench", "tests")):
        if not module.name.startswith("tests.system."):
            shells = {f"{package}.service" for package in PACKAGES}
            shells |= {f"{package}.__main__" for package in PACKAGES}
            found += _imports_a_shell(module, module.imports & shells)
    assert not found


def test_third_party_libraries_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {_import_name(line) for line in project["dependencies"]}
    used = set().union(*(module.tops() for module in read_modules(ROOT, PACKAGES)))
    undeclared = used - set(sys.stdlib_module_names) - set(PACKAGES) - declared
    assert not undeclared


def test_errors_of_decoders_are_caught_by_one_name() -> None:
    """Which of them bad bytes raise differs between versions of msgspec: `BAD_BYTES` has all."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        if re.search(r"\b(MsgspecError|DecodeError)\b", ast.unparse(node.type))
    ]
    assert not found


def _import_name(requirement: str) -> str:
    name = requirement.partition(">")[0].partition("=")[0]
    return {
        "python-dotenv": "dotenv",
        "pyzmq": "zmq",
        "hdrhistogram": "hdrh",
        "swagger-ui-py": "swagger_ui",
    }.get(name, name.replace("-", "_"))


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("common/types.py", "import matcher.book", "may not import ['matcher']"),
        ("common/types.py", "import socket", "is pure and may not import socket"),
        ("matcher/book.py", "from time import time_ns", "is pure and may not import time"),
        ("matcher/book.py", "def f():\n    import random", "is pure and may not import random"),
        ("matcher/book.py", "from common import clock", "is pure and may not import common.clock"),
        ("matcher/book.py", "from zmq import Socket", "may not import zmq"),
        ("matcher/book.py", "__import__('os')", "may not import ['importlib']"),
        ("matcher/book.py", "from .service import serve", "may not import matcher.service"),
        ("matcher/service.py", "import common.config", "may not read common.config"),
        ("matcher/new.py", "", "unclassified"),
        ("gateway/service.py", "from matcher import book", "may not import ['matcher']"),
        ("gateway/service.py", "import publisher", "may not import ['publisher']"),
        ("gateway/service.py", "from zmq import asyncio", "may not import ['zmq.asyncio']"),
        ("publisher/__main__.py", "import gateway.service", "may not import ['gateway']"),
        ("crossbook/__main__.py", "import matcher.book", "may not import ['matcher']"),
        ("common/config.py", "from tests import model", "may not import ['tests']"),
    ],
)
def test_a_breach_is_found(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    files = {
        "common/clock.py": "import time",
        "common/config.py": "import pydantic",
        "common/types.py": "from enum import IntEnum",
        "matcher/book.py": "from common import types",
        "matcher/service.py": "import zmq\nfrom matcher import book",
        "matcher/__main__.py": "from matcher import service\nimport common.config",
    }
    assert not breaches(read_modules(_write(tmp_path / "sound", files), PACKAGES))
    found = breaches(read_modules(_write(tmp_path / "broken", {**files, path: source}), PACKAGES))
    assert found
    assert all(complaint in line for line in found[:1]), found


def _write(root: Path, files: dict[str, str]) -> Path:
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root
