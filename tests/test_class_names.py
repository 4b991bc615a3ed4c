"""One noun names one class: no name of a class stands in two modules of the product."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDERS: Final = (
    "bench", "common", "crossbook", "gateway", "matcher", "publisher", "recorder", "tools",
)  # fmt: skip

VIEWS: Final[Mapping[str, str]] = {
    "crossbook/client/answers:*": "messages of order entry, as users of the client read them",
    "crossbook/client/market/updates:*": "messages of the feed, as users of the client read them",
    "crossbook/client/own_orders:Orders": "public; `Orders` among the messages is the answer",
    "crossbook/testing/values:*": "orders and trades, as the author of a test writes them",
}
"""`module:Class` -> the reason why its name may be that of another class, which it shows at the
boundary of a user."""


def classes(folders: Iterable[str]) -> Iterator[str]:
    """`module:Class` of every class."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            module = path.relative_to(ROOT).with_suffix("").as_posix()
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef):
                    yield f"{module}:{node.name}"


def repeated(found: Iterable[str]) -> dict[str, list[str]]:
    """The names that stand more than once, and where."""
    places: dict[str, list[str]] = {}
    for each in found:
        places.setdefault(each.rpartition(":")[2], []).append(each)
    return {name: where for name, where in places.items() if len(where) > 1}


def is_view(each: str) -> bool:
    """Whether the class shows another one, and has its name."""
    return any(fnmatchcase(each, pattern) for pattern in VIEWS)


def test_no_two_classes_have_one_name() -> None:
    found = repeated(each for each in classes(FOLDERS) if not is_view(each))
    assert not found, "\n".join(f"{name}: {', '.join(where)}" for name, where in found.items())


def test_every_exception_is_needed() -> None:
    twice = [each for where in repeated(classes(FOLDERS)).values() for each in where]
    idle = [name for name in VIEWS if not any(fnmatchcase(each, name) for each in twice)]
    assert not idle


def test_a_name_in_two_modules_is_found() -> None:
    found = ["common/a:Order", "gateway/b:Trade", "gateway/c:Order"]
    assert repeated(found) == {"Order": ["common/a:Order", "gateway/c:Order"]}
