"""Settings: their sources, and the error text of a wrong one."""

import re
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy.engine import make_url

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import EXAMPLE_INSTRUMENTS, Settings, load_settings

ROOT = Path(__file__).resolve().parents[3]
Process = Literal["matcher", "gateway", "publisher", "recorder", "client"]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting in the environment and no `.env` in the working folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_start_every_process() -> None:
    defaults = Settings(instruments_file=EXAMPLE_INSTRUMENTS).of_shard(0)
    for process in ("matcher", "gateway", "publisher", "recorder", "client"):
        assert load_settings(process) == defaults


def test_the_installed_instruments_stand_in_for_a_file_that_is_not_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings("matcher").instruments()[0].symbol == "BTC-USDT"
    monkeypatch.setenv("INSTRUMENTS_FILE", "instruments.toml")
    with pytest.raises(ConfigError, match=r"instruments\.toml: No such file"):
        load_settings("matcher").instruments()
    monkeypatch.delenv("INSTRUMENTS_FILE")
    own = EXAMPLE_INSTRUMENTS.read_text().replace('"BTC-USDT"', '"XBT-USDT"')
    (tmp_path / "instruments.toml").write_text(own)
    assert load_settings("matcher").instruments()[0].symbol == "XBT-USDT"


def test_env_file_beats_the_default_and_environment_beats_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("ORDER_QUEUE_SIZE=11\nAPI_PORT=8111\nSOMETHING_ELSE=1\n")
    monkeypatch.setenv("ORDER_QUEUE_SIZE", "22")
    settings = load_settings("gateway")
    assert (settings.order_queue_size, settings.api_port) == (22, 8111)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "0"),
        ("API_PORT", "65536"),
        ("API_PORT", "http"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("MAX_WEBSOCKET_CONNECTIONS", "0"),
        ("ORDER_QUEUE_SIZE", "0"),
        ("ORDER_QUEUE_SIZE", "many"),
        ("ORDER_QUEUE_SIZE", "1.5"),
        ("GATEWAY_ROLES", ""),
        ("GATEWAY_ROLES", "everything"),
        ("GATEWAY_ID", "0"),
        ("GATEWAY_ID", "32768"),
        ("ACCOUNT", "0"),
        ("ACCOUNT", "2147483648"),
        ("MAX_ORDER_SESSIONS", "0"),
        ("EVENT_HISTORY_MB", "0"),
        ("FEED_HISTORY", "99"),
        ("HISTORY_DAYS", "-1"),
        ("HEARTBEAT_MS", "9"),
        ("HEARTBEAT_MS", "60001"),
        ("INSECURE_ALLOW_PUBLIC_BIND", "perhaps"),
        ("CLOCK", "fast"),
        ("CLOCK_START", "noon"),
        ("CLOCK_START", "1999-12-31"),
        ("MATCHER_COMMANDS", "127.0.0.1:5551"),
        ("MATCHER_EVENTS", "tcp://127.0.0.1"),
        ("MATCHER_SYNC", "tcp://127.0.0.1:0"),
        ("GATEWAY_ORDERS", "tcp://:5560"),
        ("PUBLISHER_FEED", "udp://127.0.0.1:5570"),
        ("PUBLISHER_SNAPSHOTS", "ipc://"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError) as caught:
        load_settings("client")
    assert name in str(caught.value)
    assert value in str(caught.value)


@pytest.mark.parametrize("value", ["", " ", "\t"])
@pytest.mark.parametrize("where", ["environment", "file"])
@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
def test_an_empty_value_is_refused_for_every_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, where: str
) -> None:
    if where == "file":
        Path(".env").write_text(f'{name}="{value}"\n')
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name}.*is empty; leave the setting out"):
        load_settings("client")


WHOLE = [name.upper() for name, field in Settings.model_fields.items() if field.annotation is int]


@pytest.mark.parametrize(
    "value", ["8_000", "8000.0", "+8000", "8e3", "0x10", "\uff18", "- 1", "--1", "1,000", "8k"]
)
@pytest.mark.parametrize("name", WHOLE)
def test_a_number_is_nothing_but_digits(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name}=.*is not a whole number"):
        load_settings("client")


@pytest.mark.parametrize("value", [" 8000", "8000 ", "80\u00a000", "8000\n", "8000\x07", "\udcff"])
@pytest.mark.parametrize("name", ["API_PORT", "DATA_DIR", "ACCOUNTS", "GATEWAY_ROLES", "API_HOST"])
def test_a_space_at_an_end_and_an_unprintable_character_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name}=.*has a space at an end"):
        load_settings("client")


def test_the_home_folder_is_meant_by_a_tilde_in_every_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "a?b"))
    monkeypatch.setenv("DATA_DIR", "~/here")
    monkeypatch.setenv("INSTRUMENTS_FILE", "~/x.toml")
    monkeypatch.setenv("MATCHER_ADMIN", "ipc://~/admin.sock")
    settings = load_settings("matcher")
    home = tmp_path / "a?b"
    assert settings.data_dir == home / "here"
    assert settings.instruments_file == home / "x.toml"
    assert settings.matcher_admin == f"ipc://{home}/admin.sock"
    assert settings.matcher_sync == f"ipc://{home}/here/sync.sock"
    assert make_url(settings.database()).database == f"{home}/here/history.db"
    monkeypatch.setenv("DATABASE_URL", "sqlite:///~/x/history.db?cache=shared")
    url = make_url(load_settings("recorder").database())
    assert (url.database, url.query) == (f"{home}/x/history.db", {"cache": "shared"})


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATA_DIR", "~nobody-here/x"), ("INSTRUMENTS_FILE", "~nobody-here/x"),
     ("DATABASE_URL", "sqlite:///~nobody-here/x"), ("MATCHER_SYNC", "ipc://~nobody-here/x")],
)  # fmt: skip
def test_a_tilde_of_no_user_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name}.*no home folder for the ~ of ~nobody-here"):
        load_settings("client")


def test_a_wrong_database_url_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@host/x ")
    with pytest.raises(ConfigError, match=r"^DATABASE_URL: ") as caught:
        load_settings("recorder")
    assert "secret" not in str(caught.value)


def test_a_misspelt_name_in_the_file_is_refused_with_the_wrong_values(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ACOUNTS=off\nAPI_PRT=\nHEARTBEAT_MS=1\n")
    with pytest.raises(ConfigError) as caught:
        load_settings("client")
    first, second, third = str(caught.value).splitlines()
    assert first.startswith(".env: line 1: ACOUNTS is no setting; ACCOUNTS is")
    assert second.startswith(".env: line 2: API_PRT is no setting; API_PORT is")
    assert third.startswith("HEARTBEAT_MS='1'")


def test_every_wrong_value_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "y")
    with pytest.raises(ConfigError) as caught:
        load_settings("gateway")
    assert [line.partition("=")[0] for line in str(caught.value).splitlines()] == [
        "API_PORT",
        "LOG_LEVEL",
    ]


@pytest.mark.parametrize(
    ("process", "name"),
    [
        ("matcher", "MATCHER_COMMANDS"),
        ("matcher", "MATCHER_EVENTS"),
        ("matcher", "MATCHER_SYNC"),
        ("gateway", "GATEWAY_ORDERS"),
        ("publisher", "PUBLISHER_FEED"),
        ("publisher", "PUBLISHER_SNAPSHOTS"),
        ("recorder", "RECORDER_HISTORY"),
    ],
)
@pytest.mark.parametrize("host", ["0.0.0.0", "*", "10.0.0.1", "[::]", "eth0", "example.org"])
def test_an_address_that_other_machines_reach_needs_a_permission(
    monkeypatch: pytest.MonkeyPatch, process: Process, name: str, host: str
) -> None:
    monkeypatch.setenv(name, f"tcp://{host}:5999")
    with pytest.raises(ConfigError, match=f"{name}.*INSECURE_ALLOW_PUBLIC_BIND"):
        load_settings(process)
    # A process that only connects there may do so: the owner decides.
    load_settings("client")
    monkeypatch.setenv("INSECURE_ALLOW_PUBLIC_BIND", "true")
    assert getattr(load_settings(process), name.lower()) == f"tcp://{host}:5999"


@pytest.mark.parametrize("address", ["tcp://localhost:1", "tcp://[::1]:1", "tcp://127.9.9.9:1",
                                     "ipc:///tmp/orders"])  # fmt: skip
def test_private_addresses_are_bound_freely(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("GATEWAY_ORDERS", address)
    assert load_settings("gateway").gateway_orders == address


def test_one_address_for_two_sockets_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATCHER_EVENTS", "ipc://{DATA_DIR}/commands.sock")
    for process in ("matcher", "gateway", "client"):
        with pytest.raises(ConfigError, match=r"^MATCHER_EVENTS: .* of MATCHER_COMMANDS as well"):
            load_settings(process)


@pytest.mark.parametrize("process", ["matcher", "publisher", "recorder", "gateway", "client"])
def test_a_data_directory_too_deep_for_sockets_is_refused_by_every_process(
    monkeypatch: pytest.MonkeyPatch, process: Process
) -> None:
    deep = "/srv/" + "d" * 90
    monkeypatch.setenv("DATA_DIR", deep)
    path = f"{deep}/commands.sock"
    with pytest.raises(ConfigError, match=f"MATCHER_COMMANDS: the path {path} has 109 bytes"):
        load_settings(process)
    for name in ("MATCHER_COMMANDS", "MATCHER_EVENTS", "MATCHER_SYNC", "MATCHER_ADMIN",
                 "RECORDER_HISTORY"):  # fmt: skip
        monkeypatch.setenv(name, f"ipc:///run/{name}")
    assert str(load_settings(process).data_dir) == deep


def test_the_sockets_of_a_later_shard_are_measured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", "/srv/" + "d" * 85)
    load_settings("matcher")
    monkeypatch.setenv("SHARDS", "2")
    with pytest.raises(ConfigError, match=r"shard-1/commands\.sock has 112 bytes"):
        load_settings("gateway")


def test_a_public_api_host_needs_the_same_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_HOST", "0.0.0.0")
    with pytest.raises(ConfigError, match="API_HOST"):
        load_settings("gateway")
    monkeypatch.setenv("INSECURE_ALLOW_PUBLIC_BIND", "true")
    load_settings("gateway")


def test_faults_at_a_public_address_need_a_permission_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAULTS", "on")
    assert load_settings("gateway").faults == "on"
    monkeypatch.setenv("INSECURE_ALLOW_PUBLIC_BIND", "true")
    with pytest.raises(ConfigError, match="INSECURE_ALLOW_PUBLIC_FAULTS=true"):
        load_settings("gateway")
    monkeypatch.setenv("INSECURE_ALLOW_PUBLIC_FAULTS", "true")
    load_settings("gateway")


def test_the_database_is_in_the_data_directory_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings("recorder").database() == "sqlite:///data/history.db"
    monkeypatch.setenv("DATA_DIR", "/srv/x")
    assert load_settings("recorder").database() == "sqlite:////srv/x/history.db"
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@host/history")
    settings = load_settings("recorder")
    assert settings.database() == "postgresql://me:secret@host/history"
    assert "secret" not in f"{settings} {settings!r}"


def test_another_data_directory_has_sockets_and_a_database_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def places() -> set[str]:
        settings = load_settings("gateway")
        return {settings.matcher_commands, settings.matcher_events, settings.matcher_sync,
                settings.matcher_admin, settings.recorder_history, settings.database()}  # fmt: skip

    one = places()
    monkeypatch.setenv("DATA_DIR", "other")
    other = places()
    assert len(one) == len(other) == 6
    assert not one & other
    assert all("://other/" in place or ":///other/" in place for place in other)


@pytest.mark.parametrize("name", ["a?b", "a%41b", "a b#c", "a@b:c"])
def test_the_database_is_in_a_data_directory_of_any_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("DATA_DIR", f"/srv/{name}")
    assert make_url(load_settings("recorder").database()).database == f"/srv/{name}/history.db"


def test_the_example_file_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^#([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert set(shown) == {name.upper() for name in Settings.model_fields}
    (tmp_path / ".env").write_text(re.sub(r"^#([A-Z_]+=)", r"\1", text, flags=re.MULTILINE))
    assert load_settings("client") == Settings(_env_file=None).of_shard(0)  # type: ignore[call-arg]


def test_hosts_and_origins_are_lists_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings("gateway").allowed_hosts == ("localhost",)
    assert load_settings("gateway").cors_origins == ()
    monkeypatch.setenv("ALLOWED_HOSTS", "trade.example, 10.0.0.1,")
    monkeypatch.setenv("CORS_ORIGINS", "https://charts.example")
    assert load_settings("gateway").allowed_hosts == ("trade.example", "10.0.0.1")
    assert load_settings("gateway").cors_origins == ("https://charts.example",)


def test_roles_are_a_list_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_ROLES", "api, streams")
    assert load_settings("gateway").gateway_roles == {"api", "streams"}


def test_addresses_and_folders_of_later_shards_follow_from_those_of_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHARDS", "3")
    monkeypatch.setenv("GATEWAY_ORDERS", "ipc://{DATA_DIR}/orders.sock")
    monkeypatch.setenv("PUBLISHER_SNAPSHOTS", "tcp://10.0.0.1:1, tcp://10.0.0.2:1,ipc://x/y.sock")
    first, _, third = load_settings("gateway").each_shard()
    assert load_settings("gateway").gateway_orders == "ipc://data/orders.sock"
    assert first.matcher_commands == "ipc://data/commands.sock"
    assert third.matcher_commands == "ipc://data/shard-2/commands.sock"
    assert (first.publisher_feed, third.publisher_feed) == (
        "tcp://127.0.0.1:5570",
        "tcp://127.0.0.1:5590",
    )
    assert third.publisher_snapshots == "ipc://x/y.sock"
    assert third.gateway_orders == first.gateway_orders
    assert (first.database(), third.database()) == (
        "sqlite:///data/history.db",
        "sqlite:///data/shard-2/history.db",
    )
    monkeypatch.setenv("SHARD", "2")
    assert load_settings("matcher") == load_settings("gateway").of_shard(2)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"SHARDS": "0"}, "SHARDS"),
        ({"SHARDS": "65"}, "SHARDS"),
        ({"SHARD": "1"}, "SHARD=1"),
        ({"SHARDS": "2", "SHARD": "2"}, "SHARD=2"),
        ({"SHARDS": "3", "PUBLISHER_FEED": "tcp://a:1,tcp://b:1"}, "PUBLISHER_FEED.*SHARDS=3"),
        ({"SHARDS": "2", "PUBLISHER_FEED": "tcp://a:1,b:1"}, "PUBLISHER_FEED.*b:1"),
        ({"SHARDS": "2", "MATCHER_SYNC": "tcp://127.0.0.1:65530"}, "MATCHER_SYNC.*65540"),
        ({"SHARDS": "2", "DATABASE_URL": "postgresql://host/history"}, "DATABASE_URL.*{SHARD}"),
        ({"PUBLISHER_FEED": "tcp://a:1,tcp://b:1"}, "PUBLISHER_FEED"),
        ({"SHARDS": "2", "MATCHER_SYNC": "tcp://a:\u00b2"}, "MATCHER_SYNC"),
        (
            {"SHARDS": "2", "PUBLISHER_SNAPSHOTS": "tcp://127.0.0.1:5580"},
            "PUBLISHER_FEED of shard 1: tcp://127.0.0.1:5580 is the address of PUBLISHER_SNAPSHOTS",
        ),
    ],
)
def test_shards_that_do_not_add_up_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], named: str
) -> None:
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=named):
        load_settings("gateway")


def test_instruments_are_dealt_to_shards_unless_their_entry_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (ROOT / "instruments.toml").read_text()
    (tmp_path / "instruments.toml").write_text(text + "shard = 1\n")
    monkeypatch.setenv("SHARDS", "2")
    assert load_settings("gateway").assignment() == {1: 0, 2: 1, 3: 0, 4: 1, 5: 1}
    monkeypatch.setenv("SHARD", "1")
    assert [each.id for each in load_settings("publisher").own_instruments()] == [2, 4, 5]
    (tmp_path / "instruments.toml").write_text(text + "shard = 2\n")
    with pytest.raises(ConfigError, match="MSFT-USD: shard 2 is not among the SHARDS=2"):
        load_settings("matcher").own_instruments()


def test_a_shard_without_an_instrument_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "instruments.toml").write_text((ROOT / "instruments.toml").read_text())
    monkeypatch.setenv("SHARDS", "6")
    monkeypatch.setenv("SHARD", "5")
    with pytest.raises(ConfigError, match="SHARD=5: no instrument"):
        load_settings("matcher").own_instruments()


def test_a_shard_opens_accounts_with_the_assets_it_trades(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "instruments.toml").write_text((ROOT / "instruments.toml").read_text())
    whole = load_settings("matcher").rules()
    monkeypatch.setenv("SHARDS", "2")
    monkeypatch.setenv("SHARD", "1")
    rules = load_settings("matcher").rules()
    assert {asset for asset, _ in rules.opening} == {"ETH", "USDT", "BTC", "USD"}
    assert set(rules.opening) < set(whole.opening)
