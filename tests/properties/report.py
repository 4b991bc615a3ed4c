"""The output for a differing seed: the difference, its shortest form as a test, and the command
that repeats it."""

from tests.properties.differential import ENGINE, Candidate, compare_seed, compare_steps
from tests.properties.generator import random_steps
from tests.properties.market import rules_of
from tests.properties.shrinker import as_test, shrink


def failure_report(
    seed: int, count: int, candidate: Candidate = ENGINE, check_every: int = 1
) -> str:
    """The report of a seed: empty without a difference, else all that is needed to correct the
    engine."""
    difference = compare_seed(seed, count, candidate, check_every)
    if difference is None:
        return ""
    steps = random_steps(seed, min(count, difference.index + 1))
    rules = rules_of(seed)
    if compare_steps(steps, candidate, rules) is None:
        return f"seed {seed}: {difference}\n(it does not repeat from the same commands)"
    fewest = shrink(steps, lambda some: compare_steps(some, candidate, rules) is not None)
    return (
        f"seed {seed}: {difference}\n\n"
        f"shrunk from {len(steps)} to {len(fewest)} commands: "
        f"{compare_steps(fewest, candidate, rules)}\n\n"
        f"{as_test(fewest, f'engine_equals_reference_seed_{seed}', rules)}\n"
        f"repeat with: python -m tests.properties --seed {seed} --commands {count}\n"
    )
