"""Order entry: from frames of clients to commands, from events to replies."""
