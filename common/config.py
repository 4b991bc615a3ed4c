"""Settings from the environment and `.env`, checked once at start.

Environment beats `.env`, `.env` beats the default. Names are the environment's own, upper case;
README.md lists them. Every process reads the same settings and uses its part.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from common.errors import ConfigError
from common.instruments import Instrument, load_instruments
from common.rules import Rules, load_rules
from common.sockets import check_address, is_loopback

Role = Literal["orders", "api", "streams"]
"""What a gateway process serves: ZeroMQ order entry, REST and /ws/orders, market-data streams."""

_BOUND_BY = {
    "matcher": ("matcher_commands", "matcher_events", "matcher_sync", "matcher_admin"),
    "gateway": ("gateway_orders",),
    "publisher": ("publisher_feed", "publisher_snapshots"),
    "recorder": ("recorder_history",),
    "client": (),
}


class Settings(BaseSettings):
    """Every setting, with its default. Addresses are bound by their owner and connected to by
    everybody else."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65535)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "console"
    max_websocket_connections: int = Field(default=10_000, ge=1, le=1_000_000)
    max_order_sessions: int = Field(default=20_000, ge=1, le=1_000_000)
    order_queue_size: int = Field(default=65_536, ge=1, le=10_000_000)

    instruments_file: Path = Path("instruments.toml")
    gateway_roles: Annotated[frozenset[Role], NoDecode] = frozenset({"orders", "api", "streams"})
    accounts: Literal["on", "off"] = "on"
    gateway_id: int = Field(default=1, ge=1, le=32_767)
    account: int = Field(default=1, ge=1, le=2**31 - 1)

    matcher_commands: str = "ipc://data/commands.sock"
    matcher_events: str = "ipc://data/events.sock"
    matcher_sync: str = "ipc://data/sync.sock"
    matcher_admin: str = "ipc://data/admin.sock"
    gateway_orders: str = "tcp://127.0.0.1:5560"
    publisher_feed: str = "tcp://127.0.0.1:5570"
    publisher_snapshots: str = "tcp://127.0.0.1:5571"
    recorder_history: str = "ipc://data/history.sock"

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
    insecure_allow_public_bind: bool = False

    @field_validator("gateway_roles", mode="before")
    @classmethod
    def _split_roles(cls, value: object) -> object:
        """`orders,api` as the environment says it."""
        if isinstance(value, str):
            return frozenset(filter(None, (role.strip() for role in value.split(","))))
        return value

    @field_validator("gateway_roles")
    @classmethod
    def _has_a_role(cls, value: frozenset[Role]) -> frozenset[Role]:
        if not value:
            raise ValueError("name at least one of orders, api, streams")
        return value

    def instruments(self) -> tuple[Instrument, ...]:
        """The instruments of `INSTRUMENTS_FILE`; raises `ConfigError`."""
        return load_instruments(self.instruments_file)

    def database(self) -> str:
        """`DATABASE_URL` with the data directory in it; may hold a password, so never log it."""
        return self.database_url.get_secret_value().replace("{DATA_DIR}", str(self.data_dir))

    def rules(self) -> Rules:
        """The rules of the venue, from `INSTRUMENTS_FILE` and `ACCOUNTS`; raises `ConfigError`."""
        return load_rules(self.instruments_file, self.accounts == "on")


def load_settings(
    process: Literal["matcher", "gateway", "publisher", "recorder", "client"],
) -> Settings:
    """Settings for one kind of process; raises `ConfigError` with one line per wrong setting."""
    try:
        settings = Settings()
    except ValidationError as error:
        lines = [
            f"{str(fault['loc'][0]).upper()}={fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None
    bound = _BOUND_BY[process]
    for name in (name for names in _BOUND_BY.values() for name in names):
        check_address(
            name.upper(),
            getattr(settings, name),
            bind=name in bound,
            # Whoever reaches the administrator's socket may do anything.
            insecure=settings.insecure_allow_public_bind and name != "matcher_admin",
        )
    if not settings.insecure_allow_public_bind and not is_loopback(settings.api_host):
        raise ConfigError(
            f"API_HOST={settings.api_host!r}: only loopback is allowed without "
            "INSECURE_ALLOW_PUBLIC_BIND=true"
        )
    return settings


def exit_on_config_error(error: ConfigError) -> None:
    """Print a `ConfigError` readably and leave with status 2."""
    for line in str(error).splitlines():
        print(f"configuration error: {line}", file=sys.stderr)
    sys.exit(2)
