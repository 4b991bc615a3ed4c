"""Random acts on API keys: few ids and few materials, so that keys collide, and odd values."""

from collections.abc import Iterator
from random import Random
from typing import Final

from crossbook.common.keys import Key, KeyScheme, Scope
from crossbook.common.messages.commands import (
    Administer,
    Command,
    CreateKey,
    DeleteKey,
    KeyAct,
    RotateKey,
    SetKeyEnabled,
)

IDS: Final = (*(f"key-{number}" for number in range(40)), "local", "", "no key", "x" * 33)
ADDRESSES: Final = ((), ("10.0.0.0/8",), ("::1/128", "192.0.2.7/32"), ("10.0.0.1/8",), ("?",))
DAY_NS: Final = 86_400 * 10**9


def material(random: Random, scheme: KeyScheme) -> bytes:
    """One of a few materials of the scheme, or now and then none."""
    sizes = {KeyScheme.HMAC_SHA256: 64, KeyScheme.RSA: 294}
    letter = random.choice(b"abcdef" if scheme == KeyScheme.CURVE else b"ab")
    size = sizes.get(scheme, 32) if random.random() < 0.95 else random.choice((0, 31, 2_000))
    return bytes([letter]) * size


def key(random: Random, now_ns: int) -> Key:
    """A key that is sound more often than not."""
    scheme = random.choice(list(KeyScheme))
    scopes = random.choice((1, 2, 3, 3, 3, 7)) if random.random() < 0.95 else 0
    account = random.choice((1, 1, 1, 1, 1, 2)) if random.random() < 0.95 else -1
    if random.random() < 0.2:
        scopes, account = 4, 0
    return Key(
        key_id=random.choice(IDS),
        scheme=scheme,
        material=material(random, scheme),
        scopes=Scope(scopes),
        account=account,
        addresses=random.choice(ADDRESSES if random.random() < 0.2 else ADDRESSES[:3]),
        expires_ns=random.choice((0, 0, 0, now_ns + random.randint(0, DAY_NS), now_ns - 1)),
        enabled=random.random() < 0.9,
        label=random.choice(
            ("", "", "bot", "a" * 41, "a\tb") if random.random() < 0.1 else ("", "bot")
        ),
        created_ns=random.choice((0, 5)),
        previous=random.choice((b"", b"planted")),
        previous_until_ns=5,
    )


def key_act(random: Random, now_ns: int) -> KeyAct:
    """The next act, of gateway zero."""
    key_id = random.choice(IDS)
    kind = random.choices((CreateKey, SetKeyEnabled, RotateKey, DeleteKey), (12, 3, 4, 1))[0]
    if kind is CreateKey:
        made = key(random, now_ns)
        account = made.account if random.random() < 0.97 else 9
        return CreateKey(gateway=0, request_seq=0, account=account, instrument=0, key=made)
    if kind is SetKeyEnabled:
        return SetKeyEnabled(
            gateway=0,
            request_seq=0,
            account=0,
            instrument=0,
            key_id=key_id,
            enabled=random.random() < 0.5,
        )
    if kind is DeleteKey:
        return DeleteKey(gateway=0, request_seq=0, account=0, instrument=0, key_id=key_id)
    return RotateKey(
        gateway=0, request_seq=0, account=0, instrument=0, key_id=key_id,
        material=material(random, random.choice(list(KeyScheme))),
        overlap_ns=random.choice((0, 0, DAY_NS, 30 * DAY_NS, 31 * DAY_NS, -1)),
        expires_ns=random.choice((-1, -1, 0, now_ns, now_ns + DAY_NS, 2**63)),
    )  # fmt: skip


def key_acts(seed: int, count: int) -> Iterator[tuple[Command, int]]:
    """Acts with their times; half of them in the form that the journal has."""
    random = Random(f"keys/{seed}")
    now_ns = 20_000 * DAY_NS
    for _ in range(count):
        now_ns += random.randint(0, DAY_NS // 10)
        act = key_act(random, now_ns)
        by = random.choice(("local", "root"))
        journaled = Administer(
            gateway=0, request_seq=0, account=act.account, instrument=0, requested_by=by, act=act
        )
        yield (journaled if random.random() < 0.5 else act), now_ns
