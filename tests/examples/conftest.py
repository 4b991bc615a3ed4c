"""An exchange for each test of an example, as a bot's own tests have it."""

from collections.abc import Iterator

import pytest

from crossbook.testing import Exchange


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange() as running:
        yield running
