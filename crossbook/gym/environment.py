"""The common part of the environments: one agent, one episode of the simulated market."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final

import gymnasium
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument, example
from crossbook.gym.episode import Episode, Todo
from crossbook.gym.view import AgentView
from crossbook.simulator.agent import Fill
from crossbook.simulator.fundamental import TICKS_PER_SECOND
from crossbook.simulator.population import AGENTS_MOST, Values, check_population

Observation = dict[str, Any]
"""Arrays of 32-bit floats by name."""

STEP_S_MOST: Final = 3_600.0
DURATION_S_MOST: Final = 1_000_000.0


def instrument_for_learning() -> Instrument:
    """BTC-USDT on the grid of the examples. Makers pay nothing and takers 0.02 percent: at 0.1
    percent for makers no quote about this market's middle earns its fee."""
    return replace(example(), maker_fee_rate=0, taker_fee_rate=200)


class MarketEnv(gymnasium.Env[Observation, NDArray[np.int64]]):
    """One agent under control in the simulated market of one instrument.

    A step lasts `step_s` simulated seconds: the action is carried out in its first tick. A episode
    lasts `duration_s` after `warmup_s` in which the market forms. The same `reset(seed=...)` and
    actions give the same observations and rewards, on any machine. The other agents draw the same
    random numbers whatever the action is.

    `agents` is the number of the other agents, of the built-in kinds, and `kinds` has values of
    their parameters. `limit_quote` is the largest position either way in quote units. Orders, fees
    and balances are those of the engine. Raises `ConfigError` for an argument out of its limits.
    """

    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        *,
        instrument: Instrument | None = None,
        agents: int = 6,
        kinds: Mapping[str, Values] | None = None,
        duration_s: float = 300.0,
        step_s: float = 1.0,
        warmup_s: float = 10.0,
        limit_quote: float = 20_000.0,
        render_mode: str | None = None,
    ) -> None:
        check_between("agents", agents, 1, AGENTS_MOST)
        check_between("step_s", step_s, 1 / TICKS_PER_SECOND, STEP_S_MOST)
        check_between("duration_s", duration_s, step_s, DURATION_S_MOST)
        check_between("warmup_s", warmup_s, 1 / TICKS_PER_SECOND, DURATION_S_MOST)
        check_between("limit_quote", limit_quote, 1, 1e9)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigError(f"render_mode: {render_mode!r} is not 'ansi' or None")
        check_population(agents, kinds or {}, ())
        self.instrument = instrument or instrument_for_learning()
        self.render_mode = render_mode
        self.steps = max(1, round(duration_s / step_s))
        """Steps of an episode."""
        self._agents = agents
        self._kinds = kinds or {}
        self._step_ticks = round(step_s * TICKS_PER_SECOND)
        self._warmup_s = warmup_s
        self._limit_quote = limit_quote
        self._episode: Episode | None = None
        self._market_seed = 0
        self._done = 0
        self._is_over = True
        self.view = AgentView(limit_quote)
        self.observation_space = self.view.space()

    @property
    def episode(self) -> Episode:
        """The present episode. Raises `gymnasium.error.ResetNeeded` before the first reset."""
        if self._episode is None:
            raise gymnasium.error.ResetNeeded("call reset() before step() or render()")
        return self._episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in the market of a seed.

        `seed` seeds the generator that the seeds of this and the next episodes are drawn from;
        `options={"market_seed": 7}` names the market of this episode itself.
        """
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(2**63))
        options = options or {}
        if unknown := options.keys() - {"market_seed"}:
            raise ConfigError(f"options: no {sorted(unknown)[0]!r}; there is: 'market_seed'")
        market_seed = options.get("market_seed", drawn)
        check_between("market_seed", market_seed, 0, 2**63 - 1)
        self._market_seed = int(market_seed)
        self._episode = Episode(
            self.instrument, self._market_seed, self._agents, self._warmup_s, self._limit_quote,
            self._kinds,
        )  # fmt: skip
        self._done = 0
        self._is_over = False
        self.begin(self._episode)
        return self._observation(), self._info()

    def step(
        self, action: NDArray[np.int64]
    ) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Carry out an action and go on by one step.

        `terminated` is true at the end of the episode, whose time the observation has, or when
        there is nothing left to do; `truncated` is always false. Raises
        `gymnasium.error.InvalidAction` for an action outside the space, and
        `gymnasium.error.ResetNeeded` after the end.
        """
        episode = self.episode
        if self._is_over:
            raise gymnasium.error.ResetNeeded("the episode is over: call reset()")
        if not self.action_space.contains(action):
            raise gymnasium.error.InvalidAction(f"{action!r} is not within {self.action_space}")
        before = episode.wealth
        fills = episode.run(self._step_ticks, *self.todo(action))
        self._done += 1
        reward, over = self.judge(episode, before, fills)
        self._is_over = over or self._done >= self.steps
        return self._observation(), reward, self._is_over, False, self._info()

    def render(self) -> str | None:
        """With `render_mode="ansi"` the book, the agent's orders and money as text."""
        return self.view.text(self.episode) if self.render_mode == "ansi" else None

    def begin(self, episode: Episode) -> None:
        """A episode begins: what an environment keeps of one is new."""

    @abstractmethod
    def todo(self, action: NDArray[np.int64]) -> Sequence[Todo]:
        """What the agent does for an action, in the first tick of a step and those after it."""

    @abstractmethod
    def judge(self, episode: Episode, before: float, fills: list[Fill]) -> tuple[float, bool]:
        """The reward of a step, and whether nothing is left to do; `before` is the wealth at its
        beginning, `fills` are the agent's."""

    @property
    def time_left(self) -> float:
        """The share of the episode that is left."""
        return 1.0 - self._done / self.steps

    def _observation(self) -> Observation:
        return self.view.observation(self.episode, self.time_left)

    def _info(self) -> dict[str, Any]:
        episode = self.episode
        return {
            "market_seed": self._market_seed,
            "wealth": episode.wealth,
            "fees": episode.fees,
            "cash": episode.cash,
            "position_lots": episode.trader.position_lots,
            "middle": episode.middle,
        }


def check_between(name: str, value: object, low: float, high: float) -> None:
    """Raise `ConfigError` with name, value and limits unless a number is within them."""
    if not isinstance(value, int | float | np.number) or not low <= value <= high:
        raise ConfigError(f"{name}: {value!r} is not within {low:,.12g} to {high:,.12g}")
