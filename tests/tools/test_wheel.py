"""The wheel has every module and every file of the packages, and nothing else of ours."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parents[2]
NOT_SHIPPED = (".md",)
"""Documentation stays beside the source."""


def tracked(folder: str) -> list[str]:
    """Files of the repository below a folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z", folder],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    return [name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def built(source: Path, target: Path) -> set[str]:
    """The names in the wheel of a source tree, but for those of its metadata."""
    script = f"import setuptools.build_meta as b; b.build_wheel({str(target)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=source, check=True, capture_output=True)
    (wheel,) = target.glob("*.whl")
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_every_file_of_the_packages_is_in_the_wheel(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    folders = [name for name in packages if "*" not in name]
    wanted = {
        name for folder in folders for name in tracked(folder) if not name.endswith(NOT_SHIPPED)
    }
    assert len(wanted) > 200
    # A room within a room, which no list names.
    added = {"matcher/attic/__init__.py", "matcher/attic/box/__init__.py", "matcher/attic/box/a.py"}
    source, target = tmp_path / "source", tmp_path / "target"
    # Neither of these is a package of ours.
    for name in (*added, "commons/__init__.py", "tests/__init__.py", "tools/__init__.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("")
    for name in (*wanted, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    target.mkdir()
    assert built(source, target) == wanted | added
