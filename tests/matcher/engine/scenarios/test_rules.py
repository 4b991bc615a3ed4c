"""Every rule of the market as a table, played on both sides of it."""

import pytest
from msgspec.structs import replace

from crossbook.common.instruments import Instrument
from tests.matcher.engine.scenarios.script import MIRROR_TICKS, Script
from tests.worlds.venue import BTC

PLAIN = replace(BTC, max_price_ticks=1_000, min_notional=0)
BANDED = replace(PLAIN, band_low_ticks=95, band_high_ticks=MIRROR_TICKS - 95)
AROUND_LAST = replace(PLAIN, band_rate=50_000)
FEW_PRICES = replace(PLAIN, min_price_ticks=90, max_price_ticks=MIRROR_TICKS - 90)

SCENARIOS: dict[str, tuple[Instrument, str]] = {
    "a trade is at the maker's price": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B buy 3 @ 105               | A gives 3 @ 100 to B
    """),
    "an IOC order fills what crosses and the rest expires": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B buy 8 @ 101 ioc           | A gives 5 @ 100 to B; B expired 3 IMMEDIATE_OR_CANCEL
        B buy 8 @ 101 ioc           | B expired 8 IMMEDIATE_OR_CANCEL
    """),
    "a FOK order is all or nothing": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B buy 6 @ 101 fok           | B expired 6 FILL_OR_KILL
        B buy 5 @ 101 fok           | A gives 5 @ 100 to B
    """),
    "a market order never rests": (PLAIN, """
        B buy 1                     | B expired 1 INSUFFICIENT_LIQUIDITY
        A sell 2 @ 100              | rests 2 @ 100
        B buy 3                     | A gives 2 @ 100 to B; B expired 1 INSUFFICIENT_LIQUIDITY
    """),
    "a post-only order is refused rather than take": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B buy 5 @ 100 post          | refused POST_ONLY_WOULD_TAKE price
        B buy 5 @ 99 post id=p      | rests 5 @ 99
        B amend p price=100         | refused POST_ONLY_WOULD_TAKE price
        C sell 5 @ 99               | p gives 5 @ 99 to C
    """),
    "post-only goes before self-trade prevention": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        A buy 5 @ 100 post em       | refused POST_ONLY_WOULD_TAKE price
    """),
    "post-only does not go with IOC, FOK or market": (PLAIN, """
        A buy 5 @ 100 post ioc      | refused UNSUPPORTED_COMBINATION post_only
        A buy 5 @ 100 post fok      | refused UNSUPPORTED_COMBINATION post_only
        A buy 5 post                | refused UNSUPPORTED_COMBINATION post_only
    """),
    "a stop waits for the last trade price and takes then": (PLAIN, """
        A sell 1 @ 100              | rests 1 @ 100
        A sell 9 @ 105 id=far       | rests 9 @ 105
        B buy 2 stop=100            | waits
        C buy 1 @ 100               | A gives 1 @ 100 to C; B triggered at 100; \
far gives 2 @ 105 to B
    """),
    "a stop that is met already is refused": (PLAIN, """
        A sell 1 @ 100              | rests 1 @ 100
        C buy 1 @ 100               | A gives 1 @ 100 to C
        B buy 2 stop=100            | refused STOP_WOULD_TRIGGER stop_price
        B buy 2 stop=101            | waits
        B sell 2 tp=100             | refused STOP_WOULD_TRIGGER stop_price
        B sell 2 tp=101             | waits
    """),
    "an elected market stop on an empty book expires": (PLAIN, """
        A sell 1 @ 100              | rests 1 @ 100
        B buy 2 stop=100            | waits
        C buy 1 @ 100               | A gives 1 @ 100 to C; B triggered at 100; \
B expired 2 INSUFFICIENT_LIQUIDITY
    """),
    "a stop-limit rests where it cannot trade": (PLAIN, """
        A sell 1 @ 100              | rests 1 @ 100
        B buy 2 @ 98 stop=100       | waits
        C buy 1 @ 100               | A gives 1 @ 100 to C; B triggered at 100; rests 2 @ 98
    """),
    "a take-profit waits for the other direction": (PLAIN, """
        A buy 1 @ 100               | rests 1 @ 100
        A buy 5 @ 90 id=low         | rests 5 @ 90
        B buy 2 @ 99 tp=100         | waits
        C sell 1 @ 100              | A gives 1 @ 100 to C; B triggered at 100; rests 2 @ 99
    """),
    "stops are run nearest first, then by arrival, each once": (PLAIN, """
        A sell 1 @ 99 id=a0         | rests 1 @ 99
        E buy 1 @ 99                | a0 gives 1 @ 99 to E
        A sell 1 @ 100 id=a1        | rests 1 @ 100
        A sell 1 @ 102 id=a2        | rests 1 @ 102
        A sell 9 @ 103 id=a3        | rests 9 @ 103
        B buy 1 stop=102            | waits
        C buy 1 stop=101            | waits
        D buy 1 stop=102            | waits
        E buy 2 @ 102 id=e          | a1 gives 1 @ 100 to e; a2 gives 1 @ 102 to e; \
C triggered at 102; \
a3 gives 1 @ 103 to C; B triggered at 103; a3 gives 1 @ 103 to B; D triggered at 103; \
a3 gives 1 @ 103 to D
    """),
    "a cascade goes on in rounds until none is met": (PLAIN, """
        A sell 1 @ 100 id=a1        | rests 1 @ 100
        A sell 1 @ 101 id=a2        | rests 1 @ 101
        A sell 1 @ 102 id=a3        | rests 1 @ 102
        B buy 1 stop=100            | waits
        C buy 1 stop=101            | waits
        D buy 1 @ 100               | a1 gives 1 @ 100 to D; B triggered at 100; \
a2 gives 1 @ 101 to B; \
C triggered at 101; a3 gives 1 @ 102 to C
    """),
    "a waiting stop can be amended and canceled": (PLAIN, """
        A sell 1 @ 100              | rests 1 @ 100
        C buy 1 @ 100               | A gives 1 @ 100 to C
        B buy 2 stop=105            | waits
        B amend B stop=100          | refused STOP_WOULD_TRIGGER stop_price
        B amend B lots=1            | B keeps its place
        B amend B stop=104          | B loses its place; waits
        B amend B price=104         | refused UNSUPPORTED_COMBINATION price
        B cancel B                  | B canceled 1
    """),
    "an iceberg shows a slice at a time, each behind its level": (PLAIN, """
        A sell 10 @ 100 show=3      | rests 3 @ 100
        B sell 2 @ 100              | rests 2 @ 100
        C buy 4 @ 100               | A gives 3 @ 100 to C; A shows 3; B gives 1 @ 100 to C
        C buy 3 @ 100 id=c2         | B gives 1 @ 100 to c2; A gives 2 @ 100 to c2
        C buy 9 @ 100 id=c3         | A gives 1 @ 100 to c3; A shows 3; A gives 3 @ 100 to c3; \
A shows 1; \
A gives 1 @ 100 to c3; rests 4 @ 100
    """),
    "a FOK order counts what icebergs hide": (PLAIN, """
        A sell 10 @ 100 show=3      | rests 3 @ 100
        B buy 11 @ 100 fok          | B expired 11 FILL_OR_KILL
        B buy 7 @ 100 fok           | A gives 3 @ 100 to B; A shows 3; A gives 3 @ 100 to B; \
A shows 3; A gives 1 @ 100 to B
    """),
    "an iceberg gives up hidden lots first and keeps its place": (PLAIN, """
        A sell 10 @ 100 show=3      | rests 3 @ 100
        B sell 2 @ 100              | rests 2 @ 100
        A amend A lots=4            | A keeps its place
        C buy 3 @ 100               | A gives 3 @ 100 to C; A shows 1
        C buy 3 @ 100 id=c2         | B gives 2 @ 100 to c2; A gives 1 @ 100 to c2
    """),
    "an iceberg may not have too many slices": (PLAIN, """
        A sell 201 @ 100 show=2     | refused EXCEEDS_LIMIT display_quantity
        A sell 5 @ 100 show=6       | refused EXCEEDS_LIMIT display_quantity
        A sell 5 @ 100 show=2 ioc   | refused UNSUPPORTED_COMBINATION display_quantity
    """),
    "GTD orders expire before the command that carries the later time": (PLAIN, """
        A sell 5 @ 100 gtd=50       | rests 5 @ 100
        B sell 5 @ 100 gtd=40       | rests 5 @ 100
        time 39                     |
        D buy 1 @ 100               | A gives 1 @ 100 to D
        time 50                     | B expired 5 EXPIRE_TIME; A expired 4 EXPIRE_TIME
        D buy 1 @ 100 ioc           | D expired 1 IMMEDIATE_OR_CANCEL
        D buy 1 @ 100 gtd=50        | refused TOO_LATE expire_time
    """),
    "a DAY order expires at midnight": (PLAIN, """
        time 86399000000000         |
        A sell 5 @ 100 day          | rests 5 @ 100
        time 86399999999999         |
        time 86400000000000         | A expired 5 EXPIRE_TIME
    """),
    "a waiting stop expires at its time": (PLAIN, """
        A sell 5 @ 100 stop=90 gtd=7 | waits
        time 7                      | A expired 5 EXPIRE_TIME
    """),
    "less at the same price keeps the place, anything else loses it": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B sell 5 @ 100              | rests 5 @ 100
        A amend A lots=4            | A keeps its place
        C buy 1 @ 100               | A gives 1 @ 100 to C
        A amend A lots=5            | A loses its place; rests 4 @ 100
        C buy 1 @ 100 id=c2         | B gives 1 @ 100 to c2
        B amend B price=101         | B loses its place; rests 4 @ 101
        A amend A lots=1            | A canceled 4
        D buy 2 @ 99                | rests 2 @ 99
        B amend B price=99          | B loses its place; D gives 2 @ 99 to B; rests 2 @ 99
        B amend B lots=2000000000   | refused EXCEEDS_LIMIT quantity
        C buy 2 @ 99 id=c3          | B gives 2 @ 99 to c3
    """),
    "expire_taker stops at the first own order": (PLAIN, """
        B sell 1 @ 100              | rests 1 @ 100
        A sell 5 @ 100              | rests 5 @ 100
        A buy 3 @ 100 et id=t       | B gives 1 @ 100 to t; t expired 2 SELF_TRADE
        C buy 5 @ 100               | A gives 5 @ 100 to C
    """),
    "expire_maker goes through own orders": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B sell 1 @ 100              | rests 1 @ 100
        A buy 3 @ 100 em id=t       | A expired 5 SELF_TRADE; B gives 1 @ 100 to t; rests 2 @ 100
    """),
    "expire_both takes both out": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        A buy 3 @ 100 eb id=t       | A expired 5 SELF_TRADE; t expired 3 SELF_TRADE
    """),
    "decrement takes the smaller quantity from both": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        A buy 3 @ 100 dec id=t      | t expired 3 SELF_TRADE; A reduced by 3
        A buy 6 @ 100 dec id=u      | A expired 2 SELF_TRADE; u reduced by 2; rests 4 @ 100
        A sell 4 @ 100 dec id=v     | u expired 4 SELF_TRADE; v expired 4 SELF_TRADE
    """),
    "without prevention own orders trade": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        A buy 3 @ 100 none id=t     | A gives 3 @ 100 to t
    """),
    "a FOK order sees own orders as its mode does": (PLAIN, """
        B sell 2 @ 100              | rests 2 @ 100
        A sell 5 @ 100              | rests 5 @ 100
        C sell 2 @ 100              | rests 2 @ 100
        A buy 3 @ 100 fok et id=t   | t expired 3 FILL_OR_KILL
        A buy 3 @ 100 fok eb id=t   | t expired 3 FILL_OR_KILL
        A buy 3 @ 100 fok dec id=t  | t expired 3 FILL_OR_KILL
        A buy 2 @ 100 fok dec id=t  | B gives 2 @ 100 to t
        A buy 2 @ 100 fok em id=u   | A expired 5 SELF_TRADE; C gives 2 @ 100 to u
    """),
    "an iceberg's own slices are prevented whole": (PLAIN, """
        A sell 9 @ 100 show=2       | rests 2 @ 100
        B sell 1 @ 100              | rests 1 @ 100
        A buy 1 @ 100 em id=t       | A expired 9 SELF_TRADE; B gives 1 @ 100 to t
    """),
    "an elected stop is held to its own mode, and elects nothing by a prevented match": (PLAIN, """
        B sell 1 @ 100              | rests 1 @ 100
        A sell 5 @ 101 id=own       | rests 5 @ 101
        A buy 2 stop=100 et id=s    | waits
        D buy 2 stop=101            | waits
        C buy 1 @ 100               | B gives 1 @ 100 to C; s triggered at 100; \
s expired 2 SELF_TRADE
    """),
    "takers stop at the static band": (BANDED, """
        A sell 2 @ 104              | rests 2 @ 104
        A sell 2 @ 106 id=far       | rests 2 @ 106
        B buy 3                     | A gives 2 @ 104 to B; B expired 1 PRICE_BAND
        B buy 3 @ 110               | B expired 3 PRICE_BAND
        B buy 3 @ 110 fok           | B expired 3 FILL_OR_KILL
        B buy 3 @ 105               | rests 3 @ 105
    """),
    "takers stop at the band around the last trade": (AROUND_LAST, """
        A sell 1 @ 100              | rests 1 @ 100
        A sell 1 @ 105 id=near      | rests 1 @ 105
        A sell 1 @ 106 id=far       | rests 1 @ 106
        B buy 1 @ 100               | A gives 1 @ 100 to B
        B buy 3 stop=101 id=s       | waits
        C buy 1 @ 106               | near gives 1 @ 105 to C; s triggered at 105; \
far gives 1 @ 106 to s; \
s expired 2 INSUFFICIENT_LIQUIDITY
    """),
    "a halt keeps orders and permits cancels": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B sell 5 @ 100              | rests 5 @ 100
        state halted                | halted
        C buy 5 @ 100               | refused MARKET_HALTED instrument
        A amend A lots=3            | refused MARKET_HALTED instrument
        A cancel A                  | A canceled 5
        state open                  | open
        C buy 5 @ 100               | B gives 5 @ 100 to C
    """),
    "cancel_only takes cancels": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        state cancel_only           | cancel_only
        C buy 5 @ 100               | refused MARKET_HALTED instrument
        A cancel-all                | A canceled 5
    """),
    "post_only takes orders that rest": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        state post_only             | post_only
        C buy 5 @ 100               | refused POST_ONLY_WOULD_TAKE price
        C buy 5 @ 99 id=low         | rests 5 @ 99
        C buy 5                     | refused MARKET_HALTED instrument
        C amend low price=100       | refused POST_ONLY_WOULD_TAKE price
    """),
    "a call phase gathers, and uncrosses at the price of most volume": (PLAIN, """
        state auction               | auction
        A buy 5 @ 103               | rests 5 @ 103
        B buy 5 @ 101               | rests 5 @ 101
        C sell 4 @ 99               | rests 4 @ 99
        D sell 4 @ 101              | rests 4 @ 101
        E sell 9 @ 104              | rests 9 @ 104
        uncross                     | uncrossed 8 @ 101 surplus 2; A gives 4 @ 101 to C; \
A gives 1 @ 101 to D; \
B gives 3 @ 101 to D; open
    """),
    "market orders of a call phase trade first, and expire if they cannot": (PLAIN, """
        state auction               | auction
        A buy 5 @ 103               | rests 5 @ 103
        B buy 2                     | waits
        C sell 4 @ 103              | rests 4 @ 103
        uncross                     | uncrossed 4 @ 103 surplus 3; B gives 2 @ 103 to C; \
A gives 2 @ 103 to C; open
        state auction               | auction
        D sell 9                    | waits
        uncross                     | uncrossed 3 @ 103 surplus -6; A gives 3 @ 103 to D; \
D expired 6 INSUFFICIENT_LIQUIDITY; open
    """),
    "of several prices the pressure decides": (PLAIN, """
        state auction               | auction
        A buy 9 @ 105               | rests 9 @ 105
        B sell 5 @ 100              | rests 5 @ 100
        uncross                     | uncrossed 5 @ 105 surplus 4; A gives 5 @ 105 to B; open
    """),
    "without pressure the price is the one nearest the last trade": (PLAIN, """
        A sell 1 @ 102              | rests 1 @ 102
        B buy 1 @ 102               | A gives 1 @ 102 to B
        state auction               | auction
        A buy 5 @ 105 id=a2         | rests 5 @ 105
        B sell 5 @ 100 id=b2        | rests 5 @ 100
        uncross                     | uncrossed 5 @ 102 surplus 0; a2 gives 5 @ 102 to b2; open
    """),
    "what does not fit a call phase is refused": (PLAIN, """
        state auction               | auction
        A buy 5 @ 100 ioc           | refused UNSUPPORTED_COMBINATION time_in_force
        A buy 5 @ 100 fok           | refused UNSUPPORTED_COMBINATION time_in_force
        A buy 5 @ 100 post          | refused UNSUPPORTED_COMBINATION post_only
        A buy quote:500             | refused UNSUPPORTED_COMBINATION quote_amount
        A buy 5 stop=100            | waits
        uncross                     | uncrossed 0 @ 0 surplus 0; open
        uncross                     | refused UNSUPPORTED_COMBINATION state
    """),
    "stops are elected once, by the price of the uncross": (PLAIN, """
        state auction               | auction
        A buy 5 @ 102               | rests 5 @ 102
        B sell 5 @ 102              | rests 5 @ 102
        C sell 3 @ 105              | rests 3 @ 105
        D buy 1 stop=101            | waits
        uncross                     | uncrossed 5 @ 102 surplus 0; A gives 5 @ 102 to B; open; \
D triggered at 102; C gives 1 @ 105 to D
    """),
    "a crossed book has to be uncrossed": (PLAIN, """
        state auction               | auction
        A buy 5 @ 102               | rests 5 @ 102
        B sell 5 @ 102              | rests 5 @ 102
        state open                  | refused UNSUPPORTED_COMBINATION state
        state halted                | halted
        state open                  | refused UNSUPPORTED_COMBINATION state
        state auction               | auction
        uncross                     | uncrossed 5 @ 102 surplus 0; A gives 5 @ 102 to B; open
    """),
    "own orders trade in an uncross": (PLAIN, """
        state auction               | auction
        A buy 5 @ 102 et            | rests 5 @ 102
        A sell 5 @ 102 et id=s      | rests 5 @ 102
        uncross                     | uncrossed 5 @ 102 surplus 0; A gives 5 @ 102 to s; open
    """),
    "cancel-after cancels unless it is renewed": (PLAIN, """
        A sell 5 @ 100              | rests 5 @ 100
        B sell 5 @ 101              | rests 5 @ 101
        A cancel-after 10           |
        time 9                      |
        A cancel-after 10           |
        time 18                     |
        time 19                     | A canceled 5 CANCEL_AFTER
        B cancel-after 10           |
        B cancel-after 0            |
        time 99                     |
    """),
    "prices have a lower and an upper limit": (FEW_PRICES, """
        A buy 5 @ 90                | rests 5 @ 90
        B sell 5 @ 110              | rests 5 @ 110
    """),
}  # fmt: skip


@pytest.mark.parametrize("mirror", [False, True], ids=["as written", "mirrored"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, mirror: bool) -> None:
    instrument, text = SCENARIOS[name]
    Script(instrument).play(text, mirror)


def test_a_scenario_can_fail() -> None:
    with pytest.raises(AssertionError, match="expected: rests 4"):
        Script(PLAIN).play("A sell 5 @ 100 | rests 4 @ 100")
