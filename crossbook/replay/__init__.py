"""Recorded order flow: read, replayed and compared."""
