"""Two policies in the market-making environment: random actions, and quotes skewed by inventory.

    pip install "crossbook[gym]"
    python examples/gym_market_maker.py --episodes 5

A third line runs four environments as one vector. A learner takes the place of the policies.
"""

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

import crossbook.gym  # noqa: F401 - registers the environments

ENVIRONMENT = "crossbook/MarketMaking-v0"
QUOTE = 1
WIDE = 9
"""Distance of a quote without inventory: (9 + 1) times half a basis point."""

LEAN = 12
"""Steps of distance that a full position moves both quotes by."""

Policy = Callable[[dict[str, Any], Any], Any]


def random_policy(observation: dict[str, Any], action_space: Any) -> Any:
    """Any action."""
    return action_space.sample()


def skewed_policy(observation: dict[str, Any], action_space: Any) -> Any:
    """One small quote on each side; when long both are lower, when short higher."""
    lean = round(LEAN * float(observation["position"][0]))
    farthest = int(action_space.nvec[1]) - 1
    bid, ask = np.clip([WIDE + lean, WIDE - lean], 0, farthest)
    return np.array([QUOTE, bid, ask, 1, 1])


def play(policy: Policy, episodes: int, seed: int, duration_s: float) -> list[float]:
    """The profit of each episode, in quote units."""
    environment = gymnasium.make(ENVIRONMENT, duration_s=duration_s)
    environment.action_space.seed(seed)
    profits = []
    for episode in range(episodes):
        observation, info = environment.reset(seed=seed + episode)
        over = False
        while not over:
            action = policy(observation, environment.action_space)
            observation, _, terminated, truncated, info = environment.step(action)
            over = terminated or truncated
        profits.append(info["wealth"])
    environment.close()
    return profits


def play_vector(count: int, steps: int, seed: int, duration_s: float) -> float:
    """The mean reward of a step of `count` environments that quote without a look."""
    environments = gymnasium.make_vec(
        ENVIRONMENT, num_envs=count, vectorization_mode="sync", duration_s=duration_s
    )
    environments.reset(seed=seed)
    action = np.tile([QUOTE, WIDE, WIDE, 1, 1], (count, 1))
    rewards = [environments.step(action)[1] for _ in range(steps)]
    environments.close()
    return float(np.mean(rewards))


def main() -> None:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300.0, help="simulated, of an episode")
    options = parser.parse_args()
    for name, policy in (("random", random_policy), ("skewed", skewed_policy)):
        profits = play(policy, options.episodes, options.seed, options.seconds)
        each = " ".join(f"{profit:.2f}" for profit in profits)
        print(f"{name} policy: {np.mean(profits):.2f} USDT an episode ({each})")
    mean = play_vector(4, 50, options.seed, options.seconds)
    print(f"four at once: {mean:.3f} USDT a step")


if __name__ == "__main__":
    main()
