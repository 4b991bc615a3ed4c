"""docs/reference/binance-user-stream.md has every method, event, field and limit."""

import re
from typing import Final

from crossbook.common.instruments import example
from crossbook.common.types import OrderStatus, RejectReason, Side
from crossbook.gateway.binance import listen_keys
from crossbook.gateway.binance.decimals import asset_axis
from crossbook.gateway.binance.parameters import PARAMETERS_MAX
from crossbook.gateway.binance.user import events
from crossbook.gateway.binance.user.events import Change, UserEvent
from crossbook.gateway.binance.user.reported_order import ReportedOrder
from crossbook.gateway.binance.venue import OPEN_MOST
from crossbook.gateway.binance.ws_api import client, methods
from crossbook.gateway.web.websocket import Limits
from tests.reference.pages import page, rows, section

PAGE: Final = page("binance-user-stream")
KINDS: Final = (
    events.NEW, events.TRADE, events.CANCELED, events.EXPIRED, events.TRADE_PREVENTION,
    events.REPLACED, events.REJECTED,
)  # fmt: skip


def fields_of(event: UserEvent) -> set[str]:
    """The fields of an event."""
    return set(event.document) | set(event.times)


def test_every_method_is_listed() -> None:
    table = section(PAGE, "Requests")
    listed = {name for row in rows(table) for name in re.findall(r"`([a-zA-Z0-9.]+)`", row[0])}
    assert listed == {*methods.PATHS, *methods.SESSION, *methods.STREAMS}


def test_every_event_is_listed_with_its_fields() -> None:
    listed = {
        row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1]))
        for row in rows(section(PAGE, "Events"))
        if row[1].startswith("`e`")
    }
    made = [
        events.account_position((), 0),
        events.balance_update("USDT", 1, asset_axis(8), 0),
        events.listen_key_expired("k", 0),
        events.stream_terminated(0),
        events.server_shutdown(0),
    ]
    shown = {each.document["e"]: fields_of(each) for each in made}
    assert listed == shown


def test_every_field_of_a_report_is_listed() -> None:
    order = ReportedOrder(example(), 1, "", Side.BUY, 1, 1, 1, 1, 0, 0, 0, False, 0, 1, 1, 0)
    reason = int(RejectReason.IMMEDIATE_OR_CANCEL)
    change = Change(events.EXPIRED, int(OrderStatus.EXPIRED), 1, 1, None, False, "", reason, 1)
    report = events.execution_report(order, change)
    text = section(PAGE, "executionReport")
    listed = {name for row in rows(text) for name in re.findall(r"`(\w{1,2})`", row[0])}
    assert listed == fields_of(report)
    kinds = [row[0].strip("`") for row in rows(text) if row[0].strip("`") in KINDS]
    assert kinds == list(KINDS)


def test_limits_are_listed_as_they_are() -> None:
    listed = {row[0]: row[1] for row in rows(section(PAGE, "Requests"))}
    assert listed["requests of a connection without an answer"] == f"{client.REQUESTS_MAX:,}"
    subscriptions = f"{client.SUBSCRIPTIONS_MAX}, one of each account (-2035)"
    assert listed["subscriptions of a connection"] == subscriptions
    assert listed["bytes of a request"] == f"{Limits().message_max:,}"
    assert listed["parameters of a request"] == str(PARAMETERS_MAX)
    assert listed["open orders of an account with a stream"] == f"{OPEN_MOST:,}"
    keys = f"{listen_keys.KEYS_MAX:,}"
    assert listed["accounts with listen keys of a gateway"] == keys
