"""How many files and connections a process may have open."""

import contextlib
import resource
from typing import Final

_FEW: Final = 10_240
"""What macOS allows at least, whose hard limit says "unlimited" and cannot be had."""


def allow_open_files(wanted: int) -> int:
    """Raise the process's limit as far as it goes, or to `wanted`; returns the one in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, wanted, _FEW):
        if _is_above(limit, soft):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return limit
    return soft


def few(limit: int, wanted: int) -> bool:
    """Whether a limit, which may be none, is below what is wanted."""
    return _is_above(wanted, limit)


def _is_above(limit: int, other: int) -> bool:
    """No limit is above any."""
    infinity = resource.RLIM_INFINITY
    return other != infinity and (limit == infinity or limit > other)
