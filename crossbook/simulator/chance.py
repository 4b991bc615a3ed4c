"""Random numbers from a seed, the same on every machine and in every version of Python.

The generator is SplitMix64: integers only. Numbers made from them use only the operations that
IEEE 754 defines to the last bit (+, -, *, /, square root). Logarithms, powers and sines are not
among them, so there is no exponential or Box-Muller here.
"""

from hashlib import sha256
from math import sqrt
from typing import Final

_MASK: Final = 2**64 - 1
_STEP: Final = 0x9E3779B97F4A7C15
_UNIT: Final = 1.0 / 2**53


class Chance:
    """A stream of random numbers.

    >>> Chance(7).below(100), Chance(7).below(100), Chance(8).below(100)
    (38, 38, 61)
    """

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    @classmethod
    def named(cls, seed: int, name: str) -> "Chance":
        """A generator that the seed and a name decide, and nothing else."""
        return cls(int.from_bytes(sha256(f"{seed} {name}".encode()).digest()[:8], "big"))

    def fork(self) -> "Chance":
        """A generator of its own: draws from it do not shift the draws from this one."""
        return Chance(self._bits())

    def uniform(self) -> float:
        """Within (0, 1]: never zero, so that it may be divided by."""
        return ((self._bits() >> 11) + 1) * _UNIT

    def below(self, bound: int) -> int:
        """An integer from 0 to `bound` - 1."""
        return (self._bits() * bound) >> 64

    def happens(self, probability: float) -> bool:
        """True that often."""
        return self.uniform() <= probability

    def between(self, low: float, high: float) -> float:
        """Evenly within (low, high]."""
        return low + (high - low) * self.uniform()

    def normal(self) -> float:
        """Mean 0, deviation 1, within -6 to 6: twelve uniform numbers less their mean."""
        # `uniform` twelve times, written out: half of a simulation's draws are here.
        state, total = self._state, -6.0
        for _ in range(12):
            state = (state + _STEP) & _MASK
            mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
            mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
            total += (((mixed ^ (mixed >> 31)) >> 11) + 1) * _UNIT
        self._state = state
        return total

    def fat(self, most: float) -> float:
        """Within 1 to `most`; exceeds x with probability 1 / x**2 (variance without bound)."""
        return min(most, 1.0 / sqrt(self.uniform()))

    def fatter(self, most: float) -> float:
        """Within 1 to `most`; exceeds x with probability x**(-4/3)."""
        root = sqrt(self.uniform())
        return min(most, 1.0 / (root * sqrt(root)))

    def fattest(self, most: float) -> float:
        """Within 1 to `most`; exceeds x with probability 1 / x (mean without bound)."""
        return min(most, 1.0 / self.uniform())

    def shuffle(self, items: list[int]) -> None:
        """Put a list in random order, each order equally likely."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def _bits(self) -> int:
        self._state = (self._state + _STEP) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return mixed ^ (mixed >> 31)
