"""The tests: they mirror the packages, then test the whole."""
