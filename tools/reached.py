"""A pytest plugin: note which functions each test runs, or run only tests that were chosen so.

With `REACHED_INTO=FOLDER` and `tools/at_start` in PYTHONPATH, `pytest -p tools.reached` writes the
notes to FOLDER/notes.json: the functions of this process and of every Python process that tests
start. `--reached-only FILE` runs the tests whose names that file holds, in the order of their
files there; `--reached-last FILE` keeps the name of the last test that was begun.
"""

import os
import resource
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from tools.reached_hook import FUNCTIONS, INTO, begin, running_test

MEMORY_MAX = 6 << 30
"""Bytes that a test process may map: a defect may well make a loop that keeps what it makes."""

NOTES = "notes.json"


class Reached(Struct):
    """The functions that tests ran. A name of a test stands for all of its file when it has no
    `::`.

    `functions` are by `path:name`, a method's with its class before it. The test without a name is
    the import of modules.
    """

    functions: dict[str, list[str]] = {}
    seconds: dict[str, float] = {}
    """The time of each test, with its fixtures."""
    failed: list[str] = []
    """Tests that failed while this was noted: a failure with a defect may have the same reason."""

    def add(self, other: "Reached") -> None:
        """Have the tests of another run, too."""
        for name, tests in other.functions.items():
            self.functions[name] = _sorted({*self.functions.get(name, ()), *tests})
        self.seconds |= other.seconds
        self.failed += other.failed

    def cheapest_first(self, tests: Iterable[str]) -> list[str]:
        """By file, those first whose tests take least; a name of a whole file takes all of it."""
        cost: dict[str, float] = defaultdict(float)
        by_file: dict[str, list[str]] = defaultdict(list)
        for test in tests:
            by_file[file_of(test)].append(test)
            cost[file_of(test)] += self.cost(test)
        return [test for file in sorted(cost, key=cost.__getitem__) for test in by_file[file]]

    def cost(self, test: str) -> float:
        """Seconds of a test, or of all of a file or a folder."""
        if "::" in test:
            return self.seconds.get(test, 0.0)
        return sum(took for name, took in self.seconds.items() if is_of(name, test))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The two options."""
    parser.addoption("--reached-only")
    parser.addoption("--reached-last")


def pytest_configure(config: pytest.Config) -> None:
    """Bound the memory of these tests, and begin to note, if the folder is given."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    into = os.environ.get(INTO)
    if into:
        config.pluginmanager.register(_Notes(config.rootpath, Path(into)))
    last = config.getoption("--reached-last")
    if last:
        config.pluginmanager.register(_Last(Path(last)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that were not chosen, and order the files as they were named."""
    only = config.getoption("--reached-only")
    if only:
        names = Path(only).read_text().split("\n")
        chosen = set(names)
        kept = [each for each in items if {each.nodeid, file_of(each.nodeid)} & chosen]
        config.hook.pytest_deselected(items=[each for each in items if each not in kept])
        order = {file: place for place, file in enumerate(dict.fromkeys(map(file_of, names)))}
        items[:] = sorted(kept, key=lambda each: order[file_of(each.nodeid)])


class _Last:
    """Keeps the name of the test that was begun last, also where the process is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins."""
        self._path.write_text(nodeid)


class _Notes:
    """Functions that ran, by the test they ran in, or by the file whose fixture outlives one
    test."""

    def __init__(self, root: Path, into: Path) -> None:
        self._root = root
        self._into = into
        self._test = running_test(into)
        self._numbers: dict[str, int] = {"": 0}
        self._name = ""
        self._seconds: dict[str, float] = defaultdict(float)
        self._failed: set[str] = set()

    def _turn(self, name: str) -> Iterator[None]:
        before, self._name = self._name, name
        self._test[0] = self._numbers.setdefault(name, len(self._numbers))
        yield
        self._name = before
        self._test[0] = self._numbers[before]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Functions from here on run in this test."""
        # A test may have ended the noting.
        begin()
        return (yield from self._turn(item.nodeid))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """A fixture that other tests use too runs in all of the file."""
        name = self._name if fixturedef.scope == "function" else file_of(self._name)
        return (yield from self._turn(name))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the time of a part of a test."""
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write it all."""
        functions = _functions(self._into / FUNCTIONS, self._root, list(self._numbers))
        noted = Reached(functions, dict(self._seconds), sorted(self._failed))
        (self._into / NOTES).write_bytes(msgspec.json.encode(noted))


def _functions(noted: Path, root: Path, names: list[str]) -> dict[str, list[str]]:
    """The tests of each function, from the lines of all processes."""
    # A folder may be reached by a link: its files are noted where they lie.
    real = f"{os.path.realpath(root)}/"
    paths: dict[str, str] = {}
    functions: dict[str, set[str]] = defaultdict(set)
    with noted.open() as lines:
        for line in lines:
            number, path, function = line.rstrip("\n").split("\t")
            if path not in paths:
                paths[path] = os.path.realpath(path).removeprefix(real)
            if not paths[path].startswith((".", "/")):
                functions[f"{paths[path]}:{_outer(function)}"].add(names[int(number)])
    return {name: _sorted(tests) for name, tests in functions.items()}


def _outer(function: str) -> str:
    """The method or the function of a module that this one is in.

    >>> _outer("Box.put.<locals>.inner"), _outer("<module>")
    ('Box.put', '')
    """
    parts = function.split(".")
    inner = [place for place, part in enumerate(parts) if part.startswith("<")]
    return ".".join(parts[: inner[0]] if inner else parts)


def file_of(test: str) -> str:
    """The file that a test of this name is in."""
    return test.partition("::")[0]


def is_of(test: str, name: str) -> bool:
    """Whether a test has this name, or is of the file or the folder of this name.

    >>> is_of("tests/a/test_b.py::test_c", "tests/a"), is_of("tests/ab/test_c.py", "tests/a")
    (True, False)
    """
    return test == name or test.startswith((f"{name}::", f"{name}/"))


def _sorted(tests: Collection[str]) -> list[str]:
    """In order, without those whose whole file is among them."""
    return sorted(test for test in tests if "::" not in test or file_of(test) not in tests)
