"""Every operation of the OpenAPI document, requested with everything that is not a key for it.

No such request enters, changes or reads anything: each gets the refusal that is due, and a request
of the owner reaches the route.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
import uvloop
from msgspec.structs import replace

from crossbook.common.keys import Scope
from crossbook.gateway.auth.key_access import KeyAccess
from crossbook.gateway.auth.scopes import scope_needed
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.matcher.recovery.snapshot import state_hash
from tests.gateway.auth.keyed import Owner, hmac_owner
from tests.gateway.auth.test_scopes import operations
from tests.worlds.rest_world import NOW_NS, RestWorld

PEER: Final = ("192.0.2.1", 40_000)

ALICE: Final = hmac_owner("alice-1", Scope.READ | Scope.TRADE)
BOB: Final = hmac_owner("bob-1", Scope.READ | Scope.TRADE, 8)
ADMIN: Final = hmac_owner("admin-1", Scope.ADMIN, 0)

BODIES: Final = {
    "/api/v1/orders": b'{"symbol":"BTC-USDT","order_type":"limit","side":"buy","quantity":"1.0",'
    b'"price":"50000.00"}',
    "/api/v1/cancel-after": b'{"timeout_s":60}',
}


class KeyedRestWorld(RestWorld):
    """The API with `AUTH=on`, for clients at `PEER`."""

    def __init__(self, *owners: Owner) -> None:
        self.keys = KeyTable()
        for owner in owners:
            self.keys.put(owner.key)
        self.wall_ns = NOW_NS
        super().__init__(access=KeyAccess(self.keys, lambda: self.wall_ns, lambda: self.wall_ns))
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=PEER), base_url="http://localhost"
        )

    async def send(
        self, method: str, path: str, owner: Owner | None = None, **headers: str
    ) -> httpx.Response:
        """The answer to a request, signed where it has an owner."""
        body = BODIES.get(path, b"{}") if method in ("POST", "PATCH") else b""
        query = "?client_order_id=x" if path.endswith("by-client-order-id") else ""
        self.wall_ns += 1_000
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if owner is not None:
            sent = owner.headers(method, path + query, body, at_ns=self.wall_ns) | sent
        if body:
            sent["Content-Type"] = "application/json"
        return await self.client.request(method, path + query, content=body, headers=sent)


def keyed_operations() -> list[tuple[str, str]]:
    """Method and path of every operation that needs a key."""
    found = [
        (method, path) for method, path, _ in operations() if scope_needed(method, path) is not None
    ]
    # One more for each path that has another spelling.
    return [*found, ("HEAD", "/api/v1/orders"), ("GET", "/api/v1/%6frders"), ("GET", "/nowhere"),
            ("GET", "/api/v1/admin/faults"), ("POST", "/api/v1/admin/keys")]  # fmt: skip


def walk(owner: Owner | None, *owners: Owner, **headers: str) -> list[tuple[str, int, str]]:
    """Path, status and code of the answer of each operation. Asserts that nothing happened."""

    routes = keyed_operations()

    async def main() -> list[tuple[str, int, str]]:
        async with KeyedRestWorld(*owners) as world:
            answers = []
            for method, path in routes:
                answer = await world.send(method, path, owner, **headers)
                code = answer.json()["error"]["code"] if method != "HEAD" else ""
                if answer.status_code == 401:
                    assert answer.headers["www-authenticate"] == "CROSSBOOK-SIGNATURE"
                answers.append((f"{method} {path}", answer.status_code, code))
            assert state_hash(world.engine) == state_hash(RestWorld().engine)
            return answers

    found = asyncio.run(main())
    assert len(found) > 18
    return found


def forged(owner: Owner) -> Owner:
    return Owner(owner.key, lambda text: owner.sign(text + b" "))


UNKNOWN: Final = (401, "UNAUTHENTICATED")
FORBIDDEN: Final = (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("owner", "keys", "headers", "refusal"),
    [
        (None, [ALICE], {}, UNKNOWN),
        (None, [ALICE], {"X_Account": "7"}, UNKNOWN),
        (ALICE, [BOB], {}, UNKNOWN),
        (forged(ALICE), [ALICE], {}, UNKNOWN),
        (Owner(ALICE.key, BOB.sign), [ALICE, BOB], {}, UNKNOWN),
        (ALICE, [Owner(replace(ALICE.key, enabled=False), ALICE.sign)], {}, FORBIDDEN),
        (ALICE, [Owner(replace(ALICE.key, expires_ns=NOW_NS), ALICE.sign)], {}, FORBIDDEN),
        (
            ALICE,
            [Owner(replace(ALICE.key, addresses=("198.51.100.0/24",)), ALICE.sign)],
            {},
            FORBIDDEN,
        ),
        (BOB, [ALICE, BOB], {"X_Account": "7"}, FORBIDDEN),
        (ADMIN, [ALICE, Owner(replace(ADMIN.key, scopes=Scope(0)), ADMIN.sign)], {}, FORBIDDEN),
    ],
    ids=["nobody", "only an account", "unknown key", "bad signature", "another's signature",
         "disabled", "expired", "wrong address", "another's account", "no scope"],
)  # fmt: skip
def test_no_route_serves_an_intruder(
    owner: Owner | None, keys: list[Owner], headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    for name, status, code in walk(owner, *keys, **headers):
        assert (status, code) == refusal or (name.startswith("HEAD") and status == refusal[0]), name


def by_scope(owner: Owner) -> dict[bool, set[str]]:
    """The operations that a key is refused (False) and admitted to (True)."""
    found: dict[bool, set[str]] = {False: set(), True: set()}
    routes = keyed_operations()

    async def main() -> None:
        async with KeyedRestWorld(owner) as world:
            for method, path in routes:
                answer = await world.send(method, path, owner)
                found[answer.status_code != 403].add(f"{method} {path}")

    uvloop.run(main())
    return found


@pytest.mark.parametrize(
    ("scope", "admits"),
    [
        (Scope.READ, lambda method, path: method in ("GET", "HEAD")),
        (Scope.TRADE, lambda method, path: method not in ("GET", "HEAD")),
        (Scope.ADMIN, lambda method, path: False),
    ],
)
def test_a_key_is_admitted_to_the_routes_of_its_scopes_only(
    scope: Scope, admits: Callable[[str, str], bool]
) -> None:
    found = by_scope(hmac_owner("one", scope, 0 if scope == Scope.ADMIN else 7))
    for method, path in keyed_operations():
        is_admin = path.startswith("/api/v1/admin") or path == "/metrics"
        is_admitted = scope == Scope.ADMIN if is_admin else admits(method, path)
        assert f"{method} {path}" in found[is_admitted], (method, path)


def test_an_order_belongs_to_the_account_of_its_key_and_no_other_key_finds_it() -> None:
    async def main() -> None:
        async with KeyedRestWorld(ALICE, BOB) as world:
            answer = await world.send("POST", "/api/v1/orders", ALICE)
            assert answer.status_code == 201
            order = f"/api/v1/orders/{answer.json()['order_id']}"
            for named in ({}, {"X_Account": "7"}):
                document = (await world.send("GET", "/api/v1/account", ALICE, **named)).json()
                assert document["account"] == 7
            for method in ("DELETE", "PATCH"):
                refused = await world.send(method, order, BOB)
                assert refused.status_code in (400, 404)
            assert (await world.send("DELETE", order, ALICE)).status_code == 200

    uvloop.run(main())


def test_public_data_stays_open_and_a_key_on_it_changes_nothing() -> None:
    routes = operations()

    async def main() -> Any:
        async with KeyedRestWorld(ALICE) as world:
            for method, path, _ in routes:
                if scope_needed(method, path) is None:
                    for owner in (None, ALICE, forged(ALICE)):
                        answer = await world.send(method, path, owner)
                        assert answer.status_code not in (401, 403), path
            for path in ("/", "/page/main.js", "/docs", "/openapi.json"):
                assert (await world.client.get(path)).status_code == 200

    uvloop.run(main())


def test_an_unsigned_body_is_not_read() -> None:
    async def main() -> None:
        async with KeyedRestWorld(ALICE) as world:
            answer = await world.client.post(
                "/api/v1/orders",
                content=b"x" * 300_000,
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 401

    uvloop.run(main())
