"""Repeat one seed: `python -m tests.properties --seed 42 --commands 2000`.

Exit code 0 when engine and reference agree, 1 when they differ (after printing the difference
and its shortest form as a test).
"""

import argparse
import sys

from tests.properties.report import failure_report


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.properties")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--commands", type=int, default=2_000)
    arguments = parser.parse_args()
    report = failure_report(arguments.seed, arguments.commands)
    print(report or f"seed {arguments.seed}: {arguments.commands} commands, no difference")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
