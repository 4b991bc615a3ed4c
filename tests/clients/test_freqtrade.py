"""freqtrade: the bot itself, started as its users start it, buys and sells with a profit."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from crossbook.testing import Exchange
from tests.clients.conversation import END_S, client_environment
from tests.clients.journey import ASKS, BIDS, OTHER, OWN, SYMBOL, host_of
from tests.clients.sessions import stepwise
from tools import clients

CLIENT: Final = "freqtrade"
STRATEGY: Final = Path(stepwise.__file__).with_name("freqtrade_strategy.py")
CANDLE_S: Final = 60.0
"""The bot trades once a candle has ended."""


@contextmanager
def bot(venue: Exchange, folder: Path) -> Iterator[Path]:
    """A bot with the configuration of its page, until the end of a `with`; its log."""
    if reason := clients.absence(CLIENT):
        pytest.skip(f"{CLIENT}: {reason}")
    page = (stepwise.DOCS / "freqtrade.md").read_text()
    found = re.search(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert found
    config = found[1].replace(stepwise.HOST, host_of(venue))
    assert set(re.findall(r"\w+://([^/\"]+)", config)) == {host_of(venue)}
    (folder / "config.json").write_text(config)
    (folder / "strategies").mkdir()
    (folder / "strategies" / STRATEGY.name).write_text(STRATEGY.read_text())
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [clients.interpreter(CLIENT), "-m", "freqtrade", "trade", "--config", "config.json",
             "--userdir", ".", "--strategy-path", "strategies", "--strategy", "AtOnce"],
            cwd=folder, env=client_environment(), stdin=subprocess.DEVNULL, stdout=output,
            stderr=output,
        )  # fmt: skip
        try:
            yield log
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(END_S)


@pytest.mark.slow
def test_the_bot_buys_and_sells_with_a_profit(tmp_path: Path) -> None:
    with Exchange() as venue:
        venue.book(SYMBOL, BIDS, ASKS)
        venue.client(OTHER).submit(SYMBOL, "buy", "0.1", "50001")
        with bot(venue, tmp_path) as log:

            def fills(count: int) -> bool:
                found = venue.fills(OWN, SYMBOL)
                assert len(found) >= count, log.read_text()[-4_000:]
                return True

            venue.wait_for(lambda: fills(1), CANDLE_S * 2.5)
            venue.book(SYMBOL, [("52000.00", "1")], [("52001.00", "1")])
            venue.wait_for(lambda: fills(2), CANDLE_S)
        bought, sold = venue.fills(OWN, SYMBOL)
        assert (bought.side, str(bought.price)) == ("buy", "50001")
        assert (sold.side, str(sold.price)) == ("sell", "52000")
        assert bought.quantity == sold.quantity
        assert bought.fee_asset == "BTC"
        assert venue.open_orders(OWN) == []
