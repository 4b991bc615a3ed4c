"""Worlds that tests of more than one room share."""
