"""Tests of `crossbook.common.messages`."""
