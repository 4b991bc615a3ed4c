"""The only door to the outside: sessions, validation, translation and backpressure."""
