"""When a client session logs on: at once, then again after waits that double."""

from typing import Final

LOGON_RETRY_NS: Final = 1_000_000_000
"""First wait for a `Welcome` before logging on again; doubled each time."""

LOGON_RETRY_MAX_NS: Final = 8_000_000_000


class LogonAttempts:
    """The logons sent until one is answered.

    `pending` is true from `begin` to `end`; `request_seq` is the number of the last logon sent,
    zero before the first.
    """

    def __init__(self) -> None:
        self.pending = False
        self.request_seq = 0
        self._sent_ns = 0
        self._wait_ns = LOGON_RETRY_NS

    def begin(self) -> None:
        """Make a logon due at once."""
        self.pending = True
        self.request_seq = 0
        self._wait_ns = LOGON_RETRY_NS

    def end(self) -> None:
        """The last logon was answered: none is due."""
        self.pending = False
        self.request_seq = 0

    def due(self, now_ns: int) -> bool:
        """Whether a logon is to be sent now."""
        if not self.pending:
            return False
        return not self.request_seq or now_ns >= self._sent_ns + self._wait_ns

    def sent(self, request_seq: int, now_ns: int) -> None:
        """A logon of this number is being sent; the wait after a repeated one doubles."""
        if self.request_seq:
            self._wait_ns = min(2 * self._wait_ns, LOGON_RETRY_MAX_NS)
        self.request_seq = request_seq
        self._sent_ns = now_ns
