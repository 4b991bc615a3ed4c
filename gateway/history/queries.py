"""Questions about the past, to the recorder of one shard or to those of all shards."""

import asyncio
import heapq
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from crossbook.common.messages.history_queries import (
    HistoryAnswer,
    HistoryQuestion,
    HistoryReject,
    NotYet,
)
from crossbook.common.shards import shard_of
from crossbook.gateway.api.bodies import whole_number
from crossbook.gateway.history.link import HistoryLink
from crossbook.gateway.orders.local_sessions import LocalSessions
from crossbook.gateway.problem import history_unavailable, malformed

T = TypeVar("T")

Question = Callable[[int, int], HistoryQuestion]
"""Makes a question of its request_id and the seq that its answer must have reached."""

PagedQuestion = Callable[[int, int, int], HistoryQuestion]
"""The same, for the rows before a seq."""


class HistoryQueries:
    """The history of an account and of the market; `links` lead to the recorders, by shard.

    An answer has reached the last seq in the replies to the account, so that a client finds an
    order once it has the acknowledgement, and `min_seq`, which the caller may give. `Problem` 503
    is raised when a recorder is away or behind.
    """

    def __init__(
        self, sessions: LocalSessions, links: Sequence[HistoryLink], wake: Callable[[], None]
    ) -> None:
        self._sessions = sessions
        self._links = links
        self._wake = wake

    def shards(self, symbol: str | None = None) -> list[int]:
        """The shard of an instrument, or all shards."""
        if symbol is not None:
            return [self._sessions.home_of(symbol)]
        return list(range(len(self._links)))

    async def fetch(
        self, account: int, shard: int, question: Question, kind: type[T], min_seq: int = 0
    ) -> T:
        """The answer of a shard's recorder, of the kind expected."""
        seq = self._sessions.seq_of(account, shard)
        if shard_of(min_seq) == shard:
            seq = max(seq, min_seq)
        answer = await self.send(shard, lambda request_id: question(request_id, seq), account)
        if isinstance(answer, HistoryReject):
            raise malformed(answer.field, answer.text)
        if isinstance(answer, NotYet):
            self.check_given(min_seq)
            raise history_unavailable(answer.text)
        if not isinstance(answer, kind):
            raise history_unavailable("the recorder does not answer")
        return answer

    def check_given(self, min_seq: int) -> None:
        """Raise `Problem` 400 for a seq that the matcher has not given yet. Called after waiting
        for it: another gateway may have received it a moment earlier."""
        last = self._sessions.seqs[shard_of(min_seq)]
        if min_seq > last:
            text = f"{min_seq} has not been given yet: the last number here is {last}"
            raise malformed("min_seq", text)

    async def fetch_all(
        self,
        account: int,
        shards: Sequence[int],
        cursor: str | None,
        question: PagedQuestion,
        kind: type[T],
        min_seq: int = 0,
    ) -> tuple[list[T], list[int]]:
        """The answers of the recorders of these shards, and the seq before which the rows of each
        are.

        A cursor of several shards has a seq for each, zero for a shard without rows so far.
        """
        before = _numbers(cursor, len(shards))

        def earlier_than(number: int) -> Question:
            return lambda request_id, seq: question(request_id, seq, number)

        answers = await asyncio.gather(
            *(
                self.fetch(account, shard, earlier_than(number), kind, min_seq)
                for shard, number in zip(shards, before, strict=True)
            )
        )
        return answers, before

    async def send(
        self, shard: int, question: Callable[[int], HistoryQuestion], account: int = 0
    ) -> HistoryAnswer | None:
        """The answer of a shard's recorder to an account; None when there is none in time."""
        future: asyncio.Future[HistoryAnswer | None] = asyncio.get_running_loop().create_future()

        def done(answer: HistoryAnswer | None) -> None:
            if not future.done():
                future.set_result(answer)

        self._links[shard].add(question, done, account)
        self._wake()
        return await future


def newest(
    pages: Sequence[Sequence[T]],
    more: Sequence[bool],
    before: Sequence[int],
    limit: int,
    order_of: Callable[[T], tuple[int, int]],
) -> tuple[list[T], str | None]:
    """The newest rows of all pages, and the cursor after them; None where there are no more.

    Each page has the rows of one shard, newest first; its `more` is true when the shard has
    further ones. `order_of` is a row's time and its number within its shard.

    >>> newest([[(9, 4), (5, 3)], [(7, 8)]], [False, True], [0, 9], 2, lambda row: row)
    ([(9, 4), (7, 8)], '4.8')
    """
    rows: list[tuple[int, T]] = []
    by_shard = [[(shard, row) for row in page] for shard, page in enumerate(pages)]

    def newest_first(item: tuple[int, T]) -> tuple[int, int]:
        time_ns, number = order_of(item[1])
        return (-time_ns, -number)

    for item in heapq.merge(*by_shard, key=newest_first):
        if len(rows) == limit:
            break
        rows.append(item)
    newest_rows = [row for _, row in rows]
    if not any(more) and len(newest_rows) == sum(map(len, pages)):
        return newest_rows, None
    numbers = list(before)
    for shard, row in rows:
        numbers[shard] = order_of(row)[1]
    return newest_rows, ".".join(map(str, numbers))


def _numbers(cursor: str | None, shards: int) -> list[int]:
    if cursor is None:
        return [0] * shards
    numbers: list[Any] = [whole_number(part) for part in cursor.split(".")]
    if len(numbers) != shards or None in numbers or not any(numbers):
        raise malformed("cursor", "not a cursor of an earlier answer")
    return numbers
