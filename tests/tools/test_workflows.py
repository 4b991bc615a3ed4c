"""The workflows of the hosting service: sound YAML, pinned versions, and existing scripts."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.test_tidy import ROOT

FILES: Final = [
    *sorted((ROOT / ".github").rglob("*.yml")),
    ROOT / ".pre-commit-config.yaml",
    ROOT / "docker-compose.yml",
]
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def steps(path: Path) -> list[dict[str, Any]]:
    """Every step of a workflow, and every job that another workflow does."""
    found: list[dict[str, Any]] = []
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        found += [job] if "uses" in job else job["steps"]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text()), dict)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_hash_and_names_its_version(path: Path) -> None:
    text = path.read_text()
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert used
    for name in used:
        if name.startswith("./"):
            assert (ROOT / name).exists(), name
        else:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name), name
            assert re.search(rf"{re.escape(name)} # v\d+\.\d+\.\d+$", text, re.MULTILINE), name


def test_scripts_and_targets_that_workflows_call_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    called = 0
    for path in WORKFLOWS:
        for step in steps(path):
            for script in re.findall(r"\.ci/[\w-]+", step.get("run", "")):
                assert (ROOT / script).stat().st_mode & 0o111, script
                called += 1
            for target in re.findall(r"^make ([\w-]+)", step.get("run", "")):
                assert f"\n{target}: " in makefile, target
                called += 1
    assert called >= 5


def test_only_the_publishing_job_has_an_identity_token() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    allowed = {name for name, job in jobs.items() if "id-token" in job.get("permissions", {})}
    assert allowed == {"publish"}
    assert jobs["publish"]["needs"] == "build"
    assert jobs["build"]["needs"] == "check"
