"""The venue: a pure matching engine in the middle, a thin loop of sockets around it."""
