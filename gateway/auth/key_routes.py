"""`/api/v1/admin/keys`: API keys, to list, create, change, rotate and delete (`AUTH=on`).

Every request needs a key of scope admin, and its act is journaled with the id of that key. The path
exists only with `AUTH=on`. It is served without the framework, behind the checks of every path.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, Protocol
from urllib.parse import unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from msgspec import Meta, Struct

from crossbook.common.keys import (
    OVERLAP_MAX_NS,
    Key,
    KeyScheme,
    key_facts,
    key_faults,
    material_fault,
    parse_network,
    parse_scopes,
)
from crossbook.common.messages.commands import (
    CreateKey,
    DeleteKey,
    KeyAct,
    RotateKey,
    SetKeyEnabled,
)
from crossbook.common.messages.events import Event, KeyChanged
from crossbook.common.times import SECOND_NS
from crossbook.common.types import MAX_ACCOUNT
from crossbook.gateway.api.bodies import decoder
from crossbook.gateway.api.order_route import check_media_type
from crossbook.gateway.auth.access import Access, key_in
from crossbook.gateway.keys.key_table import KeyTable
from crossbook.gateway.problem import Problem, malformed
from crossbook.gateway.web.admin_routes import AdminRoutes
from crossbook.gateway.web.admission import Admission
from crossbook.gateway.web.entrance import AsgiApp

KEYS_PATH: Final = "/api/v1/admin/keys"
OVERLAP_MAX_S: Final = OVERLAP_MAX_NS // SECOND_NS

_METHODS: Final = b"GET, HEAD, OPTIONS, POST"
_METHODS_OF_ONE: Final = b"DELETE, GET, HEAD, OPTIONS, PATCH"
_METHODS_OF_ROTATION: Final = b"OPTIONS, POST"
_ROTATION: Final = "/rotate"
_MS: Final = 1_000_000

SchemeWord = Literal["hmac_sha256", "ed25519", "rsa", "curve"]
ScopeWord = Literal["read", "trade", "admin"]
TimeMs = Annotated[int, Meta(ge=0, le=(2**63 - 1) // _MS)]


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key to create. `expire_time` in ms since the Unix epoch; zero means never."""

    scopes: list[ScopeWord]
    account: Annotated[int, Meta(ge=0, le=MAX_ACCOUNT)] = 0
    scheme: SchemeWord = "hmac_sha256"
    public_key: str | None = None
    key_id: str | None = None
    label: str = ""
    addresses: list[str] = []
    expire_time: TimeMs = 0


class KeyChange(Struct, forbid_unknown_fields=True):
    """Whether a key may be used."""

    enabled: bool


class RotationRequest(Struct, forbid_unknown_fields=True):
    """New material for a key; the present one counts for `overlap_s` more. Without `expire_time`
    the expiry stays; zero means never."""

    public_key: str | None = None
    overlap_s: Annotated[int, Meta(ge=0, le=OVERLAP_MAX_S)] = 0
    expire_time: TimeMs | None = None


class Administration(Protocol):
    """The matcher's administration."""

    async def act(self, command: KeyAct, requested_by: str) -> Event:
        """Perform an act; raises `Problem`."""


_key_request = decoder(KeyRequest)
_key_change = decoder(KeyChange)
_rotation = decoder(RotationRequest)


class KeyRoutes(AdminRoutes):
    """Serves `KEYS_PATH`, and everything else by `app`. `make_secret` returns new secrets, of which
    the first characters name keys without an id of their own."""

    def __init__(
        self,
        app: AsgiApp,
        keys: KeyTable,
        administration: Administration,
        admission: Admission,
        access: Access,
        make_secret: Callable[[], str],
    ) -> None:
        headers = ((b"cache-control", b"no-store"),)
        super().__init__(app, admission, access, KEYS_PATH, "keys", _methods_of, headers)
        self._keys = keys
        self._administration = administration
        self._make_secret = make_secret

    async def answer(self, scope: Any, receive: Any) -> tuple[int, Any]:
        """Status and document for a request; raises `Problem`."""
        method = scope["method"]
        one = unquote(scope["path"].removeprefix(KEYS_PATH).removeprefix("/"))
        if method == "GET":
            if one:
                return 200, key_facts(self._known(one))
            return 200, {"keys": [key_facts(key) for key in self._keys.all()]}
        by = key_in(scope["headers"])
        if method == "DELETE":
            await self._administration.act(DeleteKey(0, 0, 0, 0, self._known(one).key_id), by)
            return 200, {"key_id": one}
        check_media_type(scope["content_type"])
        body = (await receive())["body"]
        if method == "PATCH":
            act = SetKeyEnabled(0, 0, 0, 0, self._known(one).key_id, _key_change(body).enabled)
            return 200, key_facts(await self._changed(act, by))
        if one.endswith(_ROTATION):
            return await self._rotate(self._known(one.removesuffix(_ROTATION)), body, by)
        return await self._create(_key_request(body), by)

    async def _create(self, wanted: KeyRequest, by: str) -> tuple[int, Any]:
        scheme = KeyScheme[wanted.scheme.upper()]
        material, secret = self._material(scheme, wanted.public_key)
        key = Key(
            self._make_secret()[:16] if wanted.key_id is None else wanted.key_id,
            scheme,
            material,
            _scopes(wanted.scopes),
            wanted.account,
            _networks(wanted.addresses),
            wanted.expire_time * _MS,
            True,
            wanted.label,
        )
        for field, why in key_faults(key):
            raise malformed("public_key" if field == "material" else field, why)
        made = await self._changed(CreateKey(0, 0, key.account, 0, key), by)
        return 201, key_facts(made) | secret

    async def _rotate(self, key: Key, body: bytes, by: str) -> tuple[int, Any]:
        wanted = _rotation(body)
        material, secret = self._material(key.scheme, wanted.public_key)
        if fault := material_fault(key.scheme, material):
            raise malformed("public_key", fault)
        expires_ns = -1 if wanted.expire_time is None else wanted.expire_time * _MS
        act = RotateKey(0, 0, 0, 0, key.key_id, material, wanted.overlap_s * SECOND_NS, expires_ns)
        return 200, key_facts(await self._changed(act, by)) | secret

    async def _changed(self, act: CreateKey | SetKeyEnabled | RotateKey, by: str) -> Key:
        event = await self._administration.act(act, by)
        assert isinstance(event, KeyChanged), event
        return event.key

    def _known(self, key_id: str) -> Key:
        key = self._keys.find(key_id)
        if key is None:
            raise Problem(404, "NOT_FOUND", f"there is no key {key_id[:40]!r}", "key_id")
        return key

    def _material(self, scheme: KeyScheme, public: str | None) -> tuple[bytes, dict[str, str]]:
        """The material of a key, and the secret that is shown this once."""
        if scheme == KeyScheme.HMAC_SHA256:
            if public is not None:
                raise malformed("public_key", "a key of hmac_sha256 has a secret, made here")
            secret = self._make_secret()
            return secret.encode(), {"secret": secret}
        if public is None:
            text = f"a key of {scheme.name.lower()} needs the public key of its owner"
            raise malformed("public_key", text)
        return public_material(scheme, public), {}


def public_material(scheme: KeyScheme, text: str) -> bytes:
    """The material of a public key: PEM for Ed25519 and RSA, hexadecimal digits for CURVE and
    Ed25519; raises `Problem`."""
    try:
        if scheme != KeyScheme.RSA and not text.startswith("-"):
            return bytes.fromhex(text)
        found = load_pem_public_key(text.encode())
    except ValueError:
        raise malformed("public_key", "neither PEM nor hexadecimal digits") from None
    if isinstance(found, Ed25519PublicKey) and scheme == KeyScheme.ED25519:
        return found.public_bytes_raw()
    if isinstance(found, RSAPublicKey) and scheme == KeyScheme.RSA:
        return found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raise malformed("public_key", f"not a public key of {scheme.name.lower()}")


def _methods_of(path: str) -> bytes:
    if path == KEYS_PATH:
        return _METHODS
    return _METHODS_OF_ROTATION if path.endswith(_ROTATION) else _METHODS_OF_ONE


def _scopes(words: Sequence[str]) -> Any:
    try:
        return parse_scopes(words)
    except ValueError as error:
        raise malformed("scopes", str(error)) from None


def _networks(texts: Sequence[str]) -> tuple[str, ...]:
    try:
        return tuple(map(parse_network, texts))
    except ValueError as error:
        raise malformed("addresses", str(error)) from None
