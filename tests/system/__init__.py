"""Tests of whole exchanges of real processes."""
