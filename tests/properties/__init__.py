"""Random commands: the engine equals the obvious matcher, and its events keep every promise."""
