"""Views: words beside numbers, equality with what they view, and exact decimals."""

from decimal import Decimal, localcontext

import pytest
from msgspec import msgpack
from msgspec.structs import replace

from crossbook.client.answers import Ack, Balance, Execution, OrderState
from crossbook.client.view import decimal, word
from crossbook.common.grid import Axis
from crossbook.common.instruments import example
from crossbook.common.messages import entry
from crossbook.common.types import ExecutionKind, Liquidity, OrderStatus, Side
from crossbook.errors import InstrumentUnknown

FILL = entry.Execution(
    request_seq=0, seq=5, symbol="BTC-USDT", order_id=1, client_order_id="", kind=2, status=3,
    side=1, price_ticks=5_000_001, quantity_lots=50_000, filled_lots=50_000, remaining_lots=0,
    time_ns=9, trade_id=7, liquidity=2, fee_units=40_000,
)  # fmt: skip


def test_a_word_is_a_member_and_a_number_without_one_is_kept() -> None:
    assert word(OrderStatus, 3) is OrderStatus.FILLED
    none, later = word(Liquidity, 0), word(OrderStatus, 77)
    assert (none, bool(none), none.name) == (0, False, "NONE")
    assert (later, later.name, isinstance(later, OrderStatus)) == (77, "77", True)


def test_a_view_equals_its_message_and_another_view_of_it() -> None:
    view = Execution.of(FILL, example())
    assert view == FILL
    assert view == Execution.of(FILL, None)
    assert view == FILL
    assert hash(view) == hash(FILL)
    assert view != replace(FILL, seq=6)
    assert view != 5
    assert isinstance(view, entry.Execution)


def test_a_view_shows_words_and_decimals_or_a_mark_where_there_are_none() -> None:
    assert repr(Execution.of(FILL, example())) == (
        "Execution(seq=5, symbol='BTC-USDT', order_id=1, client_order_id='', kind=FILL, "
        "status=FILLED, side=BUY, price=50000.01, quantity=0.50000, filled=0.50000, "
        "remaining=0.00000, fee=0.00040000, fee_asset='BTC', liquidity=TAKER, trade_id=7, "
        "reason=NONE)"
    )
    assert "price=?" in repr(Execution.of(FILL, None))


def test_words_of_a_view_are_members_of_their_enumerations() -> None:
    view = Execution.of(FILL, example())
    assert view.kind is ExecutionKind.FILL
    assert view.status is OrderStatus.FILLED
    assert view.side is Side.BUY
    assert view.liquidity is Liquidity.TAKER
    assert not view.reason


def test_decimals_are_exact_in_every_context() -> None:
    with localcontext() as context:
        context.prec = 3
        assert decimal(Axis(2), 2**63 - 1) == Decimal("92233720368547758.07")
        assert str(Execution.of(FILL, example()).price) == "50000.01"


def test_without_an_instrument_there_are_steps_and_no_decimals() -> None:
    view = Execution.of(FILL, None)
    assert view.price_ticks == 5_000_001
    with pytest.raises(InstrumentUnknown, match="'BTC-USDT' is no instrument") as caught:
        _ = view.price
    assert caught.value.name == "BTC-USDT"
    with pytest.raises(InstrumentUnknown, match="'XRP'"):
        _ = Balance.of(entry.Balance("XRP", 1, 0), None).total


def test_the_structs_of_the_wire_are_encoded_as_before() -> None:
    """A view has more fields, so it would be another message. The wire carries none of these
    fields."""
    assert msgpack.decode(msgpack.encode(FILL)) == [
        104, 0, 5, "BTC-USDT", 1, "", 2, 3, 1, 5_000_001, 50_000, 50_000, 0, 9, 7, 2, 40_000, 0, 0,
        1, 0, True, 0,
    ]  # fmt: skip
    assert msgpack.decode(msgpack.encode(entry.Balance("BTC", 3, 1))) == ["BTC", 3, 1]
    for view in (Ack, Execution, OrderState, Balance):
        assert view.__struct_fields__[: len(view._wire.__struct_fields__)] == (
            view._wire.__struct_fields__
        )
