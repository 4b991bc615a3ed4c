"""Shared worlds: what the tests of more than one room build on."""
