"""Faults of the face's user streams and listen keys. The rules of executions concern each event of
an account that a client of its stream receives."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from crossbook.common.faults.face import ListenKeyExpired, ListenKeyFacts
from crossbook.common.faults.order_entry import ExecutionFacts, ExecutionFault
from crossbook.common.faults.table import FaultTable
from crossbook.gateway.binance.listen_keys import ListenKeys
from crossbook.gateway.binance.symbols import SymbolTable
from crossbook.gateway.binance.user.events import UserEvent
from crossbook.gateway.binance.user.streams import AccountStream, AccountSubscriber, UserStreams
from crossbook.gateway.faults.fate import execution_fate

ENDED: Final = "ended by a fault rule"


class FaultyUserStreams(UserStreams):
    """As `UserStreams`, behind the rules of `table`; `symbols` are the names of the face."""

    def __init__(self, *arguments: Any, table: FaultTable, symbols: SymbolTable) -> None:
        super().__init__(*arguments)
        self._table = table
        self._symbols = symbols

    def send(self, stream: AccountStream, made: Sequence[UserEvent]) -> None:
        """Send events to the clients of an account, with their faults."""
        if not self._table.has(ExecutionFault):
            super().send(stream, made)
            return
        for subscriber in list(stream.subscribers):
            self._send_to(stream, subscriber, made)

    def _send_to(
        self, stream: AccountStream, subscriber: AccountSubscriber, made: Sequence[UserEvent]
    ) -> None:
        for event in made:
            instrument = self._symbols.find(event.document.get("s", ""))
            facts = ExecutionFacts(
                "websocket",
                stream.events.account,
                "" if instrument is None else instrument.symbol,
                key=subscriber.key_id,
            )
            # An answer may travel on another connection, so none changes places.
            fate = execution_fate(self._table, facts, has_answer=False)
            if fate.is_closed:
                subscriber.lose(ENDED)
                return
            if not fate.is_sent:
                continue
            if fate.delay_s:
                late = partial(self._send_late, stream, subscriber, event)
                asyncio.get_running_loop().call_later(fate.delay_s, late)
            else:
                subscriber.send_events((event,))

    def _send_late(
        self, stream: AccountStream, subscriber: AccountSubscriber, event: UserEvent
    ) -> None:
        if subscriber in stream.subscribers:
            subscriber.send_events((event,))


class FaultyListenKeys(ListenKeys):
    """As `ListenKeys`, behind the rules of `table`. `now_s` is real time."""

    def __init__(self, table: FaultTable, now_s: Callable[[], float]) -> None:
        super().__init__()
        self._table = table
        self._now_s = now_s
        # When each rule first met each key.
        self._met_s: dict[tuple[int, str], float] = {}

    def expire(self, now_ns: int) -> None:
        """End the keys whose hour, or whose time by a rule, is over."""
        super().expire(now_ns)
        rules = self._table.in_force(ListenKeyExpired)
        if not rules:
            self._met_s.clear()
            return
        met_s, self._met_s = self._met_s, {}
        now_s = self._now_s()
        for text, account in self.living():
            facts = ListenKeyFacts(account)
            for each in rules:
                if not each.rule.concerns(facts):
                    continue
                began_s = met_s.get((each.id, text), now_s)
                if now_s - began_s < each.rule.seconds:
                    self._met_s[each.id, text] = began_s
                elif self._table.applies(each):
                    self.end(text)
                    break
                else:
                    self._met_s[each.id, text] = now_s
