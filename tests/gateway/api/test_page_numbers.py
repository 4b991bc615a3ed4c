"""The page's numbers are exact however large: its own modules, run by Node."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from crossbook.common.following.depth import BookChecksum, Depth
from crossbook.common.instruments import example

PAGE = Path(__file__).resolve().parents[3] / "gateway" / "page"
NODE = shutil.which("node") or ""
EDGES = (2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30 + 1)

pytestmark = pytest.mark.skipif(not NODE, reason="Debian's package nodejs is not installed")


def ran(folder: Path, script: str) -> Any:
    """The `values` of a script that imports modules of the page."""
    for module in ("amount.js", "book.js", "crc32.js"):
        shutil.copy(PAGE / module, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "script.js").write_text(f"{script}\nconsole.log(JSON.stringify(values));\n")
    command = [NODE, str(folder / "script.js")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("units", EDGES)
def test_text_becomes_units_and_text_again(tmp_path: Path, units: int) -> None:
    text = f"{units // 100}.{units % 100:02d}"
    values = ran(
        tmp_path,
        'import { unitsOf, textOf, sum, product } from "./amount.js";\n'
        f'const values = [textOf(unitsOf("{text}"), 2), sum("{text}", "0.01"),'
        f' product("{text}", "3")];',
    )
    assert values == [text, *(f"{n // 100}.{n % 100:02d}" for n in (units + 1,)), values[2]]
    assert float(values[2]) == pytest.approx(3 * units / 100)
    whole, _, fraction = values[2].partition(".")
    assert int(whole + fraction.ljust(2, "0")) == 3 * units


@pytest.mark.parametrize("lots", EDGES)
def test_a_book_with_prices_and_quantities_of_any_size_is_kept(tmp_path: Path, lots: int) -> None:
    instrument = example()
    text = instrument.quantity_text
    low, high = instrument.price_text(lots), instrument.price_text(lots + 1)
    depth = Depth()
    depth.load([(lots, lots)], [(lots + 1, lots + 1)])
    checksum = BookChecksum(instrument).of(depth)
    depth.set_level(1, lots, 0)
    after = BookChecksum(instrument).of(depth)
    snapshot = {
        "seq": 1, "checksum": checksum, "bids": [[low, text(lots)]],
        "asks": [[high, text(lots + 1)]],
    }  # fmt: skip
    update = {"prev_seq": 1, "seq": 2, "checksum": after, "bids": [[low, "0"]], "asks": []}
    values = ran(
        tmp_path,
        'import { Book } from "./book.js";\nconst book = new Book();\n'
        f"book.load({json.dumps(snapshot)});\n"
        "const spread = String(book.ask.price - book.bid.price);\n"
        "const quantity = String(book.bid.quantity);\n"
        f"book.apply({json.dumps(update)});\n"
        "const values = [spread, quantity, book.bids.levels.length, book.asks.levels.length];",
    )
    assert values == ["1", str(lots), 0, 1]
