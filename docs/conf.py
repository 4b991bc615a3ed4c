"""How `make docs` builds the site: Sphinx reads the Markdown of this folder, Furo draws it.

The pages are plain Markdown, which any viewer of the repository shows as well. Two things are
added while a page is read: an `index.md` gets the tables of contents that its own links name, and a
link that leaves this folder leads to the file in the repository at `DOCS_SOURCE_URL`, or becomes
text where that is not set.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCE_URL = os.environ.get("DOCS_SOURCE_URL", "").rstrip("/")
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)

project = "Crossbook"
release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
html_title = f"{project} {release}"
html_theme = "furo"
html_copy_source = False
html_show_copyright = False
extensions = ["myst_parser"]
myst_heading_anchors = 4


def tables_of_contents(page: str) -> str:
    """A hidden table of contents for each chapter of an `index.md`: the pages that it links."""
    found = ""
    for number, chapter in enumerate(page.split("\n## ")):
        heading = chapter.partition("\n")[0]
        title = f":caption: {heading}\n" if number else ""
        links = [link.partition("#")[0] for _, link in LINK.findall(chapter)]
        pages = dict.fromkeys(link for link in links if link.endswith(".md") and ".." not in link)
        if pages:
            listed = "\n".join(pages)
            found += f"\n```{{toctree}}\n:hidden:\n{title}\n{listed}\n```\n"
    return found


def lead_out(text: str, folder: Path) -> str:
    """Replace the links of a page that leave this folder."""

    def replaced(match: re.Match[str]) -> str:
        words, link = match.groups()
        place, _, anchor = link.partition("#")
        target = (folder / place).resolve()
        inside = not place or target.is_relative_to(HERE)
        if re.match(r"[a-z]+:", link) or inside or not target.exists():
            return match[0]
        name = target.relative_to(ROOT).as_posix()
        if SOURCE_URL:
            return f"[{words}]({SOURCE_URL}/{name}{'#' * bool(anchor)}{anchor})"
        return words if name in words else f"{words} (`{name}`)"

    parts = FENCE.split(text)
    parts[::2] = [LINK.sub(replaced, part) for part in parts[::2]]
    return "".join(parts)


def prepare(app: Any, name: str, content: list[str]) -> None:
    """What Sphinx calls for each page before it parses it."""
    text = lead_out(content[0], (HERE / name).parent)
    content[0] = text + tables_of_contents(content[0]) if name.endswith("index") else text


def setup(app: Any) -> None:
    """What Sphinx calls once."""
    app.connect("source-read", prepare)
