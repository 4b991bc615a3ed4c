"""Rules of the market, recorded with their edition."""

import msgspec
import pytest

from crossbook.common.instruments import example
from crossbook.common.rules import (
    EDITION,
    Configuration,
    Rules,
    decode_configuration,
    encode_configuration,
)


def test_a_configuration_comes_back_with_the_current_edition() -> None:
    rules = Rules(accounts=True, opening=(("BTC", 5), ("USDT", 7)), max_open_orders=9)
    recorded = encode_configuration([example()], rules)
    assert decode_configuration(recorded) == Configuration(
        instruments=[example()], rules=rules, edition=EDITION
    )


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_first_format_was_a_list_of_instruments(count: int) -> None:
    recorded = msgspec.msgpack.encode([example()] * count)
    if count:
        assert decode_configuration(recorded) == Configuration(
            instruments=[example()] * count, rules=Rules(), edition=1
        )
    before_editions = msgspec.msgpack.encode([2, [example()] * count, Rules(True)])
    decoded = decode_configuration(before_editions)
    assert decoded == Configuration(instruments=[example()] * count, rules=Rules(True), edition=1)


def test_rules_recorded_before_there_were_limits_have_none() -> None:
    recorded = msgspec.msgpack.encode([True, []])
    assert msgspec.msgpack.decode(recorded, type=Rules) == Rules(True)
