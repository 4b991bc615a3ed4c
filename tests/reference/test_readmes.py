"""Every folder has a README of one screen that leads to its documentation."""

from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = (
    "common", "crossbook", "gateway", "matcher", "publisher", "recorder", "tests", "tools",
)  # fmt: skip
LINES_MAX: Final = 60


@pytest.mark.parametrize("folder", FOLDERS)
def test_readme_is_short_and_leads_to_the_documentation(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text()
    assert text.startswith(f"# {folder}\n")
    assert text.count("\n") <= LINES_MAX
    assert "**To know:**" in text
    assert "](../docs/" in text.partition("Documentation:")[2]


@pytest.mark.parametrize("folder", ["common", "gateway", "matcher", "crossbook", "tests"])
def test_readme_names_every_room(folder: str) -> None:
    text = (ROOT / folder / "README.md").read_text()
    inside = (ROOT / folder).glob("*/*")
    rooms = {path.parent.name for path in inside if not path.parent.is_symlink()}
    rooms -= {"__pycache__"}
    assert not [room for room in rooms if f"`{room}/`" not in text]
