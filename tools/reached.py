"""A pytest plugin: note which functions each test runs, or run only tests that were chosen so.

`pytest -p tools.reached --reached-into FILE` writes the notes; `--reached-only FILE` runs the tests
whose names that file holds.
"""

import os
import resource
import sys
import threading
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from types import CodeType, FrameType

import msgspec
import pytest
from msgspec import Struct

MEMORY_MAX = 6 << 30
"""Bytes that a test process may map: a defect may well make a loop that keeps what it makes."""

_STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"}


class Reached(Struct):
    """The functions that tests ran. A name of a test stands for all of its file when it has no
    `::`.

    `functions` are by `path:name`, a method's with its class before it. The test without a name is
    the import of modules.
    """

    functions: dict[str, list[str]]
    starters: list[str]
    """Tests that start processes, in which anything may run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    parser.addoption("--reached-into")
    parser.addoption("--reached-only")


def pytest_configure(config: pytest.Config) -> None:
    """Bound the memory of these tests, and begin to note, if the option is given."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    into = config.getoption("--reached-into")
    if into:
        config.pluginmanager.register(_Notes(config.rootpath, Path(into)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that were not chosen."""
    only = config.getoption("--reached-only")
    if only:
        chosen = set(Path(only).read_text().split("\n"))
        kept = [each for each in items if {each.nodeid, file_of(each.nodeid)} & chosen]
        config.hook.pytest_deselected(items=[each for each in items if each not in kept])
        items[:] = kept


class _Notes:
    """Code that ran, by the test it ran in, or by the file whose fixture outlives one test."""

    def __init__(self, root: Path, into: Path) -> None:
        self._root = f"{root}/"
        self._into = into
        self._ran: dict[str, set[CodeType]] = defaultdict(set)
        self._starters: set[str] = set()
        self._name = ""
        self._current = self._ran[self._name]
        sys.addaudithook(self._audit)
        threading.settrace(self._call)
        sys.settrace(self._call)

    def _call(self, frame: FrameType, event: str, arg: object) -> None:
        self._current.add(frame.f_code)

    def _audit(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _STARTS and self._name:
            self._starters.add(self._name)

    def _turn(self, name: str) -> Iterator[None]:
        before, self._name = self._name, name
        self._current = self._ran[name]
        yield
        self._name = before
        self._current = self._ran[before]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Functions from here on run in this test."""
        sys.settrace(self._call)
        return (yield from self._turn(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """A fixture that other tests use too runs in all of the file."""
        name = self._name if fixturedef.scope == "function" else file_of(self._name)
        return (yield from self._turn(name))

    def pytest_sessionfinish(self) -> None:
        """Write it all."""
        sys.settrace(None)
        # A folder may be reached by a link: its files are noted where they lie.
        root = f"{os.path.realpath(self._root)}/"
        paths = {
            name: os.path.realpath(name).removeprefix(root)
            for name in {code.co_filename for codes in self._ran.values() for code in codes}
            if name.startswith(self._root)
        }
        functions = defaultdict(set)
        for test, codes in self._ran.items():
            for code in codes:
                path = paths.get(code.co_filename, "")
                if path and not path.startswith((".", "/")):
                    functions[f"{path}:{_function(code)}"].add(test)
        noted = Reached(
            {name: _sorted(tests) for name, tests in functions.items()}, _sorted(self._starters)
        )
        self._into.write_bytes(msgspec.json.encode(noted))


def _function(code: CodeType) -> str:
    """The method or the function of a module that this is in."""
    parts = code.co_qualname.split(".")
    inner = [place for place, part in enumerate(parts) if part.startswith("<")]
    return ".".join(parts[: inner[0]] if inner else parts)


def file_of(test: str) -> str:
    """The file that a test of this name is in."""
    return test.partition("::")[0]


def _sorted(tests: Collection[str]) -> list[str]:
    """In order, without those whose whole file is among them."""
    return sorted(test for test in tests if "::" not in test or file_of(test) not in tests)
