"""Tests of `crossbook/testing/`."""
