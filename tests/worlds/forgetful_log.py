"""A record log without content: its matcher can resend only the batches of its resend buffer."""

from collections.abc import Iterator

from crossbook.matcher.journal.record import Record
from crossbook.matcher.journal.segment import Header


class ForgetfulLog:
    """Accepts every record of `incarnation` and drops it."""

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.last_time_ns = 0
        self.first_seq = 1

    def append(self, record: Record, *, sync: bool = True) -> None:
        self.first_seq = record.last_seq + 1

    def read(self, from_seq: int) -> Iterator[tuple[Header, Record]]:
        return iter(())
