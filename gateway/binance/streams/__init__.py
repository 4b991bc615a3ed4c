"""The market streams of the Binance-spot face: `/ws` and `/stream`."""
