"""A publisher that breaks on request (`FAULTS=on`): its feed, its book and its replies."""
