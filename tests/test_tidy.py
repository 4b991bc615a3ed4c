"""Sizes, names and leftovers, which a review need not check."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("common", "crossbook", "gateway", "matcher", "publisher", "recorder")
FOLDERS: Final = (*PACKAGES, "bench", "examples", "tests", "tools")

FILE_LINES_MAX: Final = 500
FUNCTION_LINES_MAX: Final = 60
COLUMNS_MAX: Final = 100

LONGER_FUNCTIONS: Final[dict[str, str]] = {
    "matcher/engine/new_order.py::new_order": "the hot path: a call for a part costs what it saves",
}
"""`path::function` -> why it may be longer than a screen."""

PRINTS: Final = {
    "common/process/startup.py": "prints on standard error why a process does not start",
}
"""Files of the processes that print; everything else there logs."""

LEFTOVERS: Final = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b|\bbreakpoint\(|\bpdb\b")
PRAGMA: Final = re.compile(r"  # (?:type: ignore|noqa|fmt:).*")
HOME_PATHS: Final = re.compile(r"(?<![\w.}])/(?:home|root|work|Users)/\w")
LINKS: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
GENERATED: Final = {"bench/results"}
PLACES: Final = re.compile(rf"`((?:{'|'.join((*FOLDERS, 'docs'))})/[\w./]*)(?::([\w.]+))?`")


def python_files(*folders: str) -> Iterator[Path]:
    """Every Python file under `folders`."""
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def text_files() -> Iterator[Path]:
    """Every text file of the project, outside hidden and generated folders."""
    suffixes = {".py", ".md", ".toml", ".example", ".sh", ".js", ".css", ".html", ""}
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in suffixes and path.name not in (".env", ".git"):
            yield path
    yield from sorted((ROOT / ".ci").iterdir())
    for folder in (*FOLDERS, "docs"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes:
                yield path


def page_files() -> Iterator[Path]:
    """The files of the page that a browser loads."""
    return (path for path in text_files() if path.suffix in {".js", ".css", ".html"})


def markdown_files() -> Iterator[Path]:
    """Every page of documentation."""
    yield from (path for path in text_files() if path.suffix == ".md")
    yield from sorted((ROOT / ".github").rglob("*.md"))


def relative(path: Path) -> str:
    """The path of a file within this repository."""
    return path.relative_to(ROOT).as_posix()


def oversized_functions(source: str, name: str) -> Iterator[str]:
    """`name::function: N lines` for each function longer than a screen."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX and f"{name}::{node.name}" not in LONGER_FUNCTIONS:
                yield f"{name}::{node.name}: {lines} lines"


def undocumented(source: str, name: str) -> Iterator[str]:
    """The module, public classes and public functions that lack a docstring."""
    tree = ast.parse(source)
    if tree.body and not ast.get_docstring(tree):
        yield f"{name}: module"
    for node in tree.body:
        if (
            isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ):
            yield f"{name}::{node.name}"


def calls(source: str, function: str) -> Iterator[int]:
    """Lines that call `function`, by its bare or dotted name."""
    if function.rpartition(".")[2] not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
            yield node.lineno


def anchors(page: str) -> set[str]:
    """The anchors that a page's headings get."""
    headings = re.findall(r"^#+\s+(.+?)\s*$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def without_blocks(page: str) -> str:
    """A page without its blocks of code, which have neither headings nor links."""
    return re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)


def broken_links(path: Path) -> Iterator[str]:
    """Links of a page whose file or heading does not exist; links to the web are not checked."""
    for match in LINKS.finditer(without_blocks(path.read_text())):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (path.parent / place) if place else path
        if not target.exists() or (
            anchor and target.suffix == ".md" and anchor not in anchors(target.read_text())
        ):
            yield f"{path.name}: {link}"


def names(source: str) -> set[str]:
    """The names that a module defines at its top and in its classes: `f`, `C`, `C.method`,
    `CONSTANT`."""
    found = set()
    pending = [("", node) for node in ast.parse(source).body]
    while pending:
        before, node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(before + node.name)
        if isinstance(node, ast.ClassDef):
            pending += [(f"{before}{node.name}.", each) for each in node.body]
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {before + each.id for each in targets if isinstance(each, ast.Name)}
    return found


def missing_places(page: str) -> Iterator[str]:
    """The places in code, `path` or `path:name`, that a page names and that are not there."""
    for path, name in PLACES.findall(re.sub(r"\[[^\]]*\]\([^)]*\)", "", page)):
        if path.rstrip("/") in GENERATED:
            continue
        if not (ROOT / path).exists():
            yield path
        elif name and name not in names((ROOT / path).read_text()):
            yield f"{path}:{name}"


def report(found: Iterable[str]) -> None:
    """Fail with one line per finding."""
    lines = list(found)
    assert not lines, "\n" + "\n".join(lines)


def test_errors_of_decoders_are_caught_by_one_name() -> None:
    """The error for bad bytes differs between versions of msgspec: `BAD_BYTES` has all of them."""
    report(
        f"{relative(path)}:{node.lineno}"
        for path in python_files(*PACKAGES)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and node.type is not None
        if re.search(r"\b(MsgspecError|DecodeError)\b", ast.unparse(node.type))
    )


def test_files_are_short() -> None:
    paths = (*python_files(*FOLDERS), *page_files())
    counts = {relative(path): path.read_text().count("\n") for path in paths}
    report(f"{name}: {count}" for name, count in counts.items() if count > FILE_LINES_MAX)


def test_functions_fit_on_a_screen() -> None:
    found: list[str] = []
    for path in python_files(*FOLDERS):
        found += oversized_functions(path.read_text(), relative(path))
    report(found)


def test_exceptions_are_still_needed() -> None:
    for name in LONGER_FUNCTIONS:
        path, _, function = name.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text()
    for path in PRINTS:
        assert list(calls((ROOT / path).read_text(), "print"))


def test_lines_fit() -> None:
    found: list[str] = []
    for path in (*python_files(*FOLDERS), *page_files()):
        lines = enumerate(path.read_text().splitlines(), 1)
        found += (
            f"{relative(path)}:{n}" for n, line in lines if len(PRAGMA.sub("", line)) > COLUMNS_MAX
        )
    report(found)


def test_every_public_name_is_documented() -> None:
    found: list[str] = []
    for path in python_files(*PACKAGES):
        found += undocumented(path.read_text(), relative(path))
    report(found)


def test_no_leftovers() -> None:
    found = []
    for path in text_files():
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if LEFTOVERS.search(line) or HOME_PATHS.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()}")
    report(found)


def test_processes_log_and_never_print() -> None:
    for path in python_files("common", "gateway", "matcher", "publisher", "recorder"):
        if relative(path) not in PRINTS:
            report(f"{relative(path)}:{line}" for line in calls(path.read_text(), "print"))


def test_tests_never_sleep_to_wait() -> None:
    for path in python_files("tests"):
        for function in ("time.sleep", "sleep", "asyncio.sleep"):
            report(f"{relative(path)}:{line}" for line in calls(path.read_text(), function))


def test_folders_of_tests_are_packages() -> None:
    # Two test files of one name would otherwise be one module, and `tests/common` would hide
    # the package `common`.
    folders = {path.parent for path in python_files("tests")}
    report(relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists())


def test_links_resolve() -> None:
    for path in markdown_files():
        report(broken_links(path))


def test_every_page_is_linked_from_an_index() -> None:
    found = {(ROOT / "docs" / "index.md").resolve()}
    for index in (ROOT / "docs").rglob("index.md"):
        for match in LINKS.finditer(without_blocks(index.read_text())):
            found.add((index.parent / (match[1] or "").partition("#")[0]).resolve())
    report(relative(path) for path in (ROOT / "docs").rglob("*.md") if path not in found)


def test_every_place_that_a_page_names_exists() -> None:
    report(
        f"{relative(path)}: {place}"
        for path in markdown_files()
        for place in missing_places(path.read_text())
    )


def test_the_architecture_names_where_everything_is() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    found = PLACES.findall(page)
    assert len(found) > 60
    assert sum(bool(name) for _, name in found) > 30
    chapter = page.partition("## Where is it?\n")[2].partition("\n## ")[0]
    rows = chapter.strip().splitlines()[2:]
    assert len(rows) == 6
    for row in rows:
        assert PLACES.search(row), row


def test_a_missing_place_is_found() -> None:
    page = "`tests/test_tidy.py:names` `tests/gone.py` `tests/test_tidy.py:gone` `tests/`"
    assert list(missing_places(page)) == ["tests/gone.py", "tests/test_tidy.py:gone"]
    assert names("class A:\n    B = 1\n    def c(self): ...\nD: int = 2") == {
        "A", "A.B", "A.c", "D",
    }  # fmt: skip


def test_the_scripts_of_ci_are_executable() -> None:
    paths = list((ROOT / ".ci").iterdir())
    assert ROOT / ".ci" / "run" in paths
    assert all(path.stat().st_mode & 0o111 for path in paths)


@pytest.mark.parametrize(
    ("check", "source"),
    [
        (oversized_functions, "def f():\n" + "    x = 1\n" * 60),
        (undocumented, "x = 1"),
        (undocumented, '"""Module."""\nclass Order:\n    pass'),
        (undocumented, '"""Module."""\nasync def match():\n    pass'),
    ],
)
def test_a_breach_is_found(check: object, source: str) -> None:
    assert callable(check)
    assert list(check(source, "name"))


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(
        "# A title\n[here](#a-title) [gone](missing.md) [no](#nowhere) [w](https://x)\n"
        "```console\n# no title\n[no link](b.md)\n```\n[remark](#no-title)\n"
    )
    assert list(broken_links(page)) == [
        f"README.md: {link}" for link in ("missing.md", "#nowhere", "#no-title")
    ]


def test_a_leftover_is_found() -> None:
    assert LEFTOVERS.search("x = 1  # TO" + "DO later")
    assert HOME_PATHS.search("open('/ho" + "me/someone/file')")
    assert not HOME_PATHS.search("https://example.org/home/page")
    assert list(calls("import time\ntime.sleep(1)", "time.sleep")) == [2]
