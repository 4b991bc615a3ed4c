"""The settings of an exchange for tests, checked before anything starts."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Self, get_args

from msgspec import Struct

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import Settings
from crossbook.common.shards import SHARDS_MAX

DEFAULTS: Final[Mapping[str, str]] = {
    # Nothing breaks before a test adds a rule.
    "FAULTS": "on",
    # A book that a command did not change counts as current with the next heartbeat.
    "HEARTBEAT_MS": "50",
    "JOURNAL_SEGMENT_MB": "4",
    # The journal of a test need not outlive the machine, only the processes.
    "JOURNAL_SYNC": "never",
}
"""Settings of an exchange for tests that are not those of `crossbook run`."""

PLACED: Final = frozenset(
    {"API_HOST", "API_PORT", "DATA_DIR", "GATEWAY_ORDERS", "GATEWAY_ROLES", "INSTRUMENTS_FILE",
     "MATCHER_ADMIN", "MATCHER_COMMANDS", "MATCHER_EVENTS", "MATCHER_SYNC", "PUBLISHER_FEED",
     "PUBLISHER_SNAPSHOTS", "RECORDER_HISTORY", "SHARD", "SHARDS"}
)  # fmt: skip
"""Settings that the exchange sets itself."""

Setting = str | int | bool | Path


class Plan(Struct, frozen=True):
    """An exchange to start: equal plans start equal exchanges.

    `settings` are environment variables, sorted by name.
    """

    settings: tuple[tuple[str, str], ...] = ()
    recorder: bool = True
    shards: int = 1
    instruments: str | None = None

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Setting],
        *,
        recorder: bool = True,
        shards: int = 1,
        instruments: str | Path | None = None,
    ) -> Self:
        """The plan of these arguments of an `Exchange`; raises `ConfigError` naming the wrong one.

        >>> Plan.of({"order_queue_size": 4, "ACCOUNTS": False}).settings
        (('ACCOUNTS', 'off'), ('ORDER_QUEUE_SIZE', '4'))
        """
        if not isinstance(shards, int) or not 1 <= shards <= SHARDS_MAX:
            raise ConfigError(f"shards={shards!r}: is not a whole number from 1 to {SHARDS_MAX}")
        if instruments is not None and not Path(instruments).is_file():
            raise ConfigError(f"instruments={str(instruments)!r}: there is no such file")
        found = {name.upper(): _text(name.upper(), value) for name, value in settings.items()}
        return cls(
            tuple(sorted(found.items())),
            recorder,
            shards,
            None if instruments is None else str(Path(instruments).absolute()),
        )

    def environment(self) -> dict[str, str]:
        """The settings of the plan, over those of every exchange for tests."""
        return {**DEFAULTS, **dict(self.settings)}


def _text(name: str, value: Setting) -> str:
    known = {each.upper() for each in Settings.model_fields}
    if name in PLACED:
        raise ConfigError(
            f"{name}: an exchange for tests sets it itself; `recorder`, `shards` and `instruments` "
            "are arguments of their own"
        )
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f"; {close[0]} is one" if close else "; docs/reference/configuration.md lists them"
        raise ConfigError(f"{name}: is not a setting{hint}")
    if isinstance(value, bool):
        words = get_args(Settings.model_fields[name.lower()].annotation)
        on, off = ("on", "off") if "on" in words else ("true", "false")
        return on if value else off
    if not isinstance(value, str | int | Path):
        raise ConfigError(f"{name}={value!r}: is neither text nor a whole number")
    return str(value)
