"""Tests of `crossbook.client`."""
