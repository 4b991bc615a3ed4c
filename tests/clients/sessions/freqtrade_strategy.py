"""A strategy of freqtrade: it enters at once, and leaves with a profit of one percent."""

from typing import Any

from freqtrade.strategy import IStrategy


class AtOnce(IStrategy):  # type: ignore[misc]
    """Enters with every candle."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    process_only_new_candles = False
    startup_candle_count = 0
    minimal_roi = {"0": 0.01}  # noqa: RUF012
    stoploss = -0.5

    def populate_indicators(self, dataframe: Any, metadata: Any) -> Any:
        """No indicator is used."""
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: Any) -> Any:
        """Enter."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: Any, metadata: Any) -> Any:
        """Leave by profit alone."""
        return dataframe
