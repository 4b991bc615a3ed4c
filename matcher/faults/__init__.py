"""A matcher that breaks on request (`FAULTS=on`): its instruments and its disk."""
