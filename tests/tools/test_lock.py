"""The lock: whole, with hashes, without the name of an index, and within `pyproject.toml`."""

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import lock

PROJECT: Final[dict[str, Any]] = tomllib.loads((lock.ROOT / "pyproject.toml").read_text())
FOLDER: Final = lock.ROOT / lock.FOLDER
EVERY: Final = sorted(FOLDER.glob("*.txt"))
CLIENTS: Final = sorted((lock.ROOT / lock.CLIENTS_FOLDER).glob("*.in"))
CALENDAR: Final = {"furo", "setuptools", "structlog"}
"""Dependencies without an upper bound: their versions promise nothing. pyproject.toml has the
reason."""


def requirements(extra: str) -> list[Requirement]:
    """The requirements of `pyproject.toml`."""
    return [Requirement(line) for line in lock.requirements_of(PROJECT, extra)]


def test_there_is_a_file_for_every_purpose_and_no_other() -> None:
    assert {path.stem for path in EVERY} == {*lock.FILES, "page"}
    extras = {extra for extras in lock.FILES.values() for extra in extras}
    optional = PROJECT["project"]["optional-dependencies"]
    # That of the page is pinned without what the package of its script needs.
    assert extras == {*optional, lock.PROGRAM} - {"page"}
    assert optional["page"] == (FOLDER / "page.in").read_text().splitlines()[-1:]


@pytest.mark.parametrize(
    "path", [*EVERY, *(path.with_suffix(".txt") for path in CLIENTS)], ids=lambda path: path.stem
)
def test_every_line_is_a_version_and_its_hashes_and_names_no_place(path: Path) -> None:
    first, *pins = path.read_text().replace(" \\\n    ", " ").splitlines()
    assert first == "# Written by `make lock`."
    assert pins
    for pin in pins:
        assert re.fullmatch(
            r"[a-z0-9.-]+(\[[a-z,]+\])?==[\w.!+]+( ; [^#@]*?)?( --hash=sha256:[0-9a-f]{64})+", pin
        ), pin
        assert "://" not in pin


@pytest.mark.parametrize("name", lock.FILES)
def test_every_requirement_is_pinned_to_versions_it_admits(name: str) -> None:
    pinned = lock.pins_in((FOLDER / f"{name}.txt").read_text())
    for extra in lock.FILES[name]:
        for requirement in requirements(extra):
            versions = pinned[canonicalize_name(requirement.name)]
            assert versions, requirement
            assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_the_pin_of_the_chart_script_is_admitted() -> None:
    (line,) = [
        line for line in (FOLDER / "page.in").read_text().splitlines() if not line.startswith("#")
    ]
    requirement = Requirement(line)
    (version,) = lock.pins_in((FOLDER / "page.txt").read_text())[requirement.name]
    assert requirement.specifier.contains(version)


@pytest.mark.parametrize("name", ["runtime", "postgres", "development", "docs"])
def test_every_indirect_requirement_is_pinned(name: str) -> None:
    """Installation does not resolve requirements of packages, so the file has to list them all."""
    pinned = lock.pins_in((FOLDER / f"{name}.txt").read_text())
    pending = [requirement for extra in lock.FILES[name] for requirement in requirements(extra)]
    seen = set()
    while pending:
        requirement = pending.pop()
        pair = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if pair in seen or not _applies(requirement, frozenset()):
            continue
        seen.add(pair)
        assert pair[0] in pinned, requirement
        try:
            installed = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        if installed.version in pinned[pair[0]]:
            needed = map(Requirement, installed.requires or [])
            pending += [each for each in needed if _applies(each, pair[1])]
    assert len(seen) >= sum(len(requirements(extra)) for extra in lock.FILES[name])


def _applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def test_every_dependency_whose_versions_have_a_meaning_has_an_upper_bound() -> None:
    """The bound is at most the next minor version of a 0.x, and the next major version of any
    other."""
    for extra in (lock.PROGRAM, *PROJECT["project"]["optional-dependencies"]):
        for requirement in requirements(extra):
            bounds = [each for each in requirement.specifier if each.operator in ("<", "==")]
            if requirement.name in CALENDAR:
                assert not bounds, requirement
                continue
            (bound,) = bounds
            lower = [each.version for each in requirement.specifier if each.operator == ">="]
            if bound.operator == "<" and lower and lower[0].startswith("0."):
                assert re.fullmatch(r"0\.\d+", bound.version), requirement


@pytest.mark.parametrize("path", CLIENTS, ids=lambda path: path.stem)
def test_a_client_of_another_project_is_named_in_the_one_version_that_is_pinned(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    wanted = [Requirement(line) for line in lines]
    assert wanted[0].name == path.stem
    pinned = lock.pins_in(path.with_suffix(".txt").read_text())
    for each in wanted:
        assert [f"=={version}" for version in pinned[each.name]] == [str(each.specifier)]


@pytest.mark.parametrize("place", lock.NPM_FOLDERS)
def test_the_lock_of_npm_has_hashes_and_no_addresses(place: str) -> None:
    folder = lock.ROOT / place
    text = (folder / "package-lock.json").read_text()
    assert "://" not in text
    packages = json.loads(text)["packages"]
    required = json.loads((folder / "package.json").read_text())["dependencies"]
    assert packages.pop("")["dependencies"] == required
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    for name, version in required.items():
        assert packages[f"node_modules/{name}"]["version"] == version


def test_a_package_installed_in_another_version_is_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = metadata.version("msgspec")
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    (tmp_path / lock.FOLDER).mkdir()
    file = tmp_path / lock.FOLDER / "runtime.txt"
    file.write_text(f"msgspec=={installed} \\\n    --hash=sha256:00\n")
    assert lock.changed() == []
    file.write_text("msgspec==0.1 ; os_name == 'nt'\nmsgspec==0.2 \\\n    --hash=sha256:00\n")
    assert lock.changed() == [f"msgspec {installed}, pinned 0.1 or 0.2"]
