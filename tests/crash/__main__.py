"""`python -m tests.crash --seed 7 --kills 30`: one run of random deaths, with its figures."""

import argparse

from tests.crash.world import run_random


def main() -> None:
    """Do one run and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=30)
    arguments = parser.parse_args()
    print(run_random(arguments.seed, arguments.kills))


if __name__ == "__main__":
    main()
