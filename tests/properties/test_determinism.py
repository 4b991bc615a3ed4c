"""The same commands give the same events, snapshot and state hash in any process."""

import os
import subprocess
import sys
from pathlib import Path

from tests.properties.digest import digest

ROOT = Path(__file__).parents[2]


def test_events_and_snapshot_are_the_same_bytes_under_any_hash_seed() -> None:
    lines = {_run(hash_seed) for hash_seed in ("0", "1", "4211", "random")}
    assert lines == {digest(42, 5_000)}


def test_other_commands_give_other_bytes() -> None:
    assert digest(42, 500) != digest(43, 500)


def _run(hash_seed: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "tests.properties.digest", "42", "5000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return result.stdout.strip()
