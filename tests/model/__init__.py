"""The obvious matcher, which the engine must equal event for event."""
