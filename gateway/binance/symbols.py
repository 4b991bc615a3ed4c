"""Names of instruments in the Binance-spot face: `BTC-USDT` is `BTCUSDT` there. No I/O.

The way back needs the instruments: without the dash a name no longer shows where its assets meet.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from crossbook.common.errors import ConfigError
from crossbook.common.instruments import Instrument

_JOINTS: Final = re.compile("[-_/]")


def face_symbol(symbol: str) -> str:
    """The name of an instrument in this face.

    >>> face_symbol("BTC-USDT"), face_symbol("SOL_USD")
    ('BTCUSDT', 'SOLUSD')
    """
    return _JOINTS.sub("", symbol)


def check_names(instruments: Iterable[Instrument]) -> None:
    """Raise `ConfigError` where two instruments have one name in this face."""
    named: dict[str, str] = {}
    for instrument in instruments:
        other = named.setdefault(face_symbol(instrument.symbol), instrument.symbol)
        if other != instrument.symbol:
            raise ConfigError(
                f"instruments {other} and {instrument.symbol} are both "
                f"{face_symbol(other)} in the Binance-spot face: rename one of them, or leave the "
                "role binance out of GATEWAY_ROLES"
            )


class SymbolTable:
    """The instruments by their names in this face.

    `instruments` is the gateway's own mapping by native symbol: an instrument that is added to it
    later is found too, and one that is replaced there (other fees) is returned as it is now. Of two
    instruments with one name the first keeps it; `check_names` refuses that at the start.

    >>> from crossbook.common.instruments import example
    >>> table = SymbolTable({"BTC-USDT": example()})
    >>> table.find("BTCUSDT").symbol, table.find("BTC-USDT")
    ('BTC-USDT', None)
    """

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._native: dict[str, str] = {}
        self._read = 0

    def find(self, name: str) -> Instrument | None:
        """The instrument of a name in this face; None for another name. O(1)."""
        if self._read != len(self._instruments):
            self._read_names()
        native = self._native.get(name)
        return None if native is None else self._instruments[native]

    def __iter__(self) -> Iterator[tuple[str, Instrument]]:
        """Every name with its instrument, in the order of the instruments."""
        if self._read != len(self._instruments):
            self._read_names()
        for name, native in self._native.items():
            yield name, self._instruments[native]

    def _read_names(self) -> None:
        for symbol in self._instruments:
            self._native.setdefault(face_symbol(symbol), symbol)
        self._read = len(self._instruments)
