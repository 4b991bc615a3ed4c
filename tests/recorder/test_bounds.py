"""The key at which rows reach a number equals that of a plain look over them."""

from random import Random

import pytest
from sqlalchemy import BigInteger, Column, Engine, MetaData, Table, insert

from crossbook.recorder.bounds import NONE, first_key

ROWS = Table(
    "bounds_rows",
    MetaData(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ns", BigInteger, nullable=False),
)


@pytest.mark.parametrize("seed", range(5))
def test_a_key_divides_the_rows_before_a_number_from_the_others(
    sqlite_engine: Engine, seed: int
) -> None:
    chance = Random(seed)
    keys = sorted(chance.sample(range(1, 2**40), chance.choice((1, 2, 30))))
    times = sorted(chance.choices(range(100, 140), k=len(keys)))
    with sqlite_engine.begin() as connection:
        ROWS.create(connection)
        assert first_key(connection, ROWS.c.number, ROWS.c.time_ns, 0) == NONE
        rows = [{"number": key, "time_ns": time} for key, time in zip(keys, times, strict=True)]
        connection.execute(insert(ROWS), rows)
        for least in range(98, 143):
            bound = first_key(connection, ROWS.c.number, ROWS.c.time_ns, least)
            found = [row["time_ns"] for row in rows if row["number"] >= bound]
            assert found == [time for time in times if time >= least]
