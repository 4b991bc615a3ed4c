"""Unit tests of the pure matcher: one file per module, no sockets."""
