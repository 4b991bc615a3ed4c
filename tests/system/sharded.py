"""An exchange of several shards as real processes, for tests and measurements."""

import contextlib
from collections.abc import Iterable, Iterator

from tests.system.exchange import BOUND_BY, Exchange, free_ports

OF_A_SHARD = ("matcher", "publisher", "recorder")


@contextlib.contextmanager
def sharded(shards: int, processes: Iterable[str], **settings: str) -> Iterator[Exchange]:
    """An exchange of so many shards; `processes` are started, `matcher-1` for the second shard's
    matcher. Nothing is waited for."""
    names = [name for process in OF_A_SHARD for name in BOUND_BY[process]]
    ports = iter(free_ports(shards * len(names)))
    addresses = {
        name: ",".join(f"tcp://127.0.0.1:{next(ports)}" for _ in range(shards)) for name in names
    }
    given = {**addresses, **settings}
    with Exchange(ready=False, SHARDS=str(shards), **given) as exchange:
        for process in processes:
            exchange.start(process)
        yield exchange


def of_every_shard(shards: int, processes: Iterable[str]) -> list[str]:
    """The names of these processes of all shards."""
    return [
        f"{process}-{shard}" if shard else process
        for shard in range(shards)
        for process in processes
    ]
