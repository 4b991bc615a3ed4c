"""The limit of open files is raised as far as the system allows."""

import errno
import os
import resource

import pytest

from crossbook.common.open_files import allow_open_files, few

NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "most", "expected"),
    [
        (1_024, 1_048_576, 1_048_576, 1_048_576),
        (1_024, 4_096, 4_096, 4_096),
        (4_096, 4_096, 4_096, 4_096),
        (256, NONE, NONE, NONE),
        # macOS: there is no hard limit, and the kernel's own limit holds.
        (256, NONE, 61_440, 30_000),
        (256, NONE, 12_000, 10_240),
        (256, NONE, 256, 256),
        (NONE, NONE, NONE, NONE),
        (61_440, NONE, 61_440, 61_440),
    ],
)
def test_the_limit_is_raised_and_logged(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, most: int, expected: int
) -> None:
    limits = (soft, hard)

    def set_limit(_: int, requested: tuple[int, int]) -> None:
        nonlocal limits
        assert requested[1] == hard
        if most != NONE and (requested[0] == NONE or requested[0] > most):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        limits = requested

    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", set_limit)
    assert allow_open_files(30_000) == expected
    assert limits == (expected, hard)


@pytest.mark.parametrize(
    ("limit", "needed", "expected"),
    [(9, 10, True), (10, 10, False), (11, 10, False), (NONE, 10, False)],
)
def test_a_limit_below_the_need_counts_as_few(limit: int, needed: int, expected: bool) -> None:
    assert few(limit, needed) is expected
