"""Tests of `crossbook/launch/`."""
