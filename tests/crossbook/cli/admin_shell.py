"""`crossbook admin`, run by its command line against matchers with fixed answers."""

import json
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from crossbook.cli.main import app
from crossbook.client.admin_client import AdminClient
from crossbook.common.errors import CrossbookError
from crossbook.common.instruments import example
from crossbook.common.messages.admin import (
    Act,
    AdminTimeAccepted,
    AdminTimeAdvanced,
    AdminView,
    InstrumentStatus,
)
from crossbook.common.messages.entry import Balance
from crossbook.common.messages.events import (
    Event,
    OrdersMassCanceled,
)
from crossbook.common.types import InstrumentState

BEGAN_NS = 1_761_481_996_789_123_456
SECOND_NS = 10**9
BTC = example()
ETH = replace(
    BTC, id=2, symbol="ETH-EUR", base="ETH", quote="EUR", tick_size="0.5", quote_decimals=2,
    base_decimals=6, maker_fee_rate=-100, taker_fee_rate=5_000,
)  # fmt: skip
SOL = replace(BTC, id=3, symbol="SOL-USDT", base="SOL")

FIRST = AdminView(
    request_id=0, seq=90,
    instruments=[
        InstrumentStatus(
            definition=BTC, state=InstrumentState.OPEN, until_ns=0, last_price_ticks=5_000_001,
            last_trade_id=12,
        ),
        InstrumentStatus(
            definition=ETH, state=InstrumentState.HALTED, until_ns=BEGAN_NS + 60 * SECOND_NS,
            last_price_ticks=0, last_trade_id=0,
        ),
    ],
    balances=[Balance("BTC", 150_000_000, 1), Balance("EUR", 1_234, 0)], time_ns=BEGAN_NS,
    clock_ns=BEGAN_NS + SECOND_NS,
)  # fmt: skip
SECOND = AdminView(
    request_id=0, seq=(1 << 56) + 7,
    instruments=[
        InstrumentStatus(
            definition=SOL, state=InstrumentState.AUCTION, until_ns=0, last_price_ticks=300,
            last_trade_id=4,
        )
    ],
    balances=[Balance("SOL", 5, 2)], time_ns=BEGAN_NS, clock_ns=BEGAN_NS + 90 * SECOND_NS,
    clock_refused=True,
)  # fmt: skip


class Matchers:
    """The matchers of an exchange: their answers, and the acts that each received."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.views = [FIRST]
        self.away: set[int] = set()
        self.answer: Event = OrdersMassCanceled(
            seq=99, gateway=0, request_seq=0, account=0, instrument=0, side=0, count=3,
        )  # fmt: skip
        self.acts: list[tuple[int, Act]] = []
        self.moves: list[tuple[int, int]] = []
        self.viewed: list[int] = []
        self.addresses: list[str] = []
        self._numbers: dict[AdminClient, int] = {}
        monkeypatch.setattr(AdminClient, "__init__", self._opened(AdminClient.__init__))
        monkeypatch.setattr(
            AdminClient, "view", lambda client, account=0: self._view(client, account)
        )
        monkeypatch.setattr(AdminClient, "act", lambda client, act: self._act(client, act))
        monkeypatch.setattr(AdminClient, "accept_time", lambda client: self._accept_time(client))
        monkeypatch.setattr(
            AdminClient, "advance_to", lambda client, to_ns: self._advance_to(client, to_ns)
        )
        monkeypatch.delenv("SHARDS", raising=False)
        self._monkeypatch = monkeypatch

    def two(self) -> None:
        """Make two shards out of one."""
        self.views = [FIRST, SECOND]
        self._monkeypatch.setenv("SHARDS", "2")

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        self.acts.clear()
        self.moves.clear()
        self.viewed.clear()
        self._numbers.clear()
        result = CliRunner().invoke(app, ["admin", *words], env={"COLUMNS": "200"})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        lines = [each.rstrip() for each in result.stdout.splitlines()]
        return result.exit_code, "\n".join(lines), result.stderr.strip()

    def run_json(self, *words: str) -> Any:
        """The printed object."""
        status, out, err = self.run(*words, "--json")
        assert (status, err) == (0, "")
        return json.loads(out)

    def _opened(self, init: Any) -> Any:
        def opened(
            client: AdminClient, address: str, timeout_s: float = 0.0, keys: object = None
        ) -> None:
            self._numbers[client] = len(self._numbers)
            self.addresses.append(address)
            init(client, "inproc://matcher", timeout_s)

        return opened

    def _view(self, client: AdminClient, account: int) -> AdminView:
        number = self._numbers[client]
        if number in self.away:
            raise CrossbookError(f"matcher {number} is away")
        self.viewed.append(account)
        return self.views[number]

    def _act(self, client: AdminClient, act: Act) -> Event:
        self.acts.append((self._numbers[client], act))
        return self.answer

    def _advance_to(self, client: AdminClient, to_ns: int) -> AdminTimeAdvanced:
        number = self._numbers[client]
        self.moves.append((number, to_ns))
        return AdminTimeAdvanced(
            request_id=0, before_ns=self.views[number].time_ns, time_ns=to_ns, seq=90 + number,
            batches=1,
        )  # fmt: skip

    def _accept_time(self, client: AdminClient) -> AdminTimeAccepted:
        view = self.views[self._numbers[client]]
        return AdminTimeAccepted(0, view.time_ns, view.clock_ns, view.clock_refused)
