"""`tracebook-conformance` finds no difference, on every profile and on every case but one:
pro-rata-allocation is another matching algorithm.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tracebook.conformance.campaign import campaign_profile_names
from tracebook.conformance.external import ExternalProcessAdapterFactory
from tracebook.conformance.qualification import run_qualification
from tracebook.conformance.suite import copy_bundled_conformance_suite, run_conformance_suite

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.conformance.adapter"]
PROFILES = ("fifo-limit-v1", "fifo-full-v1", "fifo-partial-fill-v1")
SLOW = ("fifo-limit-v1", "fifo-partial-fill-v1")
"""Profiles that require less than the full one."""

NOT_APPLICABLE = {
    "pro-rata-allocation",
}


def test_every_profile_of_the_suite_is_run() -> None:
    assert set(campaign_profile_names()) == set(PROFILES)


@pytest.mark.parametrize(
    "profile",
    [pytest.param(each, marks=[pytest.mark.slow] * (each in SLOW)) for each in PROFILES],
)
def test_the_engine_qualifies_without_a_difference(profile: str, tmp_path: Path) -> None:
    result = _tracebook(
        "qualify", "--profile", profile, "--output-dir", str(tmp_path / "evidence"),
        "--traces", "12", "--events-per-trace", "200", "--timeout", "60",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    evidence = json.loads((tmp_path / "evidence" / "qualification.json").read_text())
    assert evidence["qualified"] is True
    assert evidence["candidate_engine"]["name"] == "crossbook"
    checks: dict[str, Any] = evidence["checks"]
    assert checks["fixed_cases"]["passed"] == checks["fixed_cases"]["total"] > 0
    assert checks["generated_campaign"]["completed_traces"] == 12
    assert checks["generated_campaign"]["conformant"] is True
    assert checks["semantic_coverage"]["uncovered"] == []


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_every_bundled_case_that_applies_is_conformant(version: str, tmp_path: Path) -> None:
    suite = copy_bundled_conformance_suite(tmp_path / version, suite_version=version)
    cases = tuple(case for case in suite.cases if case.name not in NOT_APPLICABLE)
    prevention = {case.name for case in cases if case.name.startswith("stp-")}
    assert {case.name for case in cases} - prevention == {
        "fifo-lifecycle",
        "order-instructions",
        "multi-symbol",
        "tick-grid",
        "deep-cancellation",
    }
    assert prevention
    selected = replace(suite, cases=cases)
    report = run_conformance_suite(selected, ExternalProcessAdapterFactory(COMMAND, cwd=ROOT))
    differences = [case["report"]["divergence"] for case in report["cases"]]
    assert report["conformant"], differences
    assert report["conformant_cases"] == len(cases)


def test_an_engine_that_breaks_time_priority_does_not_qualify() -> None:
    faulty = (
        "import sys\n"
        "from tests.conformance import adapter\n"
        "from tests.properties.faulty import RequeuesPartlyFilledMakers\n"
        "adapter.Engine = RequeuesPartlyFilledMakers\n"
        "sys.exit(adapter.serve(sys.stdin, sys.stdout))\n"
    )
    factory = ExternalProcessAdapterFactory([sys.executable, "-c", faulty], cwd=ROOT)
    result = run_qualification(factory, "fifo-partial-fill-v1", traces=1)
    assert not result.qualified
    assert result.campaign.failure is not None


@pytest.mark.parametrize("case_name", sorted(NOT_APPLICABLE))
def test_an_option_that_does_not_apply_is_refused(case_name: str, tmp_path: Path) -> None:
    suite = copy_bundled_conformance_suite(tmp_path / "v2", suite_version="v2")
    (case,) = (case for case in suite.cases if case.name == case_name)
    factory = ExternalProcessAdapterFactory(COMMAND, cwd=ROOT)
    with pytest.raises(Exception, match="is not supported"):
        factory(case.config)


def _tracebook(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "tracebook.conformance.cli", *arguments,
            "--timeout", "30", "--candidate", *COMMAND,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )  # fmt: skip
