"""One test file starts quickly: it imports nothing that it does not use."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"faker", "hypothesis", "schemathesis", "tests.system.exchange", "trio", "zmq"}


def test_a_unit_test_imports_no_exchange_and_no_plugin_of_others() -> None:
    """The processes and their starter are imported with the first test that needs a process."""
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pytest", "-s", "tests/common/test_auction.py"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "crossbook.common.auction" in imported
    assert not imported & HEAVY
