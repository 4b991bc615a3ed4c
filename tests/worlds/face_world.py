"""The Binance-spot face in front of a real engine and a real record, on one event loop.

async with FaceWorld() as world:
    order = await world.bot(7).limit("BUY", "0.5", "50000")
"""

import hmac
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import urlencode

import httpx

from crossbook.common.messages.codec import decode_history_question, encode
from crossbook.common.messages.events import EventBatch
from crossbook.common.messages.history_queries import HistoryQuestion
from crossbook.common.process.clock import FakeClock
from crossbook.common.rules import Rules
from crossbook.gateway.auth.access import AnyAccount
from crossbook.gateway.auth.opened_accounts import OpenedAccounts
from crossbook.gateway.binance.assembly import FaceLimits, rest_face
from crossbook.gateway.binance.listen_keys import ListenKeys
from crossbook.gateway.binance.signing import KeySource
from crossbook.gateway.limits.account_limits import UNLIMITED, AccountLimits
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts
from crossbook.recorder.database import open_database
from crossbook.recorder.digest import EventDigest, RecordPosition
from crossbook.recorder.questions import HistoryReader
from crossbook.recorder.store import Store
from tests.worlds.desk_world import INSTRUMENTS
from tests.worlds.rest_world import RestWorld

API = "/api/v3/"


class FaceWorld(RestWorld):
    """The world of the native API with the face in front of it, and a recorder."""

    def __init__(
        self,
        rules: Rules | None = None,
        limits: AccountLimits = UNLIMITED,
        face: FaceLimits | None = None,
        keys: KeySource | None = None,
        opened: OpenedAccounts | None = None,
        market_data_is_keyed: bool = False,
        listen_keys: ListenKeys | None = None,
    ) -> None:
        super().__init__(rules=rules, limits=limits)
        self.batches: list[EventBatch] = []
        self.answers = True
        self._folder = TemporaryDirectory()
        database = open_database(f"sqlite:///{self._folder.name}/history.db", durable=False)
        self._store = Store(database)
        self._store.open(rebuild=True)
        self._reader = HistoryReader(database)
        self._digest = EventDigest(INSTRUMENTS, RecordPosition(), {})
        self._database = database
        apply = self.desk.apply

        def applied(batch: EventBatch) -> None:
            self._record(batch)
            apply(batch)

        self.desk.apply = applied  # type: ignore[method-assign]
        self.answer_questions = self._answer
        self.wall = FakeClock(self.clock.now_ns())
        self.face = rest_face(
            self.app,
            self.trading,
            self.lookup,
            self.queries,
            self.sessions,
            self.market,
            face or FaceLimits(),
            Admission(AllowedHosts()),
            keys,
            AnyAccount(1, opened).check if keys is None else None,
            market_data_is_keyed,
            self.wall,
            listen_keys=listen_keys,
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.face), base_url="http://localhost"
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *failed: Any) -> None:
        await self.http.aclose()
        self._database.dispose()
        self._folder.cleanup()
        await super().__aexit__(*failed)

    def bot(self, account: int = 1) -> "Bot":
        """A client with the demo key of an account."""
        return Bot(self, f"demo-{account}", f"demo-secret-{account}")

    def now_ms(self) -> int:
        """The time of the exchange."""
        return self.clock.now_ns() // 1_000_000

    async def public(self, path: str, **parameters: Any) -> Any:
        """The document of a request without a key."""
        answer = await self.http.get(API + path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _record(self, batch: EventBatch) -> None:
        self._digest.add(batch)
        changes = self._digest.drain()
        if changes is not None:
            self._store.write(changes)

    def _answer(self) -> None:
        """Let the recorder answer the waiting questions."""
        questions: list[HistoryQuestion] = []

        def send(frame: bytes) -> bool:
            if self.answers:
                questions.append(decode_history_question(frame))
            return self.answers

        self.history.send(send)
        for question in questions:
            self.history.receive(encode(self._reader.answer(question)))


class Bot:
    """Signs its requests with the secret of a key; parameters are sent in the query."""

    def __init__(self, world: FaceWorld, key: str, secret: str) -> None:
        self.key = key
        self._world = world
        self._secret = secret

    def signed(self, parameters: dict[str, Any]) -> str:
        """The parameters with a timestamp and a signature, as query or body."""
        stamped = {"timestamp": self._world.now_ms(), **parameters}
        text = urlencode({name: str(each) for name, each in stamped.items()})
        return f"{text}&signature={self.signature(text)}"

    def signature(self, text: str) -> str:
        """The signature of a text."""
        return hmac.digest(self._secret.encode(), text.encode(), "sha256").hex()

    async def send(self, method: str, path: str, **parameters: Any) -> httpx.Response:
        """The answer to a signed request."""
        where = path if path.startswith("/") else API + path
        return await self._world.http.request(
            method, f"{where}?{self.signed(parameters)}", headers={"X-MBX-APIKEY": self.key}
        )

    async def _document(self, method: str, path: str, parameters: dict[str, Any]) -> Any:
        answer = await self.send(method, path, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def get(self, path: str, **parameters: Any) -> Any:
        """The document of a GET."""
        return await self._document("GET", path, parameters)

    async def post(self, path: str, **parameters: Any) -> Any:
        """The document of a POST."""
        return await self._document("POST", path, parameters)

    async def put(self, path: str, **parameters: Any) -> Any:
        """The document of a PUT."""
        return await self._document("PUT", path, parameters)

    async def delete(self, path: str, **parameters: Any) -> Any:
        """The document of a DELETE."""
        return await self._document("DELETE", path, parameters)

    async def error(self, method: str, path: str, **parameters: Any) -> tuple[int, int, str]:
        """Status, code and text of a request that is refused."""
        answer = await self.send(method, path, **parameters)
        document = answer.json()
        assert set(document) <= {"code", "msg", "data"}, document
        return answer.status_code, document["code"], document["msg"]

    async def limit(self, side: str, quantity: str, price: str, **more: Any) -> Any:
        """The answer to a limit order of BTCUSDT."""
        terms = {"type": "LIMIT", "timeInForce": "GTC", "symbol": "BTCUSDT"} | more
        return await self.post("order", side=side, quantity=quantity, price=price, **terms)
