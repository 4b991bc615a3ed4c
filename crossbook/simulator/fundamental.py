"""The fundamental value of an instrument: a price that no agent sees directly, moved by news.

The variance of returns depends on earlier returns (GARCH): a large move makes the next ones larger.
News is a jump with a fat tail. Part of every move is common to all instruments.
"""

from math import sqrt
from typing import Final

from crossbook.simulator.chance import Chance

TICKS_PER_SECOND: Final = 10
"""Simulated time advances in tenths of a second."""

QUIET: Final = 0.00003
"""Standard deviation of one tick's return without news: some 2.5 % over a day."""

_SHARE_OF_NEWS: Final = 0.02
_MEMORY: Final = 0.978
_RETURN_MOST: Final = 0.02
_LOUDEST: Final = 14.0 * QUIET
_COMMON: Final = 0.6
_OWN: Final = 0.8
"""0.6 squared and 0.8 squared make 1: the sum of both parts has deviation 1 as well."""

_NEWS_PER_TICK: Final = 1.0 / (75 * TICKS_PER_SECOND)
_NEWS_SIZE: Final = 0.0004
_NEWS_MOST: Final = 4.0


class Fundamental:
    """The latent value of one instrument, in ticks and fractions of them.

    It never leaves `low` to `high`: there it is reflected. `news` counts the jumps so far.
    """

    __slots__ = ("_chance", "_high", "_low", "_variance", "news", "value")

    def __init__(self, value: float, low: float, high: float, chance: Chance) -> None:
        self.value = value
        self.news = 0
        self._low = low
        self._high = high
        self._variance = QUIET * QUIET
        self._chance = chance

    def step(self, common: float) -> None:
        """One tick on; `common` is this tick's shared part, of deviation 1."""
        chance = self._chance
        change = sqrt(self._variance) * (_COMMON * common + _OWN * chance.normal())
        if chance.happens(_NEWS_PER_TICK):
            self.news += 1
            jump = _NEWS_SIZE * chance.fat(_NEWS_MOST)
            change += jump if chance.happens(0.5) else -jump
        change = max(-_RETURN_MOST, min(_RETURN_MOST, change))
        value = self.value * (1.0 + change)
        if not self._low < value < self._high:
            value = self.value * (1.0 - change)
        self.value = value
        floor = (1.0 - _SHARE_OF_NEWS - _MEMORY) * QUIET * QUIET
        variance = floor + _MEMORY * self._variance + _SHARE_OF_NEWS * change * change
        self._variance = min(variance, _LOUDEST * _LOUDEST)
