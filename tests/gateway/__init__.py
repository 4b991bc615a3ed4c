"""Tests of the gateway's pure parts."""
