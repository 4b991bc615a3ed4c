"""`crossbook admin accept-time`: the word of an administrator against a refused clock."""

from crossbook.cli.admin_shards import AdminShards
from crossbook.cli.console import Output
from crossbook.cli.options import (
    DEFAULT_TIMEOUT_S,
    AdminOption,
    JsonOption,
    TimeoutOption,
    client_settings,
)
from crossbook.cli.rendering import time_text


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
    settings = client_settings(admin=admin)
    addresses = [shard.matcher_admin for shard in settings.each_shard()]
    with AdminShards(addresses, timeout) as shards:
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
