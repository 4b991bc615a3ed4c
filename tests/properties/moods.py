"""The weights of commands in a stretch of random steps, by its mood."""

from typing import Final

KINDS: Final = (
    "limit", "market", "spend", "cancel", "amend", "mass", "invalid", "stray", "retry", "special",
    "govern",
)  # fmt: skip
MOODS: Final = {
    "special": (15, 3, 2, 6, 15, 0.2, 2, 1, 1, 60, 6),
    "quiet": (60, 1, 1, 10, 14, 0.1, 2, 1, 2, 12, 1.5),
    "busy": (40, 4, 4, 10, 28, 0.2, 3, 1, 3, 20, 2),
    "hostile": (25, 3, 3, 15, 18, 0.5, 25, 6, 15, 20, 5),
    "drain": (10, 25, 15, 35, 5, 6, 2, 1, 2, 2, 2),
}
"""Weights of `KINDS`."""
