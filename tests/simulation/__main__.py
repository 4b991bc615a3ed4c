"""`python -m tests.simulation --seed 4211`: repeat one run exactly and print its result."""

import argparse
import sys
import traceback

from crossbook.matcher.build import use_build

if __name__ == "__main__":
    # What is imported below brings the engine.
    use_build()

from crossbook.common.process.log import set_up_logging
from tests.simulation.run import STEPS, SimulationFailed, simulate


def main() -> int:
    """Run it; exit 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=1, help="seeds from --seed on")
    parser.add_argument("--steps", type=int, default=STEPS, help="how often a trader acts")
    parser.add_argument("--trace", action="store_true", help="print all that happens")
    options = parser.parse_args()
    set_up_logging("simulation", "ERROR", "console")
    failed = 0
    for seed in range(options.seed, options.seed + options.runs):
        try:
            result = simulate(seed, options.steps, print if options.trace else None)
        except SimulationFailed as error:
            failed += 1
            print(error)
            if options.runs == 1:
                traceback.print_exception(error.__cause__)
            continue
        if options.runs == 1:
            print(f"conditions {result.conditions}")
        if options.runs == 1 or options.trace:
            print(
                f"seed {seed}: {result.requests} requests, {result.commands} commands, "
                f"{result.events} events, starts {result.starts}, {result.world_steps} steps, "
                f"state {result.state_hash[:12]}, trace {result.trace_hash[:12]}"
            )
    if options.runs > 1:
        print(f"{options.runs} runs, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
