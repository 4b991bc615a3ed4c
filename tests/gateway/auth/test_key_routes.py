"""`/api/v1/admin/keys`, in front of a matcher that applies every act."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec.structs import replace

from crossbook.common.keys import KeyScheme, Scope
from crossbook.common.messages.commands import (
    CreateKey,
    DeleteKey,
    KeyAct,
    RotateKey,
    SetKeyEnabled,
)
from crossbook.common.messages.events import Event, KeyChanged, KeyDeleted
from crossbook.gateway.auth.key_access import KeyAccess
from crossbook.gateway.auth.key_routes import KEYS_PATH, KeyRoutes
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.problem import Problem
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.hosts import AllowedHosts
from tests.gateway.auth.keyed import Owner, hmac_owner
from tests.worlds.rest_world import NOW_NS

OPS = hmac_owner("ops", Scope.ADMIN, 0)
SECRET = "5ec4e7" * 10
NEW = {"account": 7, "scopes": ["read", "trade"], "key_id": "alice-1"}


class Administration:
    """A matcher that applies every act, and keeps the id of the key that requested it."""

    def __init__(self, keys: KeyTable) -> None:
        self.keys = keys
        self.acts: list[tuple[KeyAct, str]] = []
        self.problem: Problem | None = None

    async def act(self, command: KeyAct, requested_by: str) -> Event:
        """Apply an act."""
        if self.problem is not None:
            raise self.problem
        self.acts.append((command, requested_by))
        if isinstance(command, DeleteKey):
            self.keys.remove(command.key_id)
            return KeyDeleted(1, 0, 0, command.key_id)
        key = command.key if isinstance(command, CreateKey) else self.keys.find(command.key_id)
        assert key is not None
        if isinstance(command, SetKeyEnabled):
            key = replace(key, enabled=command.enabled)
        if isinstance(command, RotateKey):
            key = replace(key, material=command.material, previous=key.material)
        self.keys.put(key)
        return KeyChanged(1, 0, 0, key)


class World:
    """The routes, for an administrator."""

    def __init__(self) -> None:
        self.keys = KeyTable()
        self.keys.put(OPS.key)
        self.wall_ns = NOW_NS
        self.administration = Administration(self.keys)
        access = KeyAccess(self.keys, lambda: self.wall_ns, lambda: self.wall_ns)
        app: Any = KeyRoutes(
            self.nothing, self.keys, self.administration, Admission(AllowedHosts()), access,
            lambda: SECRET,
        )  # fmt: skip
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://localhost"
        )

    async def nothing(self, scope: Any, receive: Any, send: Any) -> None:
        """The application behind the routes."""
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def send(
        self, method: str, path: str = "", body: object = None, owner: Owner | None = OPS
    ) -> httpx.Response:
        """The answer to a request."""
        payload = b"" if body is None else msgspec.json.encode(body)
        target = f"{KEYS_PATH}{path}"
        self.wall_ns += 1_000
        headers = {"Content-Type": "application/json"} if payload else {}
        if owner is not None:
            headers |= owner.headers(method, target, payload, at_ns=self.wall_ns)
        return asyncio.run(self.client.request(method, target, content=payload, headers=headers))

    def refusal(self, *request: Any) -> tuple[int, str, str | None]:
        """Status, code and field of a refused request."""
        answer = self.send(*request)
        error = answer.json()["error"]
        assert not self.administration.acts
        return answer.status_code, error["code"], error.get("field")


def test_a_key_is_created_for_its_owner_and_its_secret_shown_once() -> None:
    world = World()
    answer = world.send("POST", "", NEW | {"label": "desk", "addresses": ["192.0.2.0/24"]})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert (made["key_id"], made["account"], made["scopes"]) == ("alice-1", 7, "read,trade")
    assert (made["label"], made["addresses"], made["secret"]) == (
        "desk", ["192.0.2.0/24"], SECRET,
    )  # fmt: skip
    ((act, by),) = world.administration.acts
    assert isinstance(act, CreateKey)
    assert (act.key.material, by) == (SECRET.encode(), "ops")
    listed = world.send("GET").text
    assert SECRET not in listed
    assert [key["key_id"] for key in world.send("GET").json()["keys"]] == ["alice-1", "ops"]
    assert world.send("GET", "/alice-1").json()["label"] == "desk"


def test_a_key_is_disabled_rotated_and_deleted() -> None:
    world = World()
    world.send("POST", "", NEW)
    assert world.send("PATCH", "/alice-1", {"enabled": False}).json()["enabled"] is False
    rotated = world.send("POST", "/alice-1/rotate", {"overlap_s": 60, "expire_time": 5})
    assert (rotated.status_code, rotated.json()["secret"]) == (200, SECRET)
    assert world.send("POST", "/alice-1/rotate", {}).status_code == 200
    assert world.send("DELETE", "/alice-1").json() == {"key_id": "alice-1"}
    acts = [act for act, by in world.administration.acts if by == "ops"]
    assert acts[1:] == [
        SetKeyEnabled(
            gateway=0, request_seq=0, account=0, instrument=0, key_id="alice-1", enabled=False
        ),
        RotateKey(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=0,
            key_id="alice-1",
            material=SECRET.encode(),
            overlap_ns=60_000_000_000,
            expires_ns=5_000_000,
        ),
        RotateKey(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=0,
            key_id="alice-1",
            material=SECRET.encode(),
            overlap_ns=0,
            expires_ns=-1,
        ),
        DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id="alice-1"),
    ]
    assert world.send("DELETE", "/alice-1").status_code == 404


def test_a_public_key_of_its_owner_is_stored_and_no_secret_made() -> None:
    private = Ed25519PrivateKey.generate().public_key()
    raw = private.public_bytes_raw()
    pem = private.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for scheme, public in (("ed25519", pem), ("ed25519", raw.hex()), ("curve", raw.hex())):
        world = World()
        answer = world.send("POST", "", NEW | {"scheme": scheme, "public_key": public})
        assert answer.status_code == 201
        assert "secret" not in answer.json()
        found = world.keys.find("alice-1")
        assert found is not None
        assert (found.scheme, found.material) == (KeyScheme[scheme.upper()], raw)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["all"]}, "scopes[0]"),
        ({"account": 0}, "account"),
        ({"account": -1}, "account"),
        ({"account": 2**31}, "account"),
        ({"key_id": "a b"}, "key_id"),
        ({"key_id": "local"}, "key_id"),
        ({"label": "x" * 41}, "label"),
        ({"addresses": ["10.0.0.1/8"]}, "addresses"),
        ({"addresses": ["::/0"] * 17}, "addresses"),
        ({"expire_time": -1}, "expire_time"),
        ({"public_key": "00"}, "public_key"),
        ({"scheme": "ed25519"}, "public_key"),
        ({"scheme": "ed25519", "public_key": "00"}, "public_key"),
        ({"scheme": "rsa", "public_key": "00"}, "public_key"),
        ({"scheme": "dsa"}, "scheme"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_a_malformed_key_is_refused_with_its_field(change: dict[str, Any], field: str) -> None:
    assert World().refusal("POST", "", NEW | change) == (400, "MALFORMED", field)


def test_a_public_key_of_another_kind_is_refused() -> None:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = point.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for scheme in ("ed25519", "rsa"):
        refusal = World().refusal("POST", "", NEW | {"scheme": scheme, "public_key": pem})
        assert refusal == (400, "MALFORMED", "public_key")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/ops", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("GET", "/ops/rotate", "OPTIONS, POST"),
    ],
)
def test_another_method_is_refused_with_those_of_the_path(
    method: str, path: str, allow: str
) -> None:
    world = World()
    answer = world.send(method, path, {} if method == "POST" else None)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)
    assert world.send("OPTIONS", path, owner=None).status_code == 204


def test_only_administrators_reach_the_keys() -> None:
    world = World()
    reader = hmac_owner("reader", Scope.READ | Scope.TRADE)
    world.keys.put(reader.key)
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/ops"), ("GET", "/nobody")):
        body = NEW if method == "POST" else None
        assert world.send(method, path, body, None).status_code == 401
        assert world.send(method, path, body, reader).status_code == 403
    assert not world.administration.acts


def test_other_paths_and_problems_of_the_matcher_are_passed_on() -> None:
    world = World()
    assert asyncio.run(world.client.get("/api/v1/admin/keyring")).status_code == 299
    world.administration.problem = Problem(503, "ADMINISTRATION_UNAVAILABLE", "away")
    answer = world.send("POST", "", NEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (
        503, "ADMINISTRATION_UNAVAILABLE",
    )  # fmt: skip


def test_a_fault_of_the_gateway_shows_nothing_of_the_request(
    capfd: pytest.CaptureFixture[str],
) -> None:
    world = World()

    async def act(command: KeyAct, requested_by: str) -> Event:
        raise RuntimeError("a fault")

    world.administration.act = act  # type: ignore[method-assign]
    answer = world.send("POST", "", NEW)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL")
    shown = capfd.readouterr()
    assert SECRET not in answer.text + shown.err + shown.out
