"""The pages of docs/reference/, and the tables in them."""

import re
from pathlib import Path
from typing import Final

REFERENCE: Final = Path(__file__).resolve().parents[2] / "docs" / "reference"


def page(name: str) -> str:
    """The text of `docs/reference/NAME.md`."""
    return (REFERENCE / f"{name}.md").read_text()


def section(text: str, heading: str) -> str:
    """The part of a page below a heading, up to the next heading of its rank or above."""
    marks = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert marks, f"no heading {heading}"
    below = text[marks.end() :]
    end = re.search(rf"^#{{1,{len(marks[1])}}} ", below, re.MULTILINE)
    return below[: end.start()] if end else below


def rows(text: str) -> list[list[str]]:
    """The cells of every table row; rows of dashes, and the headers above them, are left out.

    >>> rows("| a | b |\\n|---|--:|\\n| 1 | `x` |\\n")
    [['1', '`x`']]
    """
    lines = [line for line in text.splitlines() if line.startswith("|")]
    dashes = [n for n, line in enumerate(lines) if re.fullmatch(r"\|[-:|]+\|", line)]
    headers = {n - 1 for n in dashes}
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for n, line in enumerate(lines)
        if n not in headers and n not in dashes
    ]
