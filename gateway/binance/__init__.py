"""The Binance-spot face: the exchange's own orders, books and keys in the shapes of that API."""
