"""Iterations of the event loop that a test runs in."""

import types
from collections.abc import Generator


@types.coroutine
def next_iteration() -> Generator[None, None, None]:
    """Let everything that is due run once."""
    yield
