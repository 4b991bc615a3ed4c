"""Hostile bytes at every decoder and every port."""
