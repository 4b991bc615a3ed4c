"""The common part of every replica of the matcher: a follower and its requests.

A replica's owner passes event batches and the matcher's replies in and sends the requests that
come out. Sockets and the clock belong to the owner.
"""

from crossbook.common.following.event_follower import EventFollower, RepeatTimer
from crossbook.common.messages.matcher_queries import ResendRequest


class Replica:
    """A follower of the matcher's events, and its numbered requests for those that are missing.

    A request for the same range is made again only after `again_ns`. `gaps` counts the requests
    for a hole in the events.
    """

    def __init__(self, again_ns: int) -> None:
        self.gaps = 0
        self._follower = EventFollower(from_start=True)
        self._repeat = RepeatTimer(again_ns)
        self._request_id = 0

    @property
    def held(self) -> int:
        """Batches that wait for something missing before them."""
        return self._follower.held

    def not_sent(self) -> None:
        """The last request could not be sent: it may be made again at once."""
        self._repeat.forget()

    def _resend_request(
        self, incarnation: int, from_seq: int, to_seq: int, now_ns: int
    ) -> ResendRequest | None:
        """A request for this range, or None while an earlier one for its beginning may yet be
        answered."""
        if not self._repeat.due((incarnation, from_seq), now_ns):
            return None
        self._request_id += 1
        return ResendRequest(self._request_id, incarnation, from_seq, to_seq)
