"""`crossbook admin accept-time` and `advance`: an administrator decides on the time."""

from typing import Annotated

import typer

from crossbook.cli.admin_shards import admin_shards
from crossbook.cli.console import CommandError, ExitStatus, Output
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    AdminOption,
    JsonOption,
    TimeoutOption,
    client_settings,
)
from crossbook.client.admin_client import advance_all
from crossbook.client.exchange_clock import time_fault
from crossbook.client.process_probe import http_tls, http_url
from crossbook.common.times import duration_text, time_text


def accept_time(
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Accept the matcher's clock, though it is farther ahead than CLOCK_JUMP_MAX_S allows.

    Everything due by that time happens at once and cannot be undone: orders expire, timers run
    out. Compare both times first: crossbook admin status.

    \b
    Examples:
      crossbook admin accept-time
    """
    with admin_shards(admin, timeout) as shards:
        accepted = [client.accept_time() for client in shards.clients]
    facts = [
        {
            "shard": shard,
            "refused": each.was_refused,
            "stamped_before": time_text(each.before_ns),
            "clock": time_text(each.clock_ns),
        }
        for shard, each in enumerate(accepted)
    ]
    lines = [
        f"{each['clock']} is accepted; commands were stamped {each['stamped_before']}"
        if each["refused"]
        else f"{each['clock']} was accepted already"
        for each in facts
    ]
    Output(as_json).result({"shards": facts}, "\n".join(lines))


def advance(
    by: Annotated[
        str,
        typer.Argument(
            metavar="[DURATION]",
            show_default=False,
            help="Whole numbers with w, d, h, m, s, ms, us or ns: 90s, 1d, 1h30m.",
        ),
    ] = "",
    to: Annotated[
        str,
        typer.Option("--to", metavar="TIME", show_default=False, help="ISO 8601, UTC by default."),
    ] = "",
    admin: AdminOption = None,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    as_json: JsonOption = False,
) -> None:
    """Move the time of an exchange with CLOCK=manual, by a duration or to a point in time.

    Everything due on the way happens at its own time and in order: orders expire, timers run out,
    halts end. Returns when the matchers of all shards have journaled it and the gateway at API_HOST
    and API_PORT has followed, with publisher and recorder.

    \b
    Examples:
      crossbook admin advance 1d
      crossbook admin advance --to 2030-01-02T00:00Z --json
    """
    output = Output(as_json)
    try:
        with admin_shards(admin, timeout) as shards:
            moved = advance_all(shards.clients, by or None, to=to or None)
    except ValueError as error:
        field = "to" if to else "duration"
        raise CommandError(str(error), ExitStatus.USAGE, "USAGE", field) from error
    time_ns, before_ns = moved[0].time_ns, moved[0].before_ns
    settings = client_settings()
    fault = time_fault(http_url(settings), time_ns, timeout, tls=http_tls(settings))
    facts = {
        "time": time_text(time_ns),
        "before": time_text(before_ns),
        "seqs": [each.seq for each in moved],
        "followed": not fault,
    }
    text = f"it is {time_text(time_ns)}, {duration_text(time_ns - before_ns)} later"
    output.result(facts, text)
    if fault:
        output.remark(f"the gateway is not known to have followed: {fault}")
