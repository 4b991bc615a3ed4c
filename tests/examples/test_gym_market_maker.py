"""The example of the market-making environment runs, and its heuristic beats chance."""

import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gym_market_maker.py"


def test_quotes_skewed_by_inventory_earn_more_than_random_actions() -> None:
    command = [sys.executable, str(EXAMPLE), "--episodes", "2", "--seconds", "60"]
    ran = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=EXAMPLE.parents[1]
    )
    assert ran.returncode == 0, ran.stderr
    found = dict(re.findall(r"^(random|skewed) policy: (-?[\d.]+) USDT", ran.stdout, re.MULTILINE))
    assert float(found["skewed"]) > float(found["random"])
    assert re.search(r"^four at once: -?[\d.]+ USDT a step$", ran.stdout, re.MULTILINE)
