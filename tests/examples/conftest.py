"""An exchange for the tests of examples, reset before each."""

from collections.abc import Iterator

import pytest

from crossbook.testing import Exchange


@pytest.fixture(scope="package")
def shared_exchange() -> Iterator[Exchange]:
    with Exchange() as running:
        yield running


@pytest.fixture
def exchange(shared_exchange: Exchange) -> Exchange:
    shared_exchange.reset()
    return shared_exchange
