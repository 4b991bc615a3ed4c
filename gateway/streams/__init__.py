"""The market-data streams over WebSocket."""
