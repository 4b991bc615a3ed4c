"""One exchange for tests of the acts inside an exchange."""

from collections.abc import Iterator

import pytest

from crossbook.testing import Exchange


@pytest.fixture(scope="package")
def venue() -> Iterator[Exchange]:
    """An exchange that tests share: each has instruments and accounts of its own."""
    with Exchange() as shared:
        yield shared
