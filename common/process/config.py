"""Settings from the environment and `.env`, checked once at start.

Environment beats `.env`, `.env` beats the default. Names are the environment's own, upper case;
docs/reference/configuration.md lists them. Every process reads the same settings and uses its part.

With several shards an address setting has either one address for each shard, or the one of shard 0
from which the others follow. So have directories.
"""

import logging
import os
import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

from msgspec.structs import replace
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument
from crossbook.common.instruments_file import load_assignment, load_instruments, load_rules
from crossbook.common.process.address import at_home, check_address, home_expanded, is_loopback
from crossbook.common.process.curve import read_key_file
from crossbook.common.process.env_file import ENV_FILE, Names, read_names
from crossbook.common.process.keyring import Keyring
from crossbook.common.process.scheduling import Scheduling
from crossbook.common.rules import Rules
from crossbook.common.shards import SHARDS_MAX
from crossbook.common.times import parse_time
from crossbook.common.types import MAX_ACCOUNT

Role = Literal["orders", "api", "streams", "binance"]
"""Interfaces of a gateway process: ZeroMQ order entry, REST and /ws/orders, market-data streams."""

_BOUND_BY = {
    "matcher": ("matcher_commands", "matcher_events", "matcher_sync", "matcher_admin"),
    "gateway": ("gateway_orders",),
    "publisher": ("publisher_feed", "publisher_snapshots"),
    "recorder": ("recorder_history",),
    "client": (),
}

_ADDRESSES: Final = tuple(name for names in _BOUND_BY.values() for name in names)

_INTERNAL: Final = (*_BOUND_BY["matcher"], *_BOUND_BY["recorder"])
"""Sockets whose peers may act for every account."""

_WHOLE: Final = re.compile("-?[0-9]+")

_OF_A_SHARD: Final = ("matcher", "publisher", "recorder")
"""Processes that every shard has for itself."""

DATA_DIR_MARK: Final = "{DATA_DIR}"
"""Placeholder of the shard's data directory in an address or in `DATABASE_URL`."""

EXAMPLE_INSTRUMENTS: Final = Path(__file__).resolve().parents[1] / "instruments.toml"
"""The file of a package without one of the user's: that of the source, installed with it."""

_PORTS_A_SHARD: Final = 10
"""Distance from a TCP port of one shard to that of the next."""


RATES_WITH_KEYS: Final = {
    "orders_per_second": 1_000,
    "queries_per_second": 50,
    "catch_ups_per_minute": 60,
    "address_requests_per_second": 2_000,
    "connections_per_second": 50,
}
"""Limits that hold with `AUTH=on` where the setting gives none."""

PLACES_OF_ADDRESS: Final = 64
"""Places for connections that every address has, however few there are."""


class Settings(BaseSettings):
    """Every setting, with its default. The owner of an address binds it, and every other
    process connects to it."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_file_encoding="utf-8-sig", extra="ignore", frozen=True
    )

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65535)
    tls_certificate: str = "off"
    tls_key: str = "off"
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ("localhost",)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    max_websocket_connections: int = Field(default=10_000, ge=1, le=1_000_000)
    max_order_sessions: int = Field(default=20_000, ge=1, le=1_000_000)
    max_account_sessions: int = Field(default=64, ge=1, le=1_000_000)
    max_feed_connections: int = Field(default=4_096, ge=1, le=1_000_000)
    accounts_per_address: int = Field(default=10_000, ge=0, le=1_000_000)
    max_percent_per_address: int = Field(default=50, ge=1, le=100)
    binance_connection_s: int = Field(default=86_400, ge=1, le=31_536_000)
    max_unread_mb: int = Field(default=128, ge=32, le=65_536)
    orders_per_second: int = Field(default=0, ge=0, le=1_000_000)
    queries_per_second: int = Field(default=0, ge=0, le=1_000_000)
    catch_ups_per_minute: int = Field(default=0, ge=0, le=1_000_000)
    address_requests_per_second: int = Field(default=0, ge=0, le=1_000_000)
    connections_per_second: int = Field(default=0, ge=0, le=1_000_000)
    order_queue_size: int = Field(default=65_536, ge=1, le=10_000_000)
    scheduling: Scheduling = "batch"

    instruments_file: Path = Path("instruments.toml")
    shards: int = Field(default=1, ge=1, le=SHARDS_MAX)
    shard: int = Field(default=0, ge=0, lt=SHARDS_MAX)
    gateway_roles: Annotated[frozenset[Role], NoDecode] = frozenset(
        {"orders", "api", "streams", "binance"}
    )
    accounts: Literal["on", "off"] = "on"
    auth: Literal["off", "on"] = "off"
    curve_key_file: str = "{DATA_DIR}/curve.key"
    client_key_file: str = "off"
    feed_access: Literal["public", "keyed"] = "public"
    gateway_id: int = Field(default=1, ge=1, le=32_767)
    account: int = Field(default=1, ge=1, le=MAX_ACCOUNT)

    matcher_commands: str = "ipc://{DATA_DIR}/commands.sock"
    matcher_events: str = "ipc://{DATA_DIR}/events.sock"
    matcher_sync: str = "ipc://{DATA_DIR}/sync.sock"
    matcher_admin: str = "ipc://{DATA_DIR}/admin.sock"
    gateway_orders: str = "tcp://127.0.0.1:5560"
    publisher_feed: str = "tcp://127.0.0.1:5570"
    publisher_snapshots: str = "tcp://127.0.0.1:5571"
    recorder_history: str = "ipc://{DATA_DIR}/history.sock"

    data_dir: Path = Path("data")
    journal_segment_mb: int = Field(default=64, ge=1, le=4_096)
    journal_sync: Literal["batch", "interval", "never"] = "batch"
    journal_sync_interval_ms: int = Field(default=50, ge=1, le=10_000)
    journal_keep_segments: int = Field(default=0, ge=0, le=1_000_000)
    snapshot_every: int = Field(default=1_000_000, ge=1_000, le=1_000_000_000)
    snapshots_kept: int = Field(default=3, ge=1, le=1_000)

    database_url: SecretStr = SecretStr("sqlite:///{DATA_DIR}/history.db")
    history_days: int = Field(default=0, ge=0, le=36_500)

    event_history_mb: int = Field(default=128, ge=1, le=65_536)
    feed_history: int = Field(default=10_000, ge=100, le=10_000_000)
    heartbeat_ms: int = Field(default=500, ge=10, le=60_000)
    clock: Literal["system", "manual"] = "system"
    clock_start: str = "2030-01-01T00:00:00Z"
    clock_jump_max_s: int = Field(default=60, ge=1, le=315_360_000)
    clock_absence_max_days: int = Field(default=366, ge=1, le=36_500)
    faults: Literal["off", "on"] = "off"
    insecure_allow_public_bind: bool = False
    insecure_allow_public_faults: bool = False

    _keys_at: str = PrivateAttr("")

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _split_names(cls, value: object) -> object:
        """Split `a,b`, the environment's form; `off` means none."""
        if value == "off":
            return ()
        if isinstance(value, str):
            return tuple(filter(None, (name.strip() for name in value.split(","))))
        return value

    @field_validator("gateway_roles", mode="before")
    @classmethod
    def _split_roles(cls, value: object) -> object:
        """Split `orders,api`, the environment's form."""
        if isinstance(value, str):
            return frozenset(filter(None, (role.strip() for role in value.split(","))))
        return value

    @field_validator("gateway_roles")
    @classmethod
    def _has_a_role(cls, value: frozenset[Role]) -> frozenset[Role]:
        if not value:
            raise ValueError("name at least one of orders, api, streams, binance")
        return value

    @field_validator("data_dir", "instruments_file")
    @classmethod
    def _from_home(cls, value: Path) -> Path:
        return home_expanded(value)

    @field_validator("curve_key_file", "client_key_file", "tls_certificate", "tls_key")
    @classmethod
    def _key_from_home(cls, value: str) -> str:
        return str(home_expanded(value))

    @field_validator(*_ADDRESSES, mode="before")
    @classmethod
    def _sockets_from_home(cls, value: object) -> object:
        if isinstance(value, str):
            return ",".join(at_home(each.strip()) for each in value.split(","))
        return value

    @field_validator("database_url", mode="before")
    @classmethod
    def _database_from_home(cls, value: object) -> object:
        if isinstance(value, str) and value.startswith("sqlite:///~"):
            home, slash, rest = value.removeprefix("sqlite:///").partition("/")
            return f"sqlite:///{quote(str(home_expanded(home)))}{slash}{rest}"
        return value

    @field_validator("clock_start")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        parse_time(value)
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _means_itself(cls, value: object, info: ValidationInfo) -> object:
        """Refuse text that pydantic would accept as a value: nothing, spaces, `8.0` and `1_000`."""
        if not isinstance(value, str):
            return value
        if not value.strip():
            raise ValueError("is empty; leave the setting out, and it has its default")
        if value != value.strip() or not value.isprintable():
            raise ValueError("has a space at an end, or a character that cannot be printed")
        wanted = cls.model_fields[str(info.field_name)].annotation
        if wanted is int and not _WHOLE.fullmatch(value):
            raise ValueError("is not a whole number in the digits 0 to 9")
        return value

    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments of `INSTRUMENTS_FILE`; raises `ConfigError`."""
        return load_instruments(self.instruments_file)

    def assignment(self) -> dict[int, int]:
        """The shard of each instrument of `INSTRUMENTS_FILE`, by id; raises `ConfigError`."""
        if self.shards == 1:
            return dict.fromkeys((each.id for each in self.instruments()), 0)
        return load_assignment(self.instruments_file, self.shards)

    def own_instruments(self) -> tuple[Instrument, ...]:
        """The instruments traded on `SHARD`; raises `ConfigError`."""
        assignment = self.assignment()
        own = tuple(each for each in self.instruments() if assignment[each.id] == self.shard)
        if not own:
            raise ConfigError(
                f"SHARD={self.shard}: no instrument of {self.instruments_file} is on this shard"
            )
        return own

    def limit(self, name: str) -> int:
        """The value of a limit of rates; zero for none. One that is not given is sound where
        clients have keys, and none on a machine of one's own."""
        given: int = getattr(self, name)
        return given or (RATES_WITH_KEYS[name] if self.auth == "on" else 0)

    def places_of_address(self, places: int) -> int:
        """How many of so many places for connections one address may have."""
        return min(places, max(PLACES_OF_ADDRESS, places * self.max_percent_per_address // 100))

    def clock_start_ns(self) -> int:
        """The time that a manual clock begins with, in nanoseconds since the Unix epoch."""
        return parse_time(self.clock_start)

    def key_file(self) -> Path:
        """`CURVE_KEY_FILE` with the directory filled in."""
        return Path(_placed(self.curve_key_file, self.data_dir))

    def has_keys(self) -> bool:
        """Whether sockets use CURVE: with `AUTH=on`, and the key pair of the exchange there."""
        return self.auth == "on" and os.path.exists(self.key_file())

    def keys_address(self) -> str:
        """Of settings of a shard: the address of the queries of shard 0, which has the API keys."""
        return self._keys_at

    def keyring(self) -> Keyring | None:
        """The keys of a process of the exchange; None where it has none.

        Raises `ConfigError` for a key file that cannot be read.
        """
        if not self.has_keys():
            return None
        pair = read_key_file(self.key_file(), "CURVE_KEY_FILE").pair
        return Keyring.of_exchange(pair, has_keyed_feed=self.feed_access == "keyed")

    def client_keyring(self) -> Keyring | None:
        """The keys of a client: those of `CLIENT_KEY_FILE`, or with `AUTH=on` and none those of the
        exchange, where this user may read them. None where there are neither.

        Raises `ConfigError` for a key file that cannot be read.
        """
        if self.client_key_file != "off":
            return Keyring.of_client(
                Path(self.client_key_file),
                "CLIENT_KEY_FILE",
                has_keyed_feed=self.feed_access == "keyed",
            )
        return self.keyring() if os.access(self.key_file(), os.R_OK) else None

    def database(self) -> str:
        """`DATABASE_URL` with directory and shard filled in; never log its password."""
        url = self.database_url.get_secret_value()
        # A URL's `?` would end the path, and its `%` begins an escape.
        place = quote(str(self.data_dir))
        return url.replace(DATA_DIR_MARK, place).replace("{SHARD}", str(self.shard))

    def of_shard(self, shard: int) -> "Settings":
        """The settings of one shard, derived from a gateway's or client's: its addresses and
        directory, with `{DATA_DIR}` filled in.

        Raises `ConfigError` for a list of addresses of another length than `SHARDS`.
        """
        addresses = {
            name: _address_of(name, getattr(self, name), shard, self.shards)
            for process in _OF_A_SHARD
            for name in _BOUND_BY[process]
        }
        data_dir = self.data_dir / f"shard-{shard}" if shard else self.data_dir
        addresses = {name: _placed(given, data_dir) for name, given in addresses.items()}
        addresses["gateway_orders"] = _placed(self.gateway_orders, self.data_dir)
        addresses["curve_key_file"] = str(self.key_file())
        found = self.model_copy(update={**addresses, "data_dir": data_dir, "shard": shard})
        first = _address_of("matcher_sync", self.matcher_sync, 0, self.shards)
        found._keys_at = _placed(first, self.data_dir)
        return found

    def tls(self) -> tuple[Path, Path] | None:
        """Certificate and private key of HTTP; None for HTTP without TLS."""
        if self.tls_certificate == "off":
            return None
        return Path(self.tls_certificate), Path(self.tls_key)

    def each_shard(self) -> "list[Settings]":
        """`of_shard` of every shard."""
        return [self.of_shard(shard) for shard in range(self.shards)]

    @property
    def is_durable(self) -> bool:
        """Whether anything is synced to the disk: with `JOURNAL_SYNC=never` nothing is."""
        return self.journal_sync != "never"

    def rules(self) -> Rules:
        """The rules of the venue, from `INSTRUMENTS_FILE` and `ACCOUNTS`; raises `ConfigError`.

        Accounts open on a shard with the assets that it trades only.
        """
        rules = load_rules(self.instruments_file, self.accounts == "on")
        if self.shards == 1:
            return rules
        traded = {asset for each in self.own_instruments() for asset in (each.base, each.quote)}
        opening = tuple(given for given in rules.opening if given[0] in traded)
        return replace(rules, opening=opening)


def load_settings(
    process: Literal["matcher", "gateway", "publisher", "recorder", "client"],
) -> Settings:
    """Settings for one kind of process; raises `ConfigError` with one line per wrong setting and
    per faulty line of `.env`."""
    lines = names_found().faults
    parser_log = logging.getLogger("dotenv.main")
    was_disabled, parser_log.disabled = parser_log.disabled, True
    try:
        settings = Settings()
    except ValidationError as error:
        lines += map(_line_about, error.errors())
    finally:
        # A line that is no setting is a fault above, in the form of the log; not once more here.
        parser_log.disabled = was_disabled
    if lines:
        raise ConfigError("\n".join(lines))
    if (
        "instruments_file" not in settings.model_fields_set
        and not settings.instruments_file.exists()
    ):
        settings = settings.model_copy(update={"instruments_file": EXAMPLE_INSTRUMENTS})
    if settings.shard >= settings.shards:
        raise ConfigError(f"SHARD={settings.shard}: SHARDS={settings.shards} are 0 and up")
    bound = _BOUND_BY[process]
    is_of_a_shard = process in _OF_A_SHARD
    every = settings.each_shard()
    has_keys = settings.has_keys()
    for each in [every[settings.shard]] if is_of_a_shard else every:
        for name in _ADDRESSES:
            check_address(
                name.upper(),
                getattr(each, name),
                bind=name in bound,
                # Without keys the administrator's socket permits everything to every peer.
                insecure=has_keys
                or (settings.insecure_allow_public_bind and name != "matcher_admin"),
            )
    _check_distinct(every)
    if process != "client":
        _check_keys(settings, every)
    if (
        settings.faults == "on"
        and settings.insecure_allow_public_bind
        and not settings.insecure_allow_public_faults
    ):
        raise ConfigError(
            "FAULTS=on: every machine that reaches this exchange could break it, because "
            "INSECURE_ALLOW_PUBLIC_BIND=true; bind loopback alone, or set "
            "INSECURE_ALLOW_PUBLIC_FAULTS=true if only machines you trust can reach it"
        )
    if settings.shards > 1 and len({each.database() for each in every}) < settings.shards:
        raise ConfigError(
            "DATABASE_URL: several shards need a database each; put {SHARD} or {DATA_DIR} into it"
        )
    _check_http(settings)
    if is_of_a_shard or settings.shards == 1:
        return every[settings.shard]
    return settings.model_copy(update={"gateway_orders": every[0].gateway_orders})


def _check_http(settings: Settings) -> None:
    """Refuse half of what TLS needs, and an address for everybody without keys; raises
    `ConfigError`."""
    if (settings.tls_certificate == "off") != (settings.tls_key == "off"):
        missing = "TLS_KEY" if settings.tls_key == "off" else "TLS_CERTIFICATE"
        raise ConfigError(f"{missing}=off: a certificate and its key are set both, or neither")
    is_allowed = settings.insecure_allow_public_bind or settings.auth == "on"
    if not is_allowed and not is_loopback(settings.api_host):
        raise ConfigError(
            f"API_HOST={settings.api_host!r}: only loopback is allowed without AUTH=on or "
            "INSECURE_ALLOW_PUBLIC_BIND=true"
        )


def names_found() -> Names:
    """Names in `.env` and the environment, compared with the settings; raises `ConfigError`."""
    return read_names(frozenset(name.upper() for name in Settings.model_fields))


def _line_about(fault: Any) -> str:
    """One line about a wrong setting, without `DATABASE_URL`'s value: it may hold a password."""
    name = str(fault["loc"][0]).upper()
    value = "" if name == "DATABASE_URL" else f"={fault['input']!r}"
    return f"{name}{value}: {fault['msg'].removeprefix('Value error, ')}"


def _check_distinct(every: "list[Settings]") -> None:
    """Refuse one address for two sockets of the exchange; raises `ConfigError`."""
    taken: dict[str, str] = {}
    for each in every:
        for name in _ADDRESSES:
            address = getattr(each, name)
            if name == "gateway_orders" and each.shard:
                continue
            what = name.upper() + (f" of shard {each.shard}" if each.shard else "")
            if address in taken:
                raise ConfigError(f"{what}: {address} is the address of {taken[address]} as well")
            taken[address] = what


def _check_keys(settings: Settings, every: "list[Settings]") -> None:
    """Refuse what `AUTH=on` needs keys for, and has none; raises `ConfigError`."""
    if settings.feed_access == "keyed" and not settings.has_keys():
        raise ConfigError(
            "FEED_ACCESS=keyed: only a feed with keys can refuse anyone; set AUTH=on and make the "
            f"key pair of the exchange: crossbook keys curve-server makes {settings.key_file()}"
        )
    if settings.auth == "off" or settings.has_keys():
        return
    for each in every:
        for name in _INTERNAL:
            address = getattr(each, name)
            is_allowed = settings.insecure_allow_public_bind and name != "matcher_admin"
            if address.startswith("tcp://") and not is_allowed:
                raise ConfigError(
                    f"{name.upper()}: {address} would let every program that reaches it act for "
                    f"any account, in spite of AUTH=on: there is no CURVE_KEY_FILE "
                    f"{settings.key_file()}. Use ipc, or give every process that file: crossbook "
                    "keys curve-server makes it"
                )


def _placed(text: str, data_dir: Path) -> str:
    return text.replace(DATA_DIR_MARK, str(data_dir))


def _address_of(name: str, given: str, shard: int, shards: int) -> str:
    """The address of a shard: its entry of a list, or derived from the one of shard 0."""
    listed = [address.strip() for address in given.split(",")]
    if len(listed) > 1 and len(listed) != shards:
        raise ConfigError(
            f"{name.upper()}={given!r}: {len(listed)} addresses for SHARDS={shards}; give one for "
            "each shard, or one alone"
        )
    if len(listed) > 1:
        return listed[shard]
    scheme, _, place = given.partition("://")
    head, mark, port = place.rpartition(":")
    if not shard or DATA_DIR_MARK in given:
        return given
    if scheme == "ipc":
        path = Path(place)
        return f"ipc://{path.parent / f'shard-{shard}' / path.name}"
    if mark and port.isascii() and port.isdigit():
        return f"{scheme}://{head}:{int(port) + _PORTS_A_SHARD * shard}"
    return given
