"""The limit of open files and connections of a process."""

import contextlib
import resource
from typing import Final

_FEW: Final = 10_240
"""Limit for macOS, whose hard limit reads "unlimited" but is refused."""


def allow_open_files(wanted: int) -> int:
    """Raise the process's limit to `wanted`, or as far as allowed; returns the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, wanted, _FEW):
        if _is_above(limit, soft):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return limit
    return soft


def few(limit: int, wanted: int) -> bool:
    """Whether a limit is below `wanted`."""
    return _is_above(wanted, limit)


def _is_above(limit: int, other: int) -> bool:
    """An unlimited one counts as the highest."""
    infinity = resource.RLIM_INFINITY
    return other != infinity and (limit == infinity or limit > other)
