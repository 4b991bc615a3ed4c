"""Market data of the client library: its updates, gaps and callbacks."""
