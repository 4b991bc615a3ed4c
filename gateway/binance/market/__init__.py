"""Market data of the Binance-spot face, as REST and the WebSocket API answer it."""
