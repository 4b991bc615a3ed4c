"""Tests of `crossbook.common.following`."""
