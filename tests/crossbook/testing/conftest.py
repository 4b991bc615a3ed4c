"""One exchange for the tests of what a test does in it."""

from collections.abc import Iterator

import pytest

from crossbook.testing import Exchange


@pytest.fixture(scope="package")
def venue() -> Iterator[Exchange]:
    """An exchange that tests share: each has instruments and accounts of its own."""
    with Exchange() as shared:
        yield shared
