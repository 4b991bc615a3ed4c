"""Every command of the command line against the three running processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossbook.cli.main import app
from tests.system.exchange import Exchange

SYMBOL = "ETH-USDT"


@pytest.fixture(scope="module")
def venue() -> Iterator[Exchange]:
    with Exchange() as running:
        yield running


@pytest.fixture
def shell(venue: Exchange) -> Iterator["Shell"]:
    """A shell for account 5 on an empty book, emptied again afterwards."""
    made = Shell(venue)
    yield made
    for account in ("5", "6"):
        made.json("cancel", "--all", "--account", account)


class Shell:
    """Runs commands with the exchange's addresses in the environment."""

    def __init__(self, venue: Exchange) -> None:
        self.venue = venue

    def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error."""
        env = {**self.venue.addresses, "ACCOUNT": "5", "COLUMNS": "120"}
        result = CliRunner().invoke(app, list(words), env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.stdout, result.stderr

    def lines(self, *words: str) -> list[dict[str, Any]]:
        """The JSON lines of a command that must succeed."""
        status, out, err = self.run(*words, "--json")
        assert status == 0, out + err
        return [json.loads(line) for line in out.splitlines()]

    def json(self, *words: str) -> dict[str, Any]:
        """The one JSON object of a command that must succeed."""
        [facts] = self.lines(*words)
        return facts

    def refusal(self, *words: str) -> dict[str, str]:
        """The error of a command that the exchange must refuse."""
        status, out, _ = self.run(*words, "--json")
        assert status == 1
        error: dict[str, str] = json.loads(out)["error"]
        return error


def test_an_order_rests_trades_and_is_canceled(shell: Shell) -> None:
    rested = shell.json("buy", SYMBOL, "2", "3000.50", "--id", "mine")
    assert rested["order_status"] == "NEW"
    assert rested["client_order_id"] == "mine"
    assert rested["remaining_quantity"] == "2.0000"
    assert rested["average_price"] is None
    assert rested["fills"] == []

    sold = shell.json("sell", SYMBOL.lower(), "0.5", "3000", "--account", "6")
    assert sold["order_status"] == "FILLED"
    assert sold["average_price"] == "3000.5000"
    [fill] = sold["fills"]
    assert (fill["price"], fill["quantity"]) == ("3000.50", "0.5000")
    assert (fill["fee"], fill["fee_asset"], fill["liquidity"]) == ("3.00050000", "USDT", "taker")

    [order] = shell.lines("orders", SYMBOL)
    assert order["order_id"] == rested["order_id"]
    assert (order["side"], order["price"]) == ("buy", "3000.50")
    assert (order["quantity"], order["filled_quantity"], order["remaining_quantity"]) == (
        "2.0000",
        "0.5000",
        "1.5000",
    )
    assert order["order_status"] == "PARTIALLY_FILLED"

    assert shell.json("cancel", SYMBOL, "--id", "mine")["order_status"] == "CANCELED"
    assert shell.lines("orders") == []


def test_results_are_printed_as_text(shell: Shell) -> None:
    status, out, _ = shell.run("buy", SYMBOL, "2", "3000", "--id", "mine")
    assert status == 0
    assert "(mine) accepted: NEW\n  open   2.0000 ETH" in out

    status, out, _ = shell.run("orders")
    assert "3000.00" in out
    assert "mine" in out

    status, out, _ = shell.run("cancel", "--all")
    assert out == "1 orders canceled\n"
    status, out, _ = shell.run("orders")
    assert out == "account 5 has no open orders\n"

    status, _, err = shell.run("cancel", SYMBOL, "999999")
    assert status == 1
    assert err.startswith("UNKNOWN_ORDER (order_id): ")


def test_amend_by_either_id(shell: Shell) -> None:
    order_id = shell.json("buy", SYMBOL, "2", "3000", "--id", "amended")["order_id"]

    less = shell.json("amend", SYMBOL, str(order_id), "--quantity", "1.5")
    assert less["remaining_quantity"] == "1.5000"
    moved = shell.json("amend", SYMBOL, "--id", "amended", "--price", "2999", "-q", "3")
    assert moved["remaining_quantity"] == "3.0000"

    [order] = shell.lines("orders")
    assert (order["price"], order["quantity"]) == ("2999.00", "3.0000")


def test_immediate_orders_report_their_expired_lots(shell: Shell) -> None:
    shell.json("sell", SYMBOL, "1", "3000")

    ioc = shell.json("buy", SYMBOL, "3", "3000", "--tif", "ioc", "--account", "6")
    assert (ioc["order_status"], ioc["reason"]) == ("EXPIRED", "IMMEDIATE_OR_CANCEL")
    assert ioc["filled_quantity"] == "1.0000"
    fok = shell.json("buy", SYMBOL, "3", "3000", "--tif", "fok", "--account", "6")
    assert (fok["reason"], fok["filled_quantity"]) == ("FILL_OR_KILL", "0.0000")
    market = shell.json("buy", SYMBOL, "3", "--market", "--account", "6")
    assert market["reason"] == "INSUFFICIENT_LIQUIDITY"


def test_a_quote_amount_buys_the_affordable_lots(shell: Shell) -> None:
    shell.json("sell", SYMBOL, "1", "3000")

    bought = shell.json("buy", SYMBOL, "--quote-amount", "1500", "--account", "6")

    assert bought["filled_quantity"] == "0.5000"


def test_refusals_name_reason_and_field(shell: Shell) -> None:
    assert shell.refusal("buy", "NO-SUCH", "1", "1")["code"] == "UNKNOWN_SYMBOL"
    off_grid = shell.refusal("buy", SYMBOL, "1", "1.001")
    assert (off_grid["code"], off_grid["field"]) == ("BAD_TICK", "price")
    shell.json("buy", SYMBOL, "1", "3000", "--id", "refused")
    twice = shell.refusal("buy", SYMBOL, "1", "3001", "--id", "refused")
    assert (twice["code"], twice["field"]) == ("DUPLICATE_CLIENT_ORDER_ID", "client_order_id")
    assert shell.refusal("book", "NOSUCH", "--once")["code"] == "UNKNOWN_SYMBOL"
    assert shell.refusal("trades", "NOSUCH")["code"] == "UNKNOWN_SYMBOL"


def test_the_same_order_under_the_same_id_is_entered_once(shell: Shell) -> None:
    first = shell.json("buy", SYMBOL, "1", "3000", "--id", "once")
    again = shell.json("buy", SYMBOL, "1", "3000", "--id", "once")
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert again["order_id"] == first["order_id"]
    _, text, _ = shell.run("buy", SYMBOL, "1", "3000", "--id", "once")
    assert "had been entered before" in text
    assert len(shell.lines("orders")) == 1


def test_the_book_shows_levels_and_a_ladder(shell: Shell) -> None:
    shell.json("buy", SYMBOL, "2", "3000")
    shell.json("buy", SYMBOL, "1", "3000")
    seq = shell.json("sell", SYMBOL, "4", "3001.50")["seq"]

    def shown() -> bool:
        return bool(shell.json("book", SYMBOL, "--once")["seq"] >= seq)

    shell.venue.wait_until("the book is published", shown)
    facts = shell.json("book", SYMBOL, "--once", "--levels", "1")
    assert facts["bids"] == [["3000.00", "3.0000"]]
    assert facts["asks"] == [["3001.50", "4.0000"]]

    status, out, _ = shell.run("book", SYMBOL)
    assert status == 0
    assert "spread 1.50 (5.00 bp)" in out
    assert out.index("3001.50") < out.index("3000.00")


def test_trades_are_shown_from_the_past_oldest_first(shell: Shell) -> None:
    shell.json("sell", SYMBOL, "3", "3000")
    for quantity in ("0.1", "0.2", "0.3"):
        bought = shell.json("buy", SYMBOL, quantity, "3000", "--account", "6")
    last_id = bought["fills"][0]["trade_id"]

    def printed() -> bool:
        found = shell.lines("trades", SYMBOL, "--count", "1")
        return bool(found) and found[0]["trade_id"] == last_id

    shell.venue.wait_until("the trade is published", printed)
    found = shell.lines("trades", SYMBOL, "--count", "2")

    assert [trade["quantity"] for trade in found] == ["0.2000", "0.3000"]
    assert [trade["trade_id"] for trade in found] == [last_id - 1, last_id]
    assert found[1]["aggressor_side"] == "buy"
    assert found[1]["taker_order_id"] == bought["order_id"]
    assert shell.lines("trades", "SOL-USDT") == []


def test_ticker_and_candles_contain_the_trades(shell: Shell) -> None:
    symbol = "SOL-USDT"
    shell.json("sell", symbol, "3", "150.00")
    shell.json("buy", symbol, "1", "150.00", "--account", "6")
    shell.json("buy", symbol, "0.5", "150.00", "--account", "6")

    def has_both() -> bool:
        return bool(shell.json("ticker", symbol, "--once")["trades"] == 2)

    shell.venue.wait_until("the ticker has both", has_both)
    ticker = shell.json("ticker", symbol.lower(), "--once")
    assert (ticker["last"], ticker["last_quantity"]) == ("150.00", "0.500")
    assert (ticker["volume"], ticker["quote_volume"]) == ("1.500", "225.00000000")
    assert (ticker["high"], ticker["low"], ticker["change_percent"]) == ("150.00", "150.00", "0.00")
    assert (ticker["bid"], ticker["ask"], ticker["ask_quantity"]) == (None, "150.00", "1.500")

    candle = shell.json("candles", symbol, "--interval", "1d", "--once")
    assert (candle["interval"], candle["trades"], candle["volume"]) == ("1d", 2, "1.500")
    assert candle["open_time"].endswith("T00:00:00.000Z")

    everyone = shell.lines("ticker", "--once")
    assert {each["symbol"] for each in everyone} > {symbol, SYMBOL}
    status, out, _ = shell.run("ticker", symbol, SYMBOL)
    assert status == 0
    assert "1.500 SOL" in out
    status, out, _ = shell.run("candles", symbol, "--once")
    assert "150.00" in out
    status, out, _ = shell.run("candles", symbol, "--interval", "2m", "--once", "--json")
    assert status == 2
    assert shell.refusal("ticker", "DOGE-USD", symbol, "--once")["code"] == "UNKNOWN_SYMBOL"


def test_status_shows_that_everything_is_up(shell: Shell) -> None:
    facts = shell.json("status")

    assert facts["reachable"] is True
    assert SYMBOL in facts["gateway"]["instruments"]
    assert facts["matcher"]["seq"] >= facts["publisher"]["seq"] > 0
    assert facts["publisher"]["lag"] >= 0
    status, out, _ = shell.run("status")
    assert status == 0
    assert "DOWN" not in out


def test_status_names_the_process_that_is_down(fresh_exchange: Exchange) -> None:
    shell = Shell(fresh_exchange)
    fresh_exchange.kill("gateway")

    status, out, _ = shell.run("status", "--timeout", "0.5", "--json")

    facts = json.loads(out)
    assert status == 3
    assert facts["gateway"]["reachable"] is False
    assert facts["publisher"]["reachable"] is True
    assert facts["matcher"]["reachable"] is True


def test_an_order_without_an_answer_is_an_unknown_outcome(fresh_exchange: Exchange) -> None:
    """The matcher is gone after the gateway accepted the order: its outcome is unknown."""
    shell = Shell(fresh_exchange)
    fresh_exchange.kill("matcher")

    status, out, _ = shell.run("buy", SYMBOL, "1", "3000", "--timeout", "1", "--json")

    assert status in (1, 3)
    assert json.loads(out)["error"]["code"] in ("OUTCOME_UNKNOWN", "BUSY")


def test_a_replay_of_a_damaged_file_ends_with_status_2(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "eth_flow.cmd.csv"
    path.write_text("seq,t_ns,op,id,side,price_ticks,qty_lots\n0,0,new,1,B,ten,5\n")

    status, out, _ = shell.run("replay", str(path), "--json")

    assert status == 2
    error = json.loads(out)["error"]
    assert error["code"] == "UNREADABLE_FILE"
    assert error["message"].endswith("line 2, column price_ticks: 'ten' is not a whole number")


def test_followers_print_json_lines_and_end_with_ctrl_c(shell: Shell) -> None:
    """`book --json`, `trades --follow` and `candles --json` as programs read them, in processes of
    their own."""
    shell.json("sell", SYMBOL, "1", "3000")
    words = (
        ["book", SYMBOL, "--json"],
        ["trades", SYMBOL, "-c", "0", "--follow", "--json"],
        ["candles", SYMBOL, "--interval", "1s", "--json"],
    )
    for command in words:
        with (
            subprocess.Popen(
                [sys.executable, "-m", "crossbook", *command],
                env={**os.environ, **shell.venue.addresses},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as follower,
            ExitStack() as stack,
        ):
            # Where Ctrl-C is ignored (a background job of a shell) the test fails and ends.
            stack.callback(follower.kill)
            assert follower.stdout is not None
            if command[0] == "book":
                assert json.loads(follower.stdout.readline())["asks"] != []
            else:
                # A trade before the follower's subscription is not new to it: trade until one
                # arrives.
                os.set_blocking(follower.stdout.fileno(), False)
                lines_read: list[str] = []

                def trade(out: Any = follower.stdout, into: list[str] = lines_read) -> bool:
                    shell.json("buy", SYMBOL, "0.001", "3000", "--account", "6")
                    into.append(out.readline())
                    return any(into)

                shell.venue.wait_until("a trade is followed", trade)
                facts = json.loads(next(line for line in lines_read if line))
                assert facts["quantity" if command[0] == "trades" else "volume"] >= "0.0010"
            follower.send_signal(2)
            assert follower.wait(10) == 0
            assert follower.stderr is not None
            assert follower.stderr.read() == ""
