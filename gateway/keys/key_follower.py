"""Following the API keys of the matcher of shard 0: a table that is equal to its keys.

Each change is an event. All keys are requested, in pages, when the matcher is reached and whenever
events may have been lost. The link to the matcher sends and receives; there is no I/O here.
"""

from typing import Final

from crossbook.common.following.event_follower import RepeatTimer
from crossbook.common.keys import Key
from crossbook.common.messages.events import KeyChanged, KeyDeleted
from crossbook.common.messages.matcher_queries import KeyPage, KeysRequest
from crossbook.gateway.keys.key_table import KeyTable

AGAIN_NS: Final = 200_000_000
"""Wait before a page is requested again."""


class KeyFollower:
    """Keeps `table` as the matcher's keys are.

    While all keys are requested the table stays as it was and follows events. A page is of one
    state with another where the last change before both has the same number. A state that is older
    than an event of the table is requested again.
    """

    def __init__(self, table: KeyTable) -> None:
        self.table = table
        table.is_loaded = False
        self._repeat = RepeatTimer(AGAIN_NS)
        self._request_id = 0
        self._is_due = False
        self._changed_seq = 0
        self._loading: list[Key] = []
        self._loading_seq = -1

    def begin(self) -> None:
        """Request all keys: the matcher's numbers may mean other commands from now on."""
        self._changed_seq = 0
        self.request_all()

    def request_all(self) -> None:
        """Request all keys, as events may have been lost."""
        self._is_due = True
        self._restart()

    def apply(self, event: KeyChanged | KeyDeleted) -> None:
        """Apply a change; one that the loaded keys have already changes nothing."""
        if event.seq <= self._changed_seq:
            return
        self._changed_seq = event.seq
        if isinstance(event, KeyChanged):
            self.table.put(event.key)
        else:
            self.table.remove(event.key_id)

    def next_request(self, now_ns: int) -> KeysRequest | None:
        """The request to send now, if any; it counts as sent."""
        if not self._is_due or not self._repeat.due((self._request_id,), now_ns):
            return None
        after = self._loading[-1].key_id if self._loading else ""
        return KeysRequest(self._request_id, after)

    def not_sent(self) -> None:
        """The last request could not be sent: it may be made again at once."""
        self._repeat.forget()

    def receive(self, page: KeyPage) -> None:
        """Receive the answer to the last request; others are dropped."""
        if not self._is_due or page.request_id != self._request_id:
            return
        if self._loading_seq not in (-1, page.changed_seq):
            self._restart()
            return
        self._loading_seq = page.changed_seq
        self._loading += page.keys
        self._request_id += 1
        if page.more:
            return
        if page.changed_seq < self._changed_seq:
            self._restart()
            return
        self._is_due = False
        self._changed_seq = page.changed_seq
        self.table.replace(self._loading)
        self.table.is_loaded = True
        self._restart()

    def _restart(self) -> None:
        """Begin with the first page; answers to earlier requests are dropped."""
        self._loading = []
        self._loading_seq = -1
        self._request_id += 1
