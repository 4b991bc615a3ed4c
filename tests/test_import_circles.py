"""Modules that import each other in a circle."""

from pathlib import Path

from tests.test_architecture import PACKAGES, ROOT, C, Module, read_modules, written


def circles(modules: list[Module]) -> list[frozenset[str]]:
    """Groups of modules each of which imports, directly or not, all others of its group."""
    named = {module.name: module.path for module in modules if module.last != "__init__"}
    after = {
        module.path: {named[name] for name in module.imports if name in named} for module in modules
    }
    reached: dict[str, set[str]] = {}
    for path in after:
        seen: set[str] = set()
        ahead = list(after[path])
        while ahead:
            if (one := ahead.pop()) not in seen:
                seen.add(one)
                ahead += after[one]
        reached[path] = seen
    found = {
        frozenset(other for other in reached[path] if path in reached[other])
        for path in after
        if path in reached[path]
    }
    return sorted(found, key=sorted)


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert [sorted(group) for group in circles(read_modules(ROOT, PACKAGES))] == []


def test_a_circle_is_found(tmp_path: Path) -> None:
    files = {
        "common/a.py": f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {C}.b",
        "common/b.py": f"from {C} import c",
        "common/c.py": f"from {C}.a import x",
        "common/d.py": f"from {C} import a",
    }
    found = circles(read_modules(written(tmp_path, files), PACKAGES))
    assert found == [frozenset({"common/a", "common/b", "common/c"})]
