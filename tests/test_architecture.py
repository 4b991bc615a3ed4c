"""The imports that each module may have. A breach is corrected in the code, or here with a reason.

A rule holds for a folder. A module of another kind than its folder is named, with its kind. Every
module has exactly one kind: a module in no folder and under no name below fails here until its kind
is decided.
"""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("common", "crossbook", "gateway", "matcher", "publisher", "recorder")

KINDS: Final[Mapping[str, str]] = {
    # Bytes, numbers and messages only: no socket, file, clock, randomness or log.
    "common/*": "pure",
    "common/messages/*": "pure",
    "common/following/*": "pure",
    "common/faults/*": "pure",
    "matcher/*": "pure",
    "matcher/engine/*": "pure",
    "publisher/*": "pure",
    "publisher/faults/*": "pure",
    "gateway/*": "pure",
    "gateway/auth/*": "pure",
    "gateway/keys/*": "pure",
    "gateway/limits/*": "pure",
    "gateway/orders/*": "pure",
    "gateway/streams/*": "pure",
    "crossbook/simulator/*": "pure",
    # Touches the machine (clock, settings, terminal, files, database), or something that does, but
    # opens no socket.
    "common/process/*": "edge",
    "matcher/journal/*": "edge",
    "matcher/recovery/*": "edge",
    "matcher/faults/*": "edge",
    "recorder/*": "edge",
    "gateway/api/*": "edge",
    "gateway/binance/*": "edge",
    "gateway/binance/market/*": "pure",
    "gateway/binance/streams/*": "pure",
    "gateway/binance/user/*": "edge",
    "gateway/binance/ws_api/*": "edge",
    "gateway/history/*": "edge",
    "gateway/faults/*": "edge",
    "gateway/operations/*": "edge",
    "gateway/web/*": "edge",
    "crossbook/*": "edge",
    "crossbook/cli/*": "edge",
    "crossbook/cli/keys/*": "edge",
    "crossbook/cli/research/*": "edge",
    "crossbook/client/*": "edge",
    "crossbook/client/market/*": "pure",
    "crossbook/gym/*": "edge",
    "crossbook/launch/*": "edge",
    "crossbook/replay/*": "edge",
    "crossbook/research/*": "edge",
    "crossbook/testing/*": "edge",
    # May import zmq. So may every `service` and `__main__`.
    "*/service": "net",
    "*/__main__": "net",
}
"""Folder -> the kind of its modules; the last pattern that fits a module decides."""

OTHERWISE: Final[Mapping[str, str]] = {
    "common/process/connections": "net",
    "common/instruments_file": "edge",
    "common/open_files": "edge",
    "common/process/counters": "pure",
    "common/process/curve": "net",
    "common/process/fault_server": "net",
    "common/process/programs": "pure",
    "common/process/sockets": "net",
    "common/process/zap": "net",
    "crossbook/client/admin_client": "net",
    "crossbook/client/pending": "pure",
    "crossbook/client/async_client": "net",
    "crossbook/client/failures": "pure",
    "crossbook/client/market/followed_market": "net",
    "crossbook/client/logon": "pure",
    "crossbook/client/answers": "pure",
    "crossbook/client/known_instruments": "pure",
    "crossbook/client/view": "pure",
    "crossbook/client/order_entry": "net",
    "crossbook/client/own_orders": "pure",
    "crossbook/client/procedures": "pure",
    "crossbook/client/client": "net",
    "crossbook/client/market_data": "net",
    "crossbook/client/process_probe": "net",
    "crossbook/client/recent_trades": "net",
    "crossbook/client/recovery": "pure",
    "crossbook/client/request": "pure",
    "crossbook/client/session": "pure",
    "crossbook/errors": "pure",
    "crossbook/replay/check": "pure",
    "crossbook/replay/flow": "pure",
    "crossbook/replay/plain_book": "pure",
    "crossbook/replay/recording": "pure",
    "crossbook/replay/reference": "pure",
    "crossbook/replay/requests": "pure",
    "crossbook/research/feed_events": "pure",
    "crossbook/research/order_events": "pure",
    "crossbook/research/tables": "pure",
    "crossbook/simulator/display": "edge",
    "crossbook/simulator/runner": "net",
    "crossbook/testing/facts": "net",
    "crossbook/testing/waiting": "net",
    "gateway/api/bodies": "pure",
    "gateway/api/documents": "pure",
    "gateway/api/identity": "pure",
    "gateway/api/market_documents": "pure",
    "gateway/api/render": "pure",
    "gateway/auth/key_routes": "edge",
    "gateway/auth/sign_in": "edge",
    "gateway/binance/decimals": "pure",
    "gateway/binance/market/queries": "edge",
    "gateway/binance/market/recorded_market": "edge",
    "gateway/binance/order_counts": "pure",
    "gateway/binance/order_documents": "pure",
    "gateway/binance/order_requests": "pure",
    "gateway/binance/parameters": "pure",
    "gateway/binance/problem": "pure",
    "gateway/binance/streams/assembly": "edge",
    "gateway/binance/signing": "pure",
    "gateway/binance/states": "pure",
    "gateway/binance/symbols": "pure",
    "gateway/binance/weights": "pure",
    "gateway/limits/http": "edge",
    "gateway/book_waits": "edge",
    "gateway/faults/assembly": "net",
    "gateway/faults/fate": "pure",
    "gateway/faults/kept": "pure",
    "gateway/faults/links": "net",
    "gateway/faults/refusal": "pure",
    "gateway/history/link": "pure",
    "gateway/history/socket": "net",
    "gateway/interfaces": "net",
    "gateway/keys/matcher_admin": "net",
    "gateway/market_feed": "net",
    "gateway/operations/expositions": "pure",
    "gateway/operations/probes": "net",
    "gateway/operations/readiness": "pure",
    "gateway/orders/matcher_sockets": "net",
    "gateway/streams/loop": "edge",
    "gateway/web/admission": "pure",
    "gateway/web/channel": "pure",
    "gateway/web/hosts": "pure",
    "gateway/web/websocket": "net",
    "matcher/build": "edge",
    "matcher/faults/assembly": "net",
    "matcher/journal/record": "pure",
    "matcher/journal/segment": "pure",
    "matcher/metrics": "edge",
    "matcher/recovery/snapshot": "pure",
    "publisher/faults/assembly": "net",
    "publisher/key_lookup": "net",
    "publisher/metrics": "edge",
    "recorder/digest": "pure",
    "recorder/replica": "pure",
}
"""Modules that are of another kind than their folder."""

READS_CONFIG: Final = {
    "common/process/startup",
    "crossbook/client/process_probe",
    "crossbook/client/connection",
    "crossbook/cli/*",
    "crossbook/research/sources",
    "crossbook/launch/*",
    "gateway/interfaces",
    "crossbook/testing/plan",
}
"""Modules that may read settings besides `__main__`: a late import of the gateway, the first steps
of every `__main__`, the command line, the start of processes, and clients whose caller names no
address."""

PURE_LIBRARIES: Final = {
    "__future__", "abc", "array", "bisect", "collections", "contextlib", "dataclasses",
    "datetime", "enum", "functools", "hashlib", "heapq", "itertools", "msgspec", "operator",
    "re", "sortedcontainers", "string", "struct", "typing", "zlib",
}  # fmt: skip
"""All that a pure module may import from outside."""

PURE_EXCEPTIONS: Final = {
    ("common/keys", "ipaddress"): "compares an address with the networks of a key",
    ("common/faults/rule", "random"): "draws from a generator that it is given",
    ("common/faults/table", "random"): "each rule has a generator of its own seed",
    ("gateway/auth/signatures", "base64"): "decodes signatures",
    ("gateway/auth/signatures", "binascii"): "the same",
    ("gateway/auth/signatures", "cryptography"): "checks signatures, without any randomness",
    ("gateway/auth/signatures", "hmac"): "the same",
    ("gateway/binance/parameters", "urllib"): "decodes percent-encoding; no request is made",
    ("gateway/query", "urllib"): "decodes percent-encoding; no request is made",
    ("gateway/web/admission", "urllib"): "the same",
    ("gateway/repeated_names", "json"): "msgspec does not show both values of a name",
    ("gateway/web/hosts", "ipaddress"): "brings the text of an address into its one form",
    ("crossbook/client/answers", "decimal"): "users read amounts as Decimal; nothing is computed",
    ("crossbook/client/view", "decimal"): "the same",
    ("crossbook/client/own_orders", "decimal"): "the same",
    ("crossbook/client/known_instruments", "decimal"): "the same",
    ("crossbook/client/failures", "decimal"): "the same",
    ("crossbook/errors", "decimal"): "the same",
    ("crossbook/client/market/updates", "decimal"): "the same",
    ("common/following/local_book", "decimal"): "the same",
    ("crossbook/client/request", "decimal"): "users may give prices as Decimal; they leave as text",
    ("crossbook/simulator/chance", "math"): "the square root, which IEEE 754 defines exactly",
    ("crossbook/simulator/fundamental", "math"): "the same",
}

BORROWED: Final[Mapping[str, tuple[str, ...]]] = {
    "crossbook/research/*": ("crossbook.matcher.journal.", "crossbook.recorder."),
    "crossbook/simulator/venue": ("crossbook.gateway.orders.", "crossbook.matcher.engine."),
    "crossbook/testing/keeping": ("crossbook.matcher.journal.",),
}
"""Folder or module -> other imports that it may have. Research, and the kept journals of tests,
read the files of journal and recorder with the modules that write them. The venue of the simulator
is the engine behind the translation and the reports of the gateway, in one process."""

EXTRAS: Final[Mapping[str, str]] = {
    "crossbook/gym/*": "gym",
    "crossbook/research/*": "research",
    "crossbook/testing/*": "testing",
}
"""Folder -> the extra of `pyproject.toml` whose libraries its modules may import, too."""

STARTS_PROCESSES: Final = "crossbook/launch/fork_server"
"""The module that imports the `__main__` of every process once, and forks for each start."""

NEVER: Final = {"zmq.asyncio", "importlib", "pickle", "marshal"}
"""Forbidden imports, which are slow on hot sockets, hide imports from this test, or execute the
bytes that they decode."""


class Module(Struct, frozen=True):
    """One source file: its path without suffix, and every dotted name it imports."""

    path: str
    imports: frozenset[str]

    @property
    def name(self) -> str:
        """The name that imports use for the module."""
        parts = [part for part in self.path.split("/") if part != "__init__"]
        return ".".join(parts if parts[0] == "crossbook" else ["crossbook", *parts])

    @property
    def package(self) -> str:
        """The top-level folder."""
        return self.path.partition("/")[0]

    @property
    def last(self) -> str:
        """The file's own name."""
        return self.path.rpartition("/")[2]

    def kind(self) -> str:
        """The kind of a module; the empty text where no rule gives one."""
        folder = self.path.rpartition("/")[0]
        fits = [
            kind
            for pattern, kind in KINDS.items()
            if pattern == f"{folder}/*" or (pattern[0] == "*" and fnmatchcase(self.path, pattern))
        ]
        return OTHERWISE.get(self.path) or (fits[-1] if fits else "")

    def tops(self) -> set[str]:
        """The top-level names among the imports."""
        return {name.partition(".")[0] for name in self.imports}

    def packages(self) -> set[str]:
        """The packages of ours among the imports, but for borrowed ones."""
        folder = f"{self.path.rpartition('/')[0]}/*"
        borrowed = (*BORROWED.get(folder, ()), *BORROWED.get(self.path, ()))
        found = {
            name.split(".")[1]
            for name in self.imports
            if name.startswith("crossbook.") and not f"{name}.".startswith(borrowed or "-")
        }
        return {name if name in PACKAGES else "crossbook" for name in found}


def read_modules(root: Path, packages: Iterable[str]) -> list[Module]:
    """Every module under `packages`, with what it imports; conditional imports count too."""
    modules = []
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            place = path.relative_to(root).with_suffix("")
            modules.append(Module(place.as_posix(), frozenset(_imports(path.read_text()))))
    return modules


def _imports(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = f"{'.' * node.level}{node.module or ''}"
            yield origin
            # `from crossbook.common import types` imports a module, `from x import Name` a name:
            # both are listed, and only the ones that are modules match a rule.
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Name) and node.id == "__import__":
            yield "importlib"


def breaches(modules: list[Module]) -> list[str]:
    """One line for each import and each module that breaks a rule."""
    found = []
    named = {module.name: module for module in modules}
    for module in modules:
        ours = [named[name] for name in sorted(module.imports) if name in named]
        kind = module.kind()
        is_main = module.last == "__main__"
        if not kind:
            found.append(f"{module.path}: unclassified; give its kind in {Path(__file__).name}")
        starts = module.path == STARTS_PROCESSES
        if (foreign := module.packages() - {module.package, "common"}) and not starts:
            found.append(f"{module.path}: may not import {sorted(foreign)}")
        if outside := module.tops() & {"tests", "bench", "tools", *PACKAGES[:1], *PACKAGES[2:]}:
            found.append(f"{module.path}: may not import {sorted(outside)}")
        if relative := sorted(name for name in module.imports if name.startswith(".")):
            found.append(f"{module.path}: imports {relative[0]} without its whole name")
        if never := {name for name in module.imports if name in NEVER}:
            found.append(f"{module.path}: may not import {sorted(never)}")
        if "zmq" in module.tops() and kind != "net":
            found.append(f"{module.path}: may not import zmq")
        reads = is_main or any(fnmatchcase(module.path, pattern) for pattern in READS_CONFIG)
        if "crossbook.common.process.config" in module.imports and not reads:
            found.append(f"{module.path}: may not read the settings")
        # A service behind fault rules extends the one without them.
        if not is_main and not starts and not module.path.endswith("/faults/service"):
            shells = [each for each in ours if each.last in ("service", "__main__")]
            found += [f"{module.path}: may not import {each.name}" for each in shells]
        if kind == "pure":
            found += _impurities(module, ours)
    return found


def _impurities(module: Module, ours: list[Module]) -> list[str]:
    outside = module.tops() - {"crossbook"} - PURE_LIBRARIES
    allowed = {top for path, top in PURE_EXCEPTIONS if path == module.path}
    # A package is imported with each of its modules; its face touches nothing for them.
    impure = {each.name for each in ours if each.kind() != "pure" and each.last != "__init__"}
    return [
        f"{module.path}: is pure and may not import {name}"
        for name in sorted((outside - allowed) | impure)
    ]


def test_every_import_is_allowed() -> None:
    found = breaches(read_modules(ROOT, PACKAGES))
    assert not found, "\n".join(found)


def test_a_named_module_exists_and_differs_from_its_folder() -> None:
    paths = {module.path for module in read_modules(ROOT, PACKAGES)}
    assert not OTHERWISE.keys() - paths
    assert {path for path, _ in PURE_EXCEPTIONS} <= paths
    folders = {f"{path.rpartition('/')[0]}/*" for path in paths}
    named = {pattern for pattern in (*KINDS, *BORROWED, *EXTRAS) if pattern[0] != "*"}
    assert not named - folders - paths
    idle = {
        path for path, kind in OTHERWISE.items() if KINDS[f"{path.rpartition('/')[0]}/*"] == kind
    }
    assert not idle


def test_rooms_have_few_enough_modules_for_one_screen() -> None:
    for package in PACKAGES:
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            count = sum(path.name != "__init__.py" for path in folder.glob("*.py"))
            assert count <= FILES_MAX, f"{folder.relative_to(ROOT)}: {count} files"


FILES_MAX: Final = 24
"""Modules of one folder."""


def test_services_are_imported_by_their_main_and_system_tests_only() -> None:
    shells = {
        module.name
        for module in read_modules(ROOT, PACKAGES)
        if module.last in ("service", "__main__")
    }
    found = [
        f"{module.path}: may not import {sorted(module.imports & shells)}"
        for module in read_modules(ROOT, ("bench", "tests"))
        if not module.path.startswith("tests/system/") and module.imports & shells
    ]
    assert not found


def test_third_party_libraries_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    always = {*sys.stdlib_module_names, "crossbook", *map(_import_name, project["dependencies"])}
    undeclared = {
        f"{module.path}: {name}"
        for module in read_modules(ROOT, PACKAGES)
        for name in module.tops() - always - _libraries_of_extra(module, extras)
    }
    assert not undeclared


def _libraries_of_extra(module: Module, extras: Mapping[str, list[str]]) -> set[str]:
    extra = EXTRAS.get(f"{module.path.rpartition('/')[0]}/*")
    return {_import_name(line) for line in extras[extra]} if extra else set()


def _import_name(requirement: str) -> str:
    name = requirement.partition(">")[0].partition("=")[0]
    return {
        "python-dotenv": "dotenv",
        "pyzmq": "zmq",
        "hdrhistogram": "hdrh",
        "swagger-ui-py": "swagger_ui",
    }.get(name, name.replace("-", "_"))


C: Final = "crossbook.common"
M: Final = "crossbook.matcher"


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("common/types.py", f"import {M}.engine.book", "may not import ['matcher']"),
        ("common/types.py", "import socket", "is pure and may not import socket"),
        ("matcher/engine/book.py", "from time import time_ns", "is pure and may not import time"),
        (
            "matcher/engine/book.py",
            "def f():\n    import random",
            "is pure and may not import rand",
        ),
        ("matcher/engine/book.py", f"from {C}.process import clock", f"may not import {C}.process"),
        ("matcher/engine/book.py", "from zmq import Socket", "may not import zmq"),
        ("matcher/engine/book.py", "__import__('os')", "may not import ['importlib']"),
        ("matcher/engine/book.py", f"from {M}.service import a", f"may not import {M}.service"),
        ("matcher/engine/book.py", "from .order import a", "without its whole name"),
        ("matcher/service.py", f"import {C}.process.config", "may not read the settings"),
        ("matcher/attic/new.py", "", "unclassified"),
        ("gateway/service.py", f"from {M} import sequencer", "may not import ['matcher']"),
        ("gateway/service.py", "import crossbook.publisher", "may not import ['publisher']"),
        ("gateway/service.py", "import common.types", "may not import ['common']"),
        ("gateway/service.py", "from zmq import asyncio", "may not import ['zmq.asyncio']"),
        ("publisher/__main__.py", "import crossbook.gateway.service", "may not import ['gateway']"),
        ("crossbook/__main__.py", f"import {M}.engine", "may not import ['matcher']"),
        ("crossbook/research/rows.py", f"import {M}.engine", "may not import ['matcher']"),
        ("common/process/config.py", "from tests import model", "may not import ['tests']"),
    ],
)
def test_a_breach_is_found(tmp_path: Path, path: str, source: str, complaint: str) -> None:
    files = {
        "common/process/clock.py": "import time",
        "common/process/config.py": "import pydantic",
        "common/types.py": "from enum import IntEnum",
        "matcher/engine/book.py": f"from {C} import types",
        "crossbook/research/rows.py": f"import {M}.journal.disk",
        "matcher/service.py": f"import zmq\nfrom {M}.engine import book",
        "matcher/__main__.py": f"from {M} import service\nimport {C}.process.config",
    }
    assert not breaches(read_modules(written(tmp_path / "sound", files), PACKAGES))
    found = breaches(read_modules(written(tmp_path / "broken", {**files, path: source}), PACKAGES))
    assert found
    assert any(complaint in line for line in found), found


def written(root: Path, files: dict[str, str]) -> Path:
    """The root, with these files below it."""
    for name, source in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root
