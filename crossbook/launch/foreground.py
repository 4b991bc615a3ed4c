"""An exchange in the foreground: its settings checked, its processes supervised, its addresses
printed once it is ready."""

import json
import os
import sys
from collections.abc import Mapping
from threading import Thread
from typing import Final

import msgspec

from crossbook.common.errors import ConfigError
from crossbook.common.process.config import EXAMPLE_INSTRUMENTS, Settings, load_settings
from crossbook.common.process.curve import make_exchange_key
from crossbook.common.process.notify import VARIABLE, notify
from crossbook.common.process.startup import exit_on_config_error
from crossbook.launch.layout import PROCESSES, addresses_of, free_addresses, programs
from crossbook.launch.ports import Ports
from crossbook.launch.readiness import ReadySocket, wait_for_gateway
from crossbook.launch.starter import Starter
from crossbook.launch.supervisor import Supervisor

DEMO_SYMBOLS: Final = 3
"""Most instruments that the simulated market of `--demo` trades."""


def run_exchange(
    options: Mapping[str, str], starter: Starter, ports: Ports | None, *, demo: bool, as_json: bool
) -> int:
    """Run an exchange until a signal; the exit status.

    `options` are settings that override those of the environment. With `ports` it is at free ones.
    A wrong setting ends this process with status 2.
    """
    try:
        settings = _settings(options, ports)
    except ConfigError as error:
        exit_on_config_error(error, "run")
    return _supervise(settings, starter, demo=demo, as_json=as_json)


def _settings(options: Mapping[str, str], ports: Ports | None) -> Settings:
    """The settings with those of the options, which the processes inherit; with `ports` at free
    addresses. Checked here, so that a wrong one is reported once and not by every process."""
    os.environ.update(options)
    settings = load_settings("client")
    if settings.auth == "on":
        # All its processes are on this machine, so no other place has the key.
        make_exchange_key(settings.key_file())
    if ports is not None:
        os.environ.update(free_addresses(ports, settings.shards))
    for process in PROCESSES:
        load_settings(process)
    settings = load_settings("client")
    settings.instruments()
    settings.rules()
    for shard in settings.each_shard():
        shard.own_instruments()
    return settings


def _supervise(settings: Settings, starter: Starter, *, demo: bool, as_json: bool) -> int:
    """Run the processes of the settings until the end; the exit status."""
    symbols = [each.symbol for each in settings.instruments()]
    ready = ReadySocket()
    # The service manager's own socket is for this process.
    environment = {**os.environ, VARIABLE: ready.address}
    supervisor = Supervisor(
        programs(settings.shards, demo_symbols=symbols[:DEMO_SYMBOLS] if demo else ()),
        starter,
        environment,
        sys.stderr if as_json else sys.stdout,
    )

    def announce() -> None:
        is_ready = ready.wait(lambda: supervisor.pids.values(), supervisor.ending)
        if not is_ready or not wait_for_gateway(settings, supervisor.ending):
            return
        if as_json:
            print(_document(settings, supervisor), flush=True)
        else:
            supervisor.print_text(_where_to_connect(settings))
        notify("READY=1", f"STATUS=serving at {addresses_of(settings).http_url}")
        supervisor.begin_late()

    announcing = Thread(target=announce)
    announcing.start()
    try:
        return supervisor.run(on_end=lambda: notify("STOPPING=1"))
    finally:
        supervisor.ending.set()
        announcing.join()
        ready.close()


def _document(settings: Settings, supervisor: Supervisor) -> str:
    """The addresses and process ids as one line of JSON; `settings` are the variables with which
    the command line and the clients reach this exchange."""
    found = addresses_of(settings)
    document = {
        "event": "ready",
        **msgspec.to_builtins(found),
        "pids": {"supervisor": os.getpid(), **supervisor.pids},
        "settings": {
            "GATEWAY_ORDERS": found.orders,
            "PUBLISHER_FEED": ",".join(found.feeds),
            "PUBLISHER_SNAPSHOTS": ",".join(found.snapshots),
            "API_PORT": str(settings.api_port),
            "DATA_DIR": found.data_dir,
            "SHARDS": str(settings.shards),
            "INSTRUMENTS_FILE": str(settings.instruments_file.absolute()),
            **_key_settings(settings),
        },
    }
    return json.dumps(document)


def _key_settings(settings: Settings) -> dict[str, str]:
    """The settings by which clients of this machine have keys; none with `AUTH=off`."""
    if settings.auth == "off":
        return {}
    return {
        "AUTH": "on",
        "CURVE_KEY_FILE": str(settings.key_file().absolute()),
        "FEED_ACCESS": settings.feed_access,
    }


def _where_to_connect(settings: Settings) -> str:
    found = addresses_of(settings)
    examples = settings.instruments_file == EXAMPLE_INSTRUMENTS
    file = "examples; --instruments FILE for others" if examples else settings.instruments_file
    return f"""
  a page        {found.http_url}/
  REST, streams {found.http_url}/docs
  order entry   {found.orders}
  market data   {", ".join(found.feeds)}
  snapshots     {", ".join(found.snapshots)}
  data          {found.data_dir}
  instruments   {" ".join(found.instruments)}
                ({file}){_key_line(settings)}

  in another terminal: crossbook --help
  Ctrl-C stops everything
"""


def _key_line(settings: Settings) -> str:
    keyring = settings.keyring()
    if keyring is None:
        return ""
    return f"\n  public key    {keyring.server_public.hex()}\n                (AUTH=on)"
