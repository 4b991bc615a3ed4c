"""The key at which the rows of a table reach a time or number.

Orders and fills are numbered as they happen, so their times and the numbers of their commands never
fall from one key to the next. No index on them is needed, which each order and fill would write.
"""

from typing import Final

from sqlalchemy import Column, Connection, select

from crossbook.common.types import MAX_INT

NONE: Final = MAX_INT
"""The key for a time or number that no row has reached: it is beyond all keys."""


def first_key(connection: Connection, key: "Column[int]", value: "Column[int]", least: int) -> int:
    """A key that divides a table: rows from it on have a `value` of at least `least`, and no row
    before it has. `NONE` where no row has.

    `value` must not fall as `key` rises. Costs O(log keys) look-ups by key.
    """
    last = connection.execute(
        select(key, value).where(key <= MAX_INT).order_by(key.desc()).limit(1)
    ).first()
    if last is None or last[1] < least:
        return NONE
    row = select(key, value).order_by(key).limit(1)
    low, high = 0, int(last[0])
    while low < high:
        middle = (low + high) // 2
        found, reached = connection.execute(row.where(key >= middle)).one()
        if reached >= least:
            high = middle
        else:
            low = int(found) + 1
    return low
