"""HTTP and WebSocket connections."""
