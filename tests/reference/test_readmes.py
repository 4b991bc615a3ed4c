"""Every folder has a README of one screen that links its documentation."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = (
    "common", "crossbook", "gateway", "matcher", "publisher", "recorder", "tests", "tools",
)  # fmt: skip
LINES_MAX: Final = 60


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_readme_is_short_and_links_the_documentation(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text()
    assert text.startswith(f"# {folder}\n")
    assert text.count("\n") <= LINES_MAX
    assert "**To know:**" in text
    assert "](../docs/" in text.partition("Documentation:")[2]


@pytest.mark.parametrize("folder", ["common", "gateway", "matcher", "crossbook", "tests"])
def test_a_readme_names_every_room(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text()
    inside = (ROOT / folder).glob("*/*")
    rooms = {path.parent.name for path in inside if not path.parent.is_symlink()}
    rooms -= {"__pycache__"}
    assert not [room for room in rooms if f"`{room}/`" not in text]


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_that_a_readme_names_exist(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text()
    named = set(re.findall(r"`([\w/]+\.(?:py|toml))`", text))
    known = {path.name for path in (ROOT / folder).rglob("*.*")}
    assert not [name for name in named if name not in known and not (ROOT / name).exists()]


def test_files_that_the_reference_names_exist() -> None:
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    named = {name for path in pages for name in re.findall(r"`([\w/]+/\w+\.py)`", path.read_text())}
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]
