"""Tools for the source of this repository; no part of a running exchange."""
