"""An exchange with `AUTH=on`: keys of every scheme, wrong signatures, user streams."""

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final
from urllib.error import HTTPError

import pytest

from crossbook.client.key_admin import NewKey
from crossbook.client.key_material import new_material
from crossbook.common.keys import KeyScheme
from crossbook.request_signer import RequestSigner
from crossbook.testing import Exchange
from tests.clients.conversation import ClientError, Conversation
from tests.clients.journey import ASKS, BIDS, OTHER, OWN, SYMBOL, host_of, place
from tests.clients.test_cryptofeed import session_with
from tests.clients.test_user_streams import CcxtEvents, CryptofeedEvents
from tests.clients.user_journey import OwnEvents

WRONG: Final = "Signature for this request is not valid."
HOUSE: Final = 3


class KeyedJourney(OwnEvents):
    """One's own events with a key of the exchange. `CHOSEN` is the id of the key; empty where the
    exchange draws one, by which alone a client then reads a listen key."""

    SCHEME: ClassVar[KeyScheme] = KeyScheme.HMAC_SHA256
    CHOSEN: ClassVar[str] = ""
    WRONG: ClassVar[str] = WRONG
    other: ClassVar[RequestSigner]

    @pytest.fixture(scope="class", name="venue")
    @classmethod
    def fixture_venue(cls) -> Iterator[Exchange]:
        with Exchange(auth="on") as exchange:
            house, cls.other = (signer_of(made_key(exchange, each)) for each in (HOUSE, OTHER))
            for side, levels in (("buy", BIDS), ("sell", ASKS)):
                for price, quantity in levels:
                    enter(exchange, house, side, quantity, price)
            yield exchange

    @pytest.fixture(scope="class", name="session")
    @classmethod
    def fixture_session(
        cls, venue: Exchange, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[Conversation]:
        made = made_key(venue, OWN, cls.SCHEME, cls.CHOSEN)
        folder = tmp_path_factory.mktemp("keys")
        with cls.conversation(venue, folder, made.key.key_id, made.secret) as session:
            yield session

    @classmethod
    @contextlib.contextmanager
    def conversation(
        cls, venue: Exchange, folder: Path, key_id: str, secret: str
    ) -> Iterator[Conversation]:
        """A session with a key."""
        named = ["--secret", secret]
        if cls.SCHEME != KeyScheme.HMAC_SHA256:
            file = folder / f"{key_id}.pem"
            file.write_text(secret)
            named = ["--private", str(file)]
        with cls.begun(venue, folder, "--key", key_id, *named) as session:
            yield session

    @classmethod
    @contextlib.contextmanager
    def begun(cls, venue: Exchange, folder: Path, *named: str) -> Iterator[Conversation]:
        """A session with these arguments."""
        with Conversation(cls.CLIENT, cls.SCRIPT, host_of(venue), *named) as session:
            yield session

    def sell(self, venue: Exchange, quantity: str, price: str) -> None:
        enter(venue, self.other, "sell", quantity, price)

    def check_open(self, session: Conversation, venue: Exchange) -> None:
        assert session("open_orders", symbol=SYMBOL) == []

    def test_own_events_come_and_none_by_a_wrong_signature(
        self, session: Conversation, venue: Exchange, tmp_path: Path
    ) -> None:
        made = made_key(venue, OWN, self.SCHEME, self.CHOSEN and "wrong")
        other = new_material(self.SCHEME).secret
        with self.conversation(venue, tmp_path, made.key.key_id, other) as wrong:
            with pytest.raises(ClientError, match=self.WRONG):
                place(wrong, "buy", "GTC", quantity="0.1", price="48000")
            if self.CHOSEN:
                with contextlib.suppress(ClientError):
                    wrong("follow_user", symbol=SYMBOL)
            self.check_events(session, venue)
            if self.CHOSEN:
                assert wrong("user_events") == []


def made_key(
    venue: Exchange, account: int, scheme: KeyScheme = KeyScheme.HMAC_SHA256, key_id: str = ""
) -> NewKey:
    """A new key, once the gateway has it."""
    made = venue.admin.api_keys.create(account, scheme=scheme, key_id=key_id or None)
    venue.wait_for(lambda: send(venue, signer_of(made), "GET", "/api/v1/account") == 200)
    return made


def signer_of(made: NewKey) -> RequestSigner:
    """The signer of a key."""
    return RequestSigner(made.key.key_id, made.secret)


def enter(venue: Exchange, signer: RequestSigner, side: str, quantity: str, price: str) -> None:
    """Enter an order natively."""
    order = {"symbol": SYMBOL, "order_type": "limit", "side": side, "quantity": quantity}
    assert send(venue, signer, "POST", "/api/v1/orders", {**order, "price": price}) == 201


def send(
    venue: Exchange, signer: RequestSigner, method: str, target: str, document: object = None
) -> int:
    """The status of the answer to a signed native request."""
    body = b"" if document is None else json.dumps(document).encode()
    headers = {**signer.headers(method, target, body), "Content-Type": "application/json"}
    request = urllib.request.Request(venue.http_url + target, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


class TestPythonBinance(KeyedJourney):
    CLIENT = "python-binance"
    SCRIPT = "python_binance_async"
    SCHEME = KeyScheme.ED25519
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestPythonBinanceOfRsa(KeyedJourney):
    CLIENT = "python-binance"
    SCRIPT = "python_binance_async"
    SCHEME = KeyScheme.RSA
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestBinanceSdkSpot(KeyedJourney):
    CLIENT = "binance-sdk-spot"
    SCRIPT = "binance_sdk_spot"
    SCHEME = KeyScheme.ED25519
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestBinanceSdkSpotOfRsa(KeyedJourney):
    CLIENT = "binance-sdk-spot"
    SCRIPT = "binance_sdk_spot"
    SCHEME = KeyScheme.RSA
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestCcxtPro(CcxtEvents, KeyedJourney):
    CLIENT = "ccxt"
    SCRIPT = "ccxt_pro"
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestBinanceSpot(KeyedJourney):
    CLIENT = "npm"
    SCRIPT = "binance_spot.js"
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestBinanceApiNode(KeyedJourney):
    CLIENT = "npm"
    SCRIPT = "binance_api_node.js"
    CHOSEN = "desk-1"


@pytest.mark.slow
class TestNodeBinanceApi(KeyedJourney):
    CLIENT = "npm"
    SCRIPT = "node_binance_api.js"
    CHOSEN = "desk-1"


class TestBinanceConnector(KeyedJourney):
    CLIENT = "binance-connector"
    SCRIPT = "binance_connector"


@pytest.mark.slow
class TestBinance(KeyedJourney):
    CLIENT = "npm"
    SCRIPT = "binance.js"


@pytest.mark.slow
class TestCryptofeed(CryptofeedEvents, KeyedJourney):
    CLIENT = "cryptofeed"
    SCRIPT = "cryptofeed"
    WRONG = "400"

    @classmethod
    @contextlib.contextmanager
    def begun(cls, venue: Exchange, folder: Path, *named: str) -> Iterator[Conversation]:
        yield from session_with(venue, folder, *named)
