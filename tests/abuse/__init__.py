"""Measured attacks, each a bounded test in a file of its own."""
