"""The user streams of the Binance-spot face: what happens to an account, as it happens."""
