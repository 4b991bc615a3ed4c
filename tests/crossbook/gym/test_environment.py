"""Promises of both environments: the check of gymnasium, determinism, ends, and refusals."""

import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_checker import data_equivalence as equal

import crossbook.gym  # noqa: F401 - registers the environments
from crossbook.common.errors import ConfigError
from crossbook.gym.environment import MarketEnv
from crossbook.gym.market_making import MarketMakingEnv
from crossbook.simulator.agent import Agent
from crossbook.simulator.population import BUILT_IN

NAMES = ("crossbook/MarketMaking-v0", "crossbook/Execution-v0")
SHORT: dict[str, Any] = {"duration_s": 20.0, "warmup_s": 2.0}


def made(name: str, **options: Any) -> MarketEnv:
    environment = gymnasium.make(name, **{**SHORT, **options}).unwrapped
    assert isinstance(environment, MarketEnv)
    return environment


def played(environment: MarketEnv, seed: int | None, actions_seed: int = 1) -> list[Any]:
    """All results of random actions until the end of an episode."""
    environment.action_space.seed(actions_seed)
    seen: list[Any] = [environment.reset(seed=seed)]
    over = False
    while not over:
        seen.append(environment.step(environment.action_space.sample()))
        over = seen[-1][2]
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_gymnasiums_own_check_passes_without_a_warning(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made(name))


@pytest.mark.parametrize("name", NAMES)
def test_an_environment_is_made_by_its_id_alone_and_after_the_import(name: str) -> None:
    for code in (
        f"import gymnasium; e = gymnasium.make('crossbook.gym:{name}')",
        f"import gymnasium, crossbook.gym; e = gymnasium.make('{name}')",
        f"import crossbook.gym, gymnasium; e = gymnasium.make('{name}')",
    ):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code + "; e.reset(seed=1); print(e.spec.id)"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.stdout.strip() == name, done.stderr


def test_without_gymnasium_the_import_names_the_extra() -> None:
    code = "import sys; sys.modules['gymnasium'] = None\nimport crossbook.gym"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert 'crossbook.gym needs gymnasium: pip install "crossbook[gym]"' in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_and_actions_give_the_same_episode(name: str) -> None:
    one, other = made(name), made(name)
    first = played(one, 5)
    assert equal(played(other, 5), first, exact=True)
    assert equal(played(one, 5), first, exact=True)
    assert not equal(played(one, 6), first)


def test_a_reset_without_a_seed_goes_on_to_the_next_market() -> None:
    one, other = made(NAMES[0]), made(NAMES[0])
    seeds = [each.reset(seed=3)[1]["market_seed"] for each in (one, other)]
    again = [each.reset()[1]["market_seed"] for each in (one, other)]
    assert seeds[0] == seeds[1] != again[0] == again[1]


def test_a_market_is_named_by_its_seed() -> None:
    environment = made(NAMES[0])
    _, info = environment.reset(seed=1, options={"market_seed": 7})
    assert info["market_seed"] == 7
    middle = info["middle"]
    assert environment.reset(seed=2, options={"market_seed": 7})[1]["middle"] == middle
    assert environment.reset(seed=1, options={"market_seed": 8})[1]["middle"] != middle


def test_an_episode_ends_terminated_with_no_time_left() -> None:
    environment = made(NAMES[0], step_s=0.5)
    environment.reset(seed=1)
    hold = np.array([0, 0, 0, 0, 0])
    ends = [environment.step(hold)[2:4] for _ in range(40)]
    assert ends == [(False, False)] * 39 + [(True, False)]
    assert environment.time_left == 0
    with pytest.raises(gymnasium.error.ResetNeeded, match="the episode is over"):
        environment.step(hold)
    environment.reset()
    assert environment.step(hold)[2] is False


def test_a_limit_of_steps_from_outside_truncates() -> None:
    environment = gymnasium.make(NAMES[0], max_episode_steps=3, **SHORT)
    environment.reset(seed=1)
    ends = [environment.step(np.array([0, 0, 0, 0, 0]))[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


@pytest.mark.parametrize("name", NAMES)
def test_environments_run_as_a_vector(name: str) -> None:
    vector = gymnasium.make_vec(name, num_envs=3, vectorization_mode="sync", **SHORT)
    observations, infos = vector.reset(seed=4)
    assert observations["book"].shape == (3, 2, 5, 2)
    assert len(set(infos["market_seed"].tolist())) == 3
    vector.action_space.seed(1)
    for _ in range(25):
        observations, rewards, terminated, truncated, _ = vector.step(vector.action_space.sample())
    assert rewards.shape == terminated.shape == truncated.shape == (3,)
    single = made(name)
    assert equal(single.reset(seed=5)[0], {k: v[1] for k, v in vector.reset(seed=4)[0].items()})
    vector.close()


def test_environments_run_in_processes_of_their_own() -> None:
    vector = gymnasium.make_vec(NAMES[0], num_envs=2, vectorization_mode="async", **SHORT)
    try:
        seen = vector.reset(seed=4)[0]
        assert equal(made(NAMES[0]).reset(seed=5)[0], {k: v[1] for k, v in seen.items()})
        vector.step(vector.action_space.sample())
    finally:
        vector.close()


def test_a_wrapper_makes_the_observation_flat() -> None:
    flat = gymnasium.wrappers.FlattenObservation(gymnasium.make(NAMES[0], **SHORT))
    observation, _ = flat.reset(seed=1)
    assert observation.shape == (20 + 4 + 20 + 5,)
    assert observation in flat.observation_space


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"agents": 0}, "agents: 0 is not within 1 to 200"),
        ({"step_s": 0.05}, "step_s: 0.05 is not within 0.1 to 3,600"),
        ({"duration_s": 0.5}, "duration_s: 0.5 is not within 1 to 1,000,000"),
        ({"warmup_s": 0}, "warmup_s: 0 is not within 0.1 to 1,000,000"),
        ({"limit_quote": 0}, "limit_quote: 0 is not within 1 to 1,000,000,000"),
        ({"offsets": 0}, "offsets: 0 is not within 1 to 1,000"),
        ({"sizes": 1}, "sizes: 1 is not within 2 to 1,000"),
        ({"offset_bps": "1"}, "offset_bps: '1' is not within 0.001 to 1,000"),
        ({"inventory_penalty": -1}, "inventory_penalty: -1 is not within 0 to 1,000,000,000"),
        ({"kinds": {"maker": {"levels": 0}}},
         "agent maker: levels: 0 is not a whole number from 1 to 50"),
        ({"render_mode": "human"}, "render_mode: 'human' is not 'ansi' or None"),
    ],
)  # fmt: skip
def test_an_argument_out_of_its_limits_is_refused_by_name(
    options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        MarketMakingEnv(**options)
    assert str(refused.value) == fault


def test_actions_and_options_out_of_their_spaces_are_refused() -> None:
    environment = made(NAMES[0])
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        environment.step(np.array([0, 0, 0, 0, 0]))
    environment.reset(seed=1)
    with pytest.raises(gymnasium.error.InvalidAction, match="is not within MultiDiscrete"):
        environment.step(np.array([5, 0, 0, 0, 0]))
    with pytest.raises(ConfigError, match=r"options: no 'market'; there is: 'market_seed'"):
        environment.reset(options={"market": 1})
    with pytest.raises(ConfigError, match=r"market_seed: -1 is not within 0 to "):
        environment.reset(options={"market_seed": -1})


def test_parameters_of_the_other_agents_change_the_market() -> None:
    deep = made(NAMES[0], kinds={"maker": {"levels": 20}})
    deep.reset(seed=1)
    plain = made(NAMES[0])
    plain.reset(seed=1)
    assert len(deep.episode.market.bids()) > len(plain.episode.market.bids())


def test_a_failing_agent_of_the_market_ends_the_episode_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = made(NAMES[0])
    environment.reset(seed=1)

    def fail(self: Agent) -> None:
        raise ValueError("no luck")

    monkeypatch.setattr(BUILT_IN["maker"], "act", fail)
    with pytest.raises(RuntimeError, match=r"agent maker failed .* ValueError\('no luck'\)"):
        environment.step(np.array([0, 0, 0, 0, 0]))


def test_a_rendered_episode_has_the_book_and_the_money() -> None:
    environment = made(NAMES[0], render_mode="ansi")
    environment.reset(seed=1)
    for _ in range(3):
        environment.step(np.array([1, 3, 3, 1, 1]))
    text = environment.render()
    assert text is not None
    lines = text.splitlines()
    assert len(lines) == 11
    assert sum(" ask" in line for line in lines) == sum(" bid" in line for line in lines) == 5
    assert any(line.endswith("*") for line in lines)
    assert lines[-1].startswith("position ")
    assert made(NAMES[0]).render() is None
