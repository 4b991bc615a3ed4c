"""The tests: they mirror the packages, then add what only a whole can show."""
