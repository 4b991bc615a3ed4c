"""The wheel has every module and every file of the packages, and nothing else of ours.

In the source the parts of an exchange are folders at the top. Links in `crossbook` make them
importable as `crossbook.…`.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.test_tidy import PACKAGES, ROOT

NOT_SHIPPED = (".md",)
"""The suffix of documentation, which the wheel leaves out."""


def tracked(folder: str) -> list[str]:
    """Files of the repository below a folder, links included."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z", folder],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    return [name for name in listed.split("\0") if name and (ROOT / name).exists()]


def build(kind: str, source: Path, target: Path) -> None:
    """Build the `wheel` or `sdist` of a source tree into a folder."""
    script = f"import setuptools.build_meta as b; b.build_{kind}({str(target)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=source, check=True, capture_output=True)


def built(source: Path, target: Path) -> set[str]:
    """The names of the files in the wheel of a source tree, without its metadata."""
    build("wheel", source, target)
    (wheel,) = target.glob("*.whl")
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def copy(source: Path) -> set[str]:
    """Copy the sources of a wheel; returns the names of the packages' files in the wheel."""
    found = set()
    names = [name for folder in PACKAGES for name in tracked(folder)]
    for name in (*names, "pyproject.toml", "README.md", "LICENSE"):
        place = source / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_symlink():
            place.symlink_to((ROOT / name).readlink())
            continue
        shutil.copy2(ROOT / name, place)
        if name in names and not name.endswith(NOT_SHIPPED):
            found.add(name if name.startswith("crossbook/") else f"crossbook/{name}")
    return found


def test_every_file_of_the_packages_is_in_the_wheel(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    expected = copy(source)
    assert len(expected) > 200
    # A room within a room, which no list names.
    added = {"matcher/attic/__init__.py", "matcher/attic/box/__init__.py", "matcher/attic/box/a.py"}
    # Neither of these is a package of ours.
    for name in (*added, "commons/__init__.py", "tests/__init__.py", "tools/__init__.py"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("")
    target.mkdir()
    assert built(source, target) == expected | {f"crossbook/{name}" for name in added}


def test_the_source_archive_has_all_that_the_wheel_is_built_of(tmp_path: Path) -> None:
    source, target, unpacked = (tmp_path / name for name in ("source", "target", "unpacked"))
    expected = copy(source)
    target.mkdir()
    for name in ("MANIFEST.in", "instruments.toml", ".env.example", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, source / name)
    (source / "tests").mkdir()
    (source / "tests" / "test_a.py").write_text("")
    build("sdist", source, target)
    (archive,) = target.glob("*.tar.gz")
    shutil.unpack_archive(archive, unpacked, filter="data")
    (top,) = unpacked.iterdir()
    # Links would lead nowhere where they cannot be made: the archive has the files themselves.
    assert not [path for path in top.rglob("*") if path.is_symlink()]
    assert (top / "instruments.toml").exists()
    assert not (top / "tests").exists()
    assert built(top, target) == expected


@pytest.mark.parametrize("name", [name for name in PACKAGES if name != "crossbook"])
def test_no_module_is_imported_under_a_second_name(name: str) -> None:
    """Two copies of a module would have two of each class, and `isinstance` would distinguish
    them."""
    assert (ROOT / "crossbook" / name).readlink() == Path("..") / name
    ran = subprocess.run(
        [sys.executable, "-c", f"import {name}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"ImportError: {name} is imported as crossbook.{name}" in ran.stderr


def test_every_name_that_is_not_public_is_a_listed_room() -> None:
    """Otherwise `from crossbook import matcher` would import the clients."""
    import crossbook
    from crossbook import public

    found = {path.stem for path in (ROOT / "crossbook").iterdir() if path.suffix in ("", ".py")}
    assert {name for name in found if not name.startswith("_")} == crossbook.ROOMS
    assert set(public.__all__) <= set(dir(public))
    assert not hasattr(crossbook, "no_such_name")


def test_the_import_of_a_process_imports_no_client() -> None:
    """Every import of a part imports `crossbook` as well, so that import has to cost nothing."""
    script = (
        "import sys, crossbook.matcher.__main__; "
        "print(sorted(name for name in sys.modules if name.startswith('crossbook.client')))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "[]\n"
