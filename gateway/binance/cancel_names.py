"""Client order ids of cancels that are on their way to a matching engine. No I/O.

A cancel has a client order id of its own in this face. The exchange does not know it: the answer
and the event of the cancel show the one that its request gave, or one that is made of the order's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from crossbook.gateway.binance.order_documents import cancel_name


class CancelNames:
    """The names that requests in progress have given to their cancels, by order id.

    >>> names = CancelNames()
    >>> with names.given(5, "mine"):
    ...     names.of(5), names.of(6)
    ('mine', 'CXL-0000000006')
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}

    @contextmanager
    def given(self, order_id: int, name: str | None) -> Iterator[None]:
        """While a cancel with this name is on its way. Of two at once the first has the name."""
        if name is None or order_id in self._names:
            yield
            return
        self._names[order_id] = name
        try:
            yield
        finally:
            del self._names[order_id]

    def of(self, order_id: int) -> str:
        """The client order id of the cancel of an order."""
        return self._names.get(order_id) or cancel_name(order_id)
