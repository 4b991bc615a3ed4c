"""The sources of a compiled build."""

from pathlib import Path

import pytest

from crossbook.matcher.build import compiled_directory, why_not_compiled
from tools import compile as compiling

FILES = ("common/deep/types.py", "common/grid.py", "matcher/engine/rules/fees.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Empty files: the compiled modules, and others in folders within folders."""
    for name in (*FILES, *(f"matcher/engine/{module}.py" for module in compiling.MODULES)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def test_a_change_in_a_folder_within_a_folder_makes_a_build_stale(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []

    def compile_nothing(source: Path, modules: Path, objects: Path, paths: list[str]) -> None:
        copied.extend(path for path in FILES if (source / "crossbook" / path).is_file())
        modules.mkdir(parents=True)

    monkeypatch.setattr(compiling, "_compile", compile_nothing)
    compiling.build(tree)
    assert copied == list(FILES)
    assert why_not_compiled(tree) == ""
    for name in FILES:
        (tree / name).write_text("x = 1\n")
        assert f"is stale: {name} changed" in why_not_compiled(tree)
        (tree / name).write_text("")
    assert compiled_directory(tree).is_dir()
