"""The client library: order entry, market data, administration."""
