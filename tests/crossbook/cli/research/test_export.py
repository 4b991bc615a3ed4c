"""`crossbook export`: to files, to a pipe, and the wrong usages."""

import io
import json
from pathlib import Path

import pandas
import pyarrow
import pytest
from typer.testing import CliRunner, Result

from crossbook.cli.main import app
from tests.worlds.stored_exchange import StoredExchange, stored_exchange


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredExchange:
    """An exchange of some hundred commands."""
    return stored_exchange(tmp_path_factory.mktemp("data"), seed=3, batches=60)


def run(stored: StoredExchange, *words: str) -> Result:
    """The command, with the settings of the exchange."""
    environment = {"DATA_DIR": str(stored.folder)}
    return CliRunner().invoke(app, ["export", *words], env=environment)


def test_the_settings_select_the_exported_rows(stored: StoredExchange, tmp_path: Path) -> None:
    done = run(stored, "trades", "--symbol", "btc-usdt")
    assert (done.exit_code, done.stderr) == (0, "")
    trades = pandas.read_csv(io.StringIO(done.stdout))
    assert len(trades) > 5
    assert set(trades["symbol"]) == {"BTC-USDT"}
    file = tmp_path / "l3.parquet"
    done = run(stored, "l3", "-s", "BTC-USDT", "-s", "ETH-EUR", "-o", str(file), "--json")
    facts = json.loads(done.stdout)
    assert facts == {
        "table": "l3", "rows": len(pandas.read_parquet(file)), "format": "parquet",
        "file": str(file),
    }  # fmt: skip
    assert facts["rows"] > 10


def test_journal_and_database_give_the_same_bytes(stored: StoredExchange) -> None:
    for table in ("trades", "candles", "orders", "fills"):
        found = [
            run(stored, table, "--interval", "1s", *source).stdout
            for source in (("--journal", str(stored.folder)), ("--database", stored.database))
        ]
        assert found[0] == found[1]
        assert found[0].count("\n") > 5


def test_arrow_streams_into_a_pipe(stored: StoredExchange) -> None:
    done = run(stored, "orders", "--format", "arrow")
    table = pyarrow.ipc.open_stream(done.stdout_bytes).read_all()
    assert table.num_rows == len(stored.matcher.record.orders)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("trades", "--symbol", "NONE-SUCH"), "USAGE (symbol): NONE-SUCH is not among"),
        (("trades", "--from", "noon"), "USAGE (from): 'noon' is neither a time"),
        (("trades", "--from", "2", "--to", "1"), "USAGE (to): 1 is not after 2"),
        (("candles", "-o", "c.txt"), "USAGE (format): c.txt ends in none of .csv"),
        (("trades", "-o", "/none/t.csv"), "USAGE (output): /none/t.csv: No such file"),
        (("trades", "--journal", "/none"), "USAGE (journal): /none: No such file"),
        (("trades", "--database", "sqlite:////none.db"), "CONFIGURATION: DATABASE_URL: /none.db"),
        (("trades", "--database", "x", "--journal", "y"), "USAGE (journal): --database and"),
    ],
)
def test_a_wrong_usage_names_the_argument(
    stored: StoredExchange, words: tuple[str, ...], text: str
) -> None:
    done = run(stored, *words)
    assert done.exit_code == 2
    assert done.stderr.startswith(text)
