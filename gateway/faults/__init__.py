"""Faults on request (`FAULTS=on`): wrappers around the parts of a gateway, and their route."""
