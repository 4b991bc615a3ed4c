"""The WebSocket API of the Binance-spot face: `/ws-api/v3`."""
